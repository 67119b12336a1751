"""Programs that stand in for llm-compressor's: each is told by a test what it does and needs Python alone; and texts to calibrate on."""

import io
import sys
from pathlib import Path
from typing import Any

from quantgate.programs import Progress
from quantgate.quantize.making import Asked, Made, Tools, make
from tests_fixtures.doubles.made_checkpoints import configure, make_pair

BEGINNING = """
import json, os, shutil, signal, sys, time
from pathlib import Path
task = json.loads(sys.argv[1])
def tell(**said):
    Path(task["told"]).write_text(json.dumps(said))
def half():
    made = Path(task["made"]); made.mkdir()
    (made / "model.safetensors").write_bytes(b"half")
def whole():
    shutil.copytree({source!r}, task["made"])
    tell(versions={{"llmcompressor": "0.1", "torch": "2"}})
Path({seen!r}).write_text(json.dumps(task))
"""
WHOLE = "whole()"
TOKENS = "Path(task['tokens']).write_text('[1, 2, 3]\\n[4]\\n'); tell(rows=9, skipped=2)"


def tools(folder: Path, source: Path, oneshot: str = WHOLE, tokens: str = TOKENS) -> Tools:
    """`source`: the checkpoint that is copied where one is to be made. What each was asked lies in folder/oneshot.task, tokens.task."""
    made = []
    for name, body in (("tokens", tokens), ("oneshot", f"print('phase: quantizing', flush=True)\n{oneshot}")):
        script = folder / f"{name}.py"
        script.write_text(BEGINNING.format(source=str(source), seen=str(folder / f"{name}.task")) + body, encoding="utf-8")
        made.append(script)
    return Tools(lambda _: Path(sys.executable), *made)


def rows(folder: Path, count: int, name: str = "a.jsonl") -> Path:
    """A file of so many texts, each its own number."""
    file = folder / name
    file.write_text("".join(f'{{"text": "{number}"}}\n' for number in range(count)), encoding="utf-8")
    return file


class Terminal(io.StringIO):
    """Text that a terminal is shown."""

    def isatty(self) -> bool:
        return True


class Bench:
    """A model, what is made of it, and where it goes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checkpoint, self.model = make_pair(root, "nvfp4", layers=2)
        for folder in (self.checkpoint, self.model):
            configure(folder, lambda raw: raw.update(max_position_embeddings=256, hidden_act="silu"))
        self.output = root / "out" / "made"
        self.said: io.StringIO = io.StringIO()

    def make(self, oneshot: str = WHOLE, **asked: Any) -> Made:
        """Quantize it, as these options ask; `oneshot` is what the other program does."""
        wanted = {"model": str(self.model), "output": self.output, "scheme": "NVFP4", "calibrate": "reference", **asked}
        return make(Asked(**wanted), Progress(self.said), tools(self.root, self.checkpoint, oneshot))

    def left(self) -> list[str]:
        """Everything in the folder that the checkpoint goes to."""
        return sorted(one.name for one in self.output.parent.iterdir()) if self.output.parent.exists() else []
