"""A project of two families whose nights take a moment: pytest and the page are stood in for, all else is what a night does."""

import json
import sys
from pathlib import Path

import msgspec

from quantgate.history import Line, append, files, read
from quantgate.nightly import Asked, Night, run_night
from quantgate.records import Measurement, encode
from tests_fixtures.doubles.examples import answers, speed, text_loss
from tests_fixtures.doubles.nights import night as line_of_a_night

PYTEST = Path(__file__).with_name("fake_pytest.py")
REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference"
WRITES_A_PAGE = "import os, sys; os.makedirs(sys.argv[3]); open(sys.argv[3] + '/index.html', 'w').write('page')"
FAMILY = """
[[family]]
name = "{name}"
suites = ["reference-text", "reference-questions", "decode-16x64"]
checkpoint = [
    {{ name = "bf16", precision = "bf16", path = "{reference}/bf16" }},
    {{ name = "nvfp4", precision = "nvfp4", path = "{reference}/nvfp4" }},
]
"""
FILES, TEXT, QUESTIONS, SPEED = "nvfp4", "nvfp4:reference-text", "nvfp4:reference-questions", "nvfp4:decode-16x64"
NODES = {
    "bf16": "tests_quant/test_structure.py::test_files_are_sound[{family}/bf16]",
    FILES: "tests_quant/test_structure.py::test_files_are_sound[{family}/nvfp4]",
    "bf16:reference-text": "tests_accuracy/test_perplexity.py::test_perplexity_recovers[{family}/bf16:reference-text]",
    "nvfp4:kernels": "tests_quant/test_accepts.py::test_its_kernel_is_named[{family}/nvfp4:kernels]",
    TEXT: "tests_accuracy/test_perplexity.py::test_perplexity_recovers[{family}/nvfp4:reference-text]",
    QUESTIONS: "tests_accuracy/test_answers.py::test_answers_recover[{family}/nvfp4:reference-questions]",
    SPEED: "tests_throughput/test_decode_speed.py::test_decode_speed_holds[{family}/nvfp4:decode-16x64]",
}


class LittleNight:
    """`how`: family/checkpoint[:suite] → how its test ends, "pass" where it says nothing; `refusals`: family → pytest's sentence, where
    it refuses to collect."""

    def __init__(self, folder: Path, *families: str) -> None:
        self.folder, self.families = folder, families or ("reference",)
        self.how, self.refusals = dict[str, str](), dict[str, str]()
        self.models, self.baselines = folder / "models.toml", folder / "baselines"
        text = "".join(FAMILY.format(name=name, reference=REFERENCE) for name in self.families)
        self.models.write_text(text, encoding="utf-8")

    def run(self, **changes: object) -> Night:
        nodes = [node.format(family=name) for name in self.families for node in NODES.values()]
        templates = {f"{name}/{whose}": self._record(name, whose) for name in self.families for whose in NODES if ":reference" in whose}
        templates |= {f"{name}/{SPEED}": self._record(name, SPEED) for name in self.families}
        script = {"nodes": nodes, "how": self.how, "refusals": self.refusals, "templates": templates}
        (self.folder / "script.json").write_text(json.dumps(script), encoding="utf-8")
        (self.folder / "calls.jsonl").unlink(missing_ok=True)
        fields = {
            "project": self.folder,
            "models": self.models,
            "baselines": str(self.baselines),
            "gpu": "cpu",
            "program": (sys.executable, "-I", "-S", str(PYTEST), str(self.folder)),
            "reporter": (sys.executable, "-I", "-S", "-c", WRITES_A_PAGE),
            **changes,
        }
        return run_night(Asked(**fields), lambda _: None)  # type: ignore[arg-type]

    @staticmethod
    def _record(family: str, whose: str) -> str:
        checkpoint, _, suite = whose.partition(":")
        if suite == "decode-16x64":
            made: Measurement = speed([100.0, 101.0, 99.0])
        else:
            made = text_loss(checkpoint) if suite == "reference-text" else answers("++-", checkpoint)
        return encode(msgspec.structs.replace(made, family=family)).decode()

    def remember(self, whose: str, seconds: float, half_width: float = 0.01) -> None:
        """A night before this one, in which the suite took so long and had such an interval; its tolerance is 0.05."""
        checkpoint, _, suite = whose.partition(":")
        line = line_of_a_night(
            0,
            device_class="cpu",
            checkpoint=checkpoint,
            suite=suite,
            seconds=seconds,
            boot_seconds=0.0,
            interval=(-half_width, half_width),
        )
        append(self.baselines, [line])

    @property
    def calls(self) -> list[list[str]]:
        """pytest's command lines, in their order."""
        return [json.loads(row) for row in (self.folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()]

    @property
    def history(self) -> list[Line]:
        return [line for file in files(self.baselines) for line in read(file).lines]
