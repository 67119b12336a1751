"""A project of two families in three precisions, whose measurements are made by hand in a real pytest: what a cluster runs in a test."""

from pathlib import Path

from quantgate.records import write_record
from tests_fixtures.doubles.examples import text_loss, with_provenance
from tests_fixtures.doubles.gated_project import PYPROJECT, ROOT

FAMILIES, PRECISIONS, SUITES = ("ada", "bell"), ("bf16", "fp8", "nvfp4"), ("reference-text", "prose-48")
FAMILY = """
[[family]]
name = "{name}"
suites = ["reference-text", "prose-48"]
checkpoint = [
    {{ name = "bf16", precision = "bf16", path = "{reference}/bf16" }},
    {{ name = "fp8", precision = "fp8", path = "{reference}/fp8" }},
    {{ name = "nvfp4", precision = "nvfp4", path = "{reference}/nvfp4" }},
]
"""
INNER = """
import datetime, os, pathlib, time
import msgspec
from fixtures.state import class_of
from quantgate.matrix.reuse import expected_of
from tests_fixtures.doubles.examples import text_loss, with_provenance

HERE = pathlib.Path(__file__).parent
BEFORE = [20.0, 31.0, 39.0, 52.0, 58.0, 71.0]

def note(what):
    with (HERE / "measured.log").open("a") as file:
        file.write(what + "\\n")

def test_it(case, text_suite, gate, quantgate):
    name = f"{case.checkpoint}:{case.suite}"
    note(f"begins {name} {os.getpid()}")
    time.sleep(float((HERE / "seconds").read_text()))
    kills = HERE / "kills"
    if kills.is_file() and kills.read_text() == name:
        kills.unlink()
        os.kill(os.getpid(), 9)
    by = 1.3 if (HERE / "red").is_file() and (HERE / "red").read_text() == str(case.checkpoint) else 1.0
    expected = msgspec.structs.asdict(expected_of(case, text_suite, class_of(case, quantgate)))
    measured = text_loss(case.checkpoint.name, [nll * by for nll in BEFORE])
    measured = msgspec.structs.replace(measured, family=case.family.name, suite=case.suite)
    gate(with_provenance(measured, **expected, started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")))
    note(f"measured {name}")
"""


class ScriptedProject:
    """`seconds` each measurement takes; `approved`: families with a BF16 baseline."""

    def __init__(self, folder: Path, seconds: float = 0.0, approved: tuple[str, ...] = FAMILIES) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.models, self.baselines = folder, folder / "models.toml", folder / "baselines"
        tolerances = "".join(f"{one} = {{ perplexity_ratio = 1.05 }}\n" for one in PRECISIONS)
        families = "".join(FAMILY.format(name=name, reference=ROOT / "fixtures" / "reference") for name in FAMILIES)
        self.models.write_text(f"[tolerance]\n{tolerances}{families}", encoding="utf-8")
        (folder / "pyproject.toml").write_text(PYPROJECT.format(root=ROOT).replace('"--gpu=cpu", ', ""), encoding="utf-8")
        (folder / "conftest.py").write_text('pytest_plugins = ["fixtures.plugin"]\n', encoding="utf-8")
        (folder / "test_inner.py").write_text(INNER, encoding="utf-8")
        self.take(seconds)
        self.baselines.mkdir()
        for name in approved:
            self.approve(name)

    def take(self, seconds: float) -> None:
        (self.folder / "seconds").write_text(str(seconds), encoding="utf-8")

    def kill_in(self, name: str) -> None:
        """The pytest that measures this is killed, once."""
        (self.folder / "kills").write_text(name, encoding="utf-8")

    def redden(self, checkpoint: str) -> None:
        (self.folder / "red").write_text(checkpoint, encoding="utf-8")

    def approve(self, family: str) -> None:
        from quantgate import registry
        from quantgate.judgement import Case
        from quantgate.matrix.reuse import expected_of
        from quantgate.registry import Tolerance
        from quantgate.suites import SUITES as KNOWN

        loaded = registry.load(self.models)
        chosen = loaded.select(family)[0]
        for suite in SUITES:
            import msgspec

            case = Case(chosen, chosen.checkpoint[0], suite, Tolerance(), Tolerance())
            expected = expected_of(case, KNOWN[suite][1](None), "cpu")
            assert not isinstance(expected, str), expected
            measured = msgspec.structs.replace(text_loss("bf16"), family=family, suite=suite)
            write_record(self.baselines / "cpu", with_provenance(measured, **msgspec.structs.asdict(expected)))

    def log(self, word: str) -> list[str]:
        """What was measured (or begun), in order."""
        file = self.folder / "measured.log"
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        return [line.split()[1] for line in lines if line.startswith(word)]

    @property
    def keys(self) -> list[str]:
        return sorted(f"{family}/{one}:{suite}" for family in FAMILIES for one in PRECISIONS for suite in SUITES)
