"""The environment that uv makes for llm-compressor."""

import io
import sys
from pathlib import Path

import pytest

from quantgate import uv
from quantgate.errors import ConfigurationError
from quantgate.programs import environment
from quantgate.programs.progress import Progress
from quantgate.quantize.program import LLM_COMPRESSOR


def test_the_environment_is_pinned_where_it_decides_about_bytes() -> None:
    pinned = dict(one.split("==") for one in environment.metadata(LLM_COMPRESSOR.script)["dependencies"])
    assert {"llmcompressor", "compressed-tensors", "torch", "transformers"} <= pinned.keys()


UV = """#!{python}
import os, sys
from pathlib import Path
with Path({log!r}).open("a") as log:
    log.write(" ".join(sys.argv[1:]) + " FIND_LINKS=" + os.environ.get("UV_FIND_LINKS", "") + "\\n")
if sys.argv[1] == "venv":
    (Path(sys.argv[-1]) / "bin").mkdir(parents=True, exist_ok=True)
    (Path(sys.argv[-1]) / "bin" / "python").touch()
elif {fails}:
    sys.exit("error: no such wheel")
"""


class Uv:
    """Stands in for uv; `asked` are its command lines."""

    def __init__(self, root: Path) -> None:
        self.file, self.log = root / "bin" / "uv", root / "log"
        self.file.parent.mkdir()
        self.behave()

    def behave(self, *, fails: bool = False) -> None:
        self.file.write_text(UV.format(python=sys.executable, log=str(self.log), fails=fails), encoding="utf-8")
        self.file.chmod(0o755)

    def asked(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []


@pytest.fixture
def fake_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uv:
    made = Uv(tmp_path)
    monkeypatch.setattr(environment, "find_uv", lambda: str(made.file))
    monkeypatch.setattr(environment, "WITH_TORCH", {"cpu": 0.0, "cuda": 0.0})
    monkeypatch.setattr(uv, "detect_flavour", lambda: "cpu")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")
    return made


def test_the_environment_is_made_once_with_what_pip_knows(fake_uv: Uv, tmp_path: Path) -> None:
    said = io.StringIO()
    python = environment.python(Progress(said), LLM_COMPRESSOR)
    assert python.is_relative_to(tmp_path / "cache" / "quantgate")
    assert "making llm-compressor's environment, first use only (cpu, " in said.getvalue()
    venv, torch, rest = fake_uv.asked()
    assert venv.startswith(f"venv --clear --python {sys.executable} ")
    assert torch.startswith(f"pip install --python {python} --no-deps torch==")
    assert torch.endswith("FIND_LINKS=/wheels,/more")
    assert rest.startswith(f"pip install --python {python} --compile-bytecode --requirements {LLM_COMPRESSOR.script} ")
    assert environment.python(Progress(said), LLM_COMPRESSOR) == python
    assert len(fake_uv.asked()) == 3


def test_on_a_gpu_torch_comes_from_the_index_like_the_rest(fake_uv: Uv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uv, "detect_flavour", lambda: "cuda")
    environment.python(Progress(io.StringIO()), LLM_COMPRESSOR)
    assert [line.split()[0] for line in fake_uv.asked()] == ["venv", "pip"]
    assert fake_uv.asked()[1].endswith("FIND_LINKS=")


def test_an_environment_that_fails_is_one_sentence_below_uv_s_words_and_is_made_anew(fake_uv: Uv) -> None:
    fake_uv.behave(fails=True)
    said = io.StringIO()
    with pytest.raises(ConfigurationError, match=r"could not be made \(`pip install` ended with exit code 1, see above\): is the package"):
        environment.python(Progress(said), LLM_COMPRESSOR)
    assert said.getvalue().endswith("\nerror: no such wheel\n")
    fake_uv.behave()
    environment.python(Progress(io.StringIO()), LLM_COMPRESSOR)
    assert [line.split()[0] for line in fake_uv.asked()] == ["venv", "pip", "venv", "pip", "pip"]


def test_without_uv_it_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=rf"is made by uv, which is neither {tmp_path}/uv nor on PATH; pip install uv$"):
        environment.find_uv()
    (tmp_path / "uv").touch(mode=0o755)
    assert environment.find_uv() == str(tmp_path / "uv")


def test_without_torch_everything_is_installed_at_once_and_what_is_wanted_besides_makes_another(fake_uv: Uv, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text('# /// script\n# dependencies = ["some-harness==1.0"]\n# ///\n', encoding="utf-8")
    plain = environment.Environment("some-harness", script, gib=0.0)
    more = plain._replace(more=("langdetect", "some-harness[extra]"))
    assert (plain.needs, more.needs) == (["some-harness==1.0"], ["some-harness==1.0", "langdetect", "some-harness[extra]"])
    first, second = (environment.python(Progress(io.StringIO()), one) for one in (plain, more))
    assert first != second
    venv, rest, _, with_more = fake_uv.asked()
    assert [line.split()[0] for line in (venv, rest)] == ["venv", "pip"]
    assert f"--requirements {script} FIND_LINKS" in rest
    assert f"--requirements {script} langdetect some-harness[extra] FIND_LINKS" in with_more
