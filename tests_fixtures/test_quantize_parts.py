"""What `quantgate quantize` is made of: recipes, the environment that uv makes, the program that is listened to, progress."""

import io
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from fixtures import uv
from fixtures.errors import ConfigurationError
from fixtures.quantize import child, environment, recipes
from fixtures.quantize.progress import Progress
from tests_fixtures.fake_llmcompressor import Terminal

CONFIG = {"model_type": "qwen3", "num_attention_heads": 4, "hidden_size": 256, "head_dim": 64}


@pytest.mark.parametrize("scheme", recipes.SCHEMES)
def test_every_scheme_has_its_recipe(scheme: str) -> None:
    text = recipes.choose(scheme.lower().replace("_", "-"), None).text
    assert re.search(rf"^      scheme: {scheme}$", text, re.MULTILINE)
    assert text.startswith("# ")


def test_a_rotation_stands_before_the_recipe() -> None:
    plain = recipes.choose("NVFP4", None)
    rotated = recipes.rotated(plain, "m", CONFIG).text
    assert rotated.endswith(plain.text)
    assert rotated.index("rotations: [R1, R2]") < rotated.index("scheme: NVFP4")
    assert "transform_type: hadamard" in rotated


@pytest.mark.parametrize(("hidden", "head"), [(5120, 128), (4096, 80)])
def test_a_width_that_is_no_power_of_two_takes_another_transform(hidden: int, head: int) -> None:
    config = {**CONFIG, "hidden_size": hidden, "head_dim": head}
    assert "transform_type: random-hadamard" in recipes.rotated(recipes.choose("NVFP4", None), "m", config).text


def test_a_rotation_belongs_to_a_scheme(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("quant_stage:\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"--rotate belongs to --scheme; write SpinQuantModifier into own\.yaml"):
        recipes.rotated(recipes.choose(None, tmp_path / "own.yaml"), "m", CONFIG)


def test_a_recipe_may_speak_of_online_rotations_in_a_comment(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("q_stage:  # SpinQuantModifier\n  # not R4\n", encoding="utf-8")
    assert recipes.choose(None, tmp_path / "own.yaml").name == "own.yaml"


def test_the_environment_is_pinned_where_it_decides_about_bytes() -> None:
    pinned = dict(one.split("==") for one in environment.metadata(environment.SCRIPT)["dependencies"])
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
    monkeypatch.setattr(environment, "NEEDED_GIB", {"cpu": 0.0, "cuda": 0.0})
    monkeypatch.setattr(uv, "detect_flavour", lambda: "cpu")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")
    return made


def test_the_environment_is_made_once_with_what_pip_knows(fake_uv: Uv, tmp_path: Path) -> None:
    said = io.StringIO()
    python = environment.python(Progress(said))
    assert python.is_relative_to(tmp_path / "cache" / "quantgate")
    assert "making llm-compressor's environment, first use only (cpu, " in said.getvalue()
    venv, torch, rest = fake_uv.asked()
    assert venv.startswith(f"venv --clear --python {sys.executable} ")
    assert torch.startswith(f"pip install --python {python} --no-deps torch==")
    assert torch.endswith("FIND_LINKS=/wheels,/more")
    assert rest.startswith(f"pip install --python {python} --compile-bytecode --requirements {environment.SCRIPT} ")
    assert environment.python(Progress(said)) == python
    assert len(fake_uv.asked()) == 3


def test_on_a_gpu_torch_comes_from_the_index_like_the_rest(fake_uv: Uv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uv, "detect_flavour", lambda: "cuda")
    environment.python(Progress(io.StringIO()))
    assert [line.split()[0] for line in fake_uv.asked()] == ["venv", "pip"]
    assert fake_uv.asked()[1].endswith("FIND_LINKS=")


def test_an_environment_that_fails_is_one_sentence_below_uv_s_words_and_is_made_anew(fake_uv: Uv) -> None:
    fake_uv.behave(fails=True)
    said = io.StringIO()
    with pytest.raises(ConfigurationError, match=r"could not be made \(`pip install` ended with exit code 1, see above\): is the package"):
        environment.python(Progress(said))
    assert said.getvalue().endswith("\nerror: no such wheel\n")
    fake_uv.behave()
    environment.python(Progress(io.StringIO()))
    assert [line.split()[0] for line in fake_uv.asked()] == ["venv", "pip", "venv", "pip", "pip"]


def test_without_uv_it_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=rf"is made by uv, which is neither {tmp_path}/uv nor on PATH; pip install uv$"):
        environment.find_uv()
    (tmp_path / "uv").touch(mode=0o755)
    assert environment.find_uv() == str(tmp_path / "uv")


def test_what_was_set_for_pip_is_handed_on_to_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*uv.PIP_TO_UV, *uv.PIP_TO_UV.values(), "UV_INDEX_STRATEGY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "index")
    monkeypatch.setenv("PIP_CERT", "cert")
    monkeypatch.setenv("SSL_CERT_FILE", "own")
    found = uv.environment()
    assert (found["UV_INDEX"], found["UV_INDEX_STRATEGY"], found["SSL_CERT_FILE"]) == ("index", "unsafe-best-match", "own")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert uv.torch_source({}) == ({}, ["--torch-backend=cpu"])


def run(code: str) -> tuple[child.Ended, list[str]]:
    heard: list[str] = []
    return child.run([sys.executable, "-c", code], os.environ, heard.append), [line for line in heard if line]


def test_lines_are_heard_as_they_end_and_bars_are_no_last_words() -> None:
    ended, heard = run("import sys; sys.stdout.write('a\\rb: 10%|#\\rb: 20%|##\\nc'); sys.stdout.flush(); sys.exit(4)")
    assert heard == ["a", "b: 10%|#", "b: 20%|##", "c"]
    assert ended == child.Ended(4, ["a", "c"])


def test_whoever_keeps_the_output_open_is_not_waited_for() -> None:
    started = time.monotonic()
    code = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(p.pid, flush=True)"
    ended, heard = run(code)
    assert ended.code == 0
    os.kill(int(heard[0]), 9)
    assert time.monotonic() - started < 30


def test_a_signal_that_is_ignored_stays_so_and_others_are_raised_and_put_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with child.stoppable():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        with pytest.raises(child.StoppedError) as stopped, child.stoppable():
            signal.raise_signal(signal.SIGTERM)
        assert stopped.value.number == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_on_a_terminal_the_line_of_the_phase_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    shown = Terminal()
    progress = Progress(shown)
    with progress.phase("quantizing"):
        now = 103.0
        progress.hear("(3/7): Calibrating:  41%|████      | 210/512 [00:12<00:18, 16.4it/s]")
        now = 103.1
        progress.hear("(3/7): Calibrating:  42%|████      | 215/512 [00:12<00:18, 16.4it/s]")
        now = 105.0
    head = "\r\x1b[Kquantgate quantize: quantizing"
    assert shown.getvalue() == f"{head}, part 3 of 7, calibrating 41 %, 3 s{head}: 5.0 s\n"
    assert progress.phases == {"quantizing": 5.0}


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    log = io.StringIO()
    progress = Progress(log)
    progress.begin("saving")
    for second in range(0, 40):
        now = float(second)
        progress.hear("")
    progress.begin("looking")
    assert log.getvalue().splitlines() == [f"quantgate quantize: saving{rest}" for rest in (", 15 s", ", 30 s", ": 39.0 s")]


def test_a_phase_that_fails_takes_its_line_away() -> None:
    shown = Terminal()
    progress = Progress(shown)
    with pytest.raises(RuntimeError), progress.phase("quantizing"):
        raise RuntimeError
    assert shown.getvalue().endswith("\r\x1b[K")
    assert progress.phases == {}
