"""Approving baselines: each way in which a snapshot library loses, freezes or voids one, seen once and kept out here.

Every test is a small project of its own with a pytest of its own: two checkpoints, one suite, measurements by hand.
"""

import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from fixtures import baselines
from fixtures.errors import BaselineError
from fixtures.records import Measurement, decode, encode, write_record
from tests_fixtures.examples import PROVENANCE, answers, text_loss

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PYPROJECT = """
[tool.pytest.ini_options]
pythonpath = ["{root}"]
addopts = ["--import-mode=importlib", "--gpu=cpu", "-p", "no:benchmark", "-p", "no:cacheprovider"]
filterwarnings = ["error"]
"""
MODELS = """
[tolerance]
nvfp4 = {{ perplexity_ratio = 1.05 }}
bf16 = {{ perplexity_ratio = 1.05 }}
[[family]]
name = "reference"
suites = ["reference-text"]
checkpoint = [
    {{ name = "bf16", precision = "bf16", path = "{reference}/bf16" }},
    {{ name = "nvfp4", precision = "nvfp4", path = "{reference}/nvfp4" }},
]
"""
BEGINNING = """
import math, os, pathlib, pytest
from fixtures import baselines
from tests_fixtures.examples import PROVENANCE, answers, text_loss
"""
GATE = """
def test_it(case, text_suite, gate):
    gate(text_loss(case.checkpoint.name))
"""


class Project:
    """A project that gates with quantgate's plugin; `stored` are the files below its baselines/."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester, self.root = pytester, pytester.path
        pytester.makepyprojecttoml(PYPROJECT.format(root=ROOT))
        pytester.makeconftest('pytest_plugins = ["fixtures.plugin"]')
        (self.root / "models.toml").write_text(MODELS.format(reference=ROOT / "fixtures" / "reference"), encoding="utf-8")

    def test(self, content: str, name: str = "test_inner") -> None:
        self.pytester.makepyfile(**{name: BEGINNING + content})

    def store(self, *measured: Measurement) -> None:
        for one in measured:
            write_record(self.root / "baselines" / "cpu", one)

    @property
    def stored(self) -> dict[str, bytes]:
        folder = self.root / "baselines"
        return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}

    @property
    def measured(self) -> dict[str, Measurement]:
        """What is stored, without its history."""
        return {name: msgspec.structs.replace(read(content), history=[]) for name, content in self.stored.items()}

    def run(self, *arguments: str) -> pytest.RunResult:
        return self.pytester.runpytest_inprocess(*arguments)


def read(content: bytes) -> Measurement:
    return decode(content, Measurement, "a baseline")  # type: ignore[arg-type]  # a union is no type to mypy


BF16, NVFP4 = "cpu/reference/bf16/reference-text.json", "cpu/reference/nvfp4/reference-text.json"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
        monkeypatch.delenv(name)
    return Project(pytester)


def test_without_a_baseline_the_test_fails_with_the_command_that_makes_one(project: Project) -> None:
    project.test(GATE)
    result = project.run()
    result.assert_outcomes(failed=2)
    said = "no approved BF16 baseline for reference/bf16/reference-text; measure and approve one: "
    assert f"{said}pytest -m bf16 --gpu=cpu --family=reference --snapshot-update" in result.stdout.str()
    assert project.stored == {}


def test_an_update_writes_the_measurements_and_a_run_without_it_changes_nothing(project: Project) -> None:
    project.test(GATE)
    # "-W error": a warning in the middle of a write would end it.
    updated = project.run("-W", "error", "--snapshot-update")
    updated.assert_outcomes(passed=2)
    assert "Can not relate" not in updated.stdout.str()
    updated.stdout.fnmatch_lines(
        ["approved: cpu/reference/bf16/reference-text: new, perplexity 91.53; review it with git diff, then commit it"]
    )
    assert project.measured == {BF16: text_loss("bf16"), NVFP4: text_loss("nvfp4")}

    # Another figure, within tolerance: accepted, and not stored.
    project.test(GATE.replace("name)", "name, nll_sums=[20.01, 31, 39, 52, 58, 71])"))
    before = {file: (project.root / "baselines" / file).stat().st_mtime_ns for file in project.stored}
    project.run().assert_outcomes(passed=2)
    assert project.measured == {BF16: text_loss("bf16"), NVFP4: text_loss("nvfp4")}
    assert before == {file: (project.root / "baselines" / file).stat().st_mtime_ns for file in project.stored}


def test_an_update_writes_figures_that_differ_within_the_tolerance(project: Project) -> None:
    project.store(text_loss("bf16"))
    changed = [20.001, 31.0, 39.0, 52.0, 58.0, 71.0]
    project.test(GATE.replace("name)", f"name, nll_sums={changed})"))
    project.run("-m", "bf16", "--snapshot-update").assert_outcomes(passed=1, deselected=1)
    assert project.measured == {BF16: text_loss("bf16", nll_sums=changed)}


@pytest.mark.parametrize("update", [[], ["--snapshot-update"]], ids=["plain", "update"])
def test_a_run_of_fewer_checkpoints_neither_fails_nor_deletes_the_others(update: list[str], project: Project) -> None:
    others: list[Measurement] = [text_loss("bf16"), text_loss("fp8"), msgspec.structs.replace(text_loss("bf16"), family="other"), answers()]
    project.store(*others)
    before = project.stored
    project.test(GATE)
    result = project.run("-m", "nvfp4", *update)
    result.assert_outcomes(passed=1, deselected=1)
    assert result.ret == 0
    assert not re.search(r"\d+ snapshots? (unused|deleted)", result.stdout.str())
    added = {NVFP4: text_loss("nvfp4")} if update else {}
    assert project.measured == {name: read(content) for name, content in before.items()} | added


VOID = """
from fixtures.errors import MeasurementError

@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_through_the_gate(bad, case, text_suite, gate):
    with pytest.raises(MeasurementError, match="not finite"):
        gate(text_loss(case.checkpoint.name, nll_sums=[20.0, bad]))

def test_past_the_gate(snapshot, pytestconfig):
    with pytest.raises(MeasurementError, match="not finite"):
        baselines.store(snapshot, pytestconfig.rootpath / "baselines", text_loss("bf16", nll_sums=[20.0, math.nan]))
"""


def test_what_is_not_finite_is_never_approved(project: Project) -> None:
    project.test(VOID)
    project.run("--snapshot-update").assert_outcomes(passed=5)
    assert project.stored == {}
    assert list((project.root / ".quantgate").rglob("*.json")) == []


def test_a_measurement_that_raises_fails_its_test_with_one_sentence_and_no_traceback(project: Project) -> None:
    project.test(GATE.replace("name)", "name, nll_sums=[20.0, math.nan])"))
    result = project.run("--snapshot-update")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["a record with a number that is not finite at .documents[[]1[]].nll_sum is not written: measure again"])
    result.stdout.no_fnmatch_line("*raise MeasurementError*")
    result.stdout.fnmatch_lines(["error: reference/bf16 reference-text: a record with a number that is not finite *"])
    assert project.stored == {}


FAILS_FIRST = """
import msgspec

def test_of_another_suite(case, text_suite, gate):
    gate(text_loss(case.checkpoint.name, provenance=msgspec.structs.replace(PROVENANCE, suite_fingerprint="other")))

def test_of_fewer_documents(case, text_suite, gate):
    gate(text_loss(case.checkpoint.name, nll_sums=[20.0]))

def test_that_breaks_before_its_gate(case, text_suite, gate):
    measured = text_loss(case.checkpoint.name)
    assert measured.suite == "another"
    gate(measured)
"""


def test_a_test_that_fails_before_the_approval_writes_nothing(project: Project) -> None:
    project.store(text_loss("bf16"))
    project.test(FAILS_FIRST)
    project.run("-m", "nvfp4", "--snapshot-update").assert_outcomes(failed=3, deselected=3)
    assert project.stored == {BF16: encode(text_loss("bf16"))}


def test_a_loss_beyond_the_tolerance_fails_and_leaves_the_baseline(project: Project) -> None:
    project.store(text_loss("bf16"))
    project.test(GATE.replace("name)", "name, nll_sums=[30.0, 41, 49, 62, 68, 81])"))  # a whole nat a token worse
    result = project.run("-m", "nvfp4")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(["*fail: reference/nvfp4 reference-text: *"])
    assert project.stored == {BF16: encode(text_loss("bf16"))}


def test_an_approval_is_entered_in_the_history_with_its_reason(project: Project) -> None:
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)  # noqa: S607
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        subprocess.run(["git", "-C", str(project.root), "config", key, value], check=True)  # noqa: S607
    project.test(GATE)
    project.run("-m", "bf16", "--snapshot-update", "--reason=first").assert_outcomes(passed=1, deselected=1)
    worse = "name, nll_sums=[20.2, 31.3, 39.3, 52.4, 58.3, 71.2])"
    project.test(GATE.replace("name)", worse))
    result = project.run("-m", "bf16", "--snapshot-update", "--reason=a new engine")
    history = read(project.stored[BF16]).history
    assert [(entry.by, entry.reason, round(entry.figure, 2)) for entry in history] == [
        ("Ada <ada@example.org>", "first", 91.53),
        ("Ada <ada@example.org>", "a new engine", 94.16),
    ]
    result.stdout.fnmatch_lines(
        [
            "approved: cpu/reference/bf16/reference-text: perplexity 91.53 -> 94.16; review it with git diff, then commit it",
            "  between the two: pass: reference/bf16 reference-text since *: perplexity +2.87 % *; a real loss, within tolerance",
        ]
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reason=new"], "--reason=new goes into the history of an approval; add --snapshot-update"),
        (["--reason= ", "--snapshot-update"], "--reason is empty; say why"),
    ],
)
def test_a_reason_that_goes_nowhere_or_says_nothing_is_a_usage_error(arguments: list[str], said: str, project: Project) -> None:
    project.test(GATE)
    result = project.run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()


def test_what_has_not_changed_is_not_written_again(project: Project) -> None:
    project.test(GATE)
    project.run("--snapshot-update").assert_outcomes(passed=2)
    before = project.stored
    later = GATE.replace("name)", 'name, provenance=msgspec.structs.replace(PROVENANCE, started="later", seconds=9.0))')
    project.test("import msgspec\n" + later)
    result = project.run("--snapshot-update")
    assert project.stored == before
    result.stdout.fnmatch_lines(["unchanged: cpu/reference/nvfp4/reference-text is as it was approved; nothing is written"])


def test_a_checkpoint_that_fails_against_bf16_is_not_approved(project: Project) -> None:
    project.store(text_loss("bf16"))
    project.test(GATE.replace("name)", "name, nll_sums=[30.0, 41.1, 49, 62.1, 68, 81.1])"))
    result = project.run("-m", "nvfp4", "--snapshot-update")
    result.assert_outcomes(failed=1, deselected=1)
    assert "reference/nvfp4/reference-text is not approved" in result.stdout.str()
    assert project.stored == {BF16: encode(text_loss("bf16"))}


def test_a_baseline_that_is_nonsense_is_never_replaced_with_its_history(project: Project) -> None:
    project.store(text_loss("bf16"))
    (project.root / "baselines" / BF16).write_text("<<<<<<< HEAD", encoding="utf-8")
    project.test(GATE)
    for update in ([], ["--snapshot-update"]):
        result = project.run("-m", "bf16", *update)
        result.assert_outcomes(failed=1, deselected=1)
        assert re.search(
            r"is no usable record: JSON is malformed.*; restore it from git, or delete it and approve a new one", result.stdout.str()
        )
        assert project.stored == {BF16: b"<<<<<<< HEAD"}
    (project.root / "baselines" / BF16).unlink()
    project.run("-m", "bf16", "--snapshot-update").assert_outcomes(passed=1, deselected=1)
    assert project.measured == {BF16: text_loss("bf16")}


VOIDS = """
import msgspec

VOID = {
    "none": dict(documents=[]),
    "twice": dict(documents=text_loss("bf16").documents[:2] * 2),
    "below zero": dict(documents=[msgspec.structs.replace(one, nll_sum=-5.0) for one in text_loss("bf16").documents]),
    "no tokens": dict(documents=[msgspec.structs.replace(one, tokens=0) for one in text_loss("bf16").documents]),
    "summary": dict(perplexity=3.0),
    "stranger": dict(again=[msgspec.structs.replace(text_loss("bf16").documents[0], id="zz")]),
    "another family": dict(family="../../esc"),
    "another precision": dict(precision="nvfp4"),
}

@pytest.mark.parametrize("void", VOID)
def test_it(void, case, text_suite, gate):
    gate(msgspec.structs.replace(text_loss("bf16"), **VOID[void]))
"""


def test_what_no_run_can_have_measured_is_never_approved(project: Project) -> None:
    project.test(VOIDS)
    result = project.run("-m", "bf16", "--snapshot-update")
    result.assert_outcomes(failed=8, deselected=8)
    assert project.stored == {}
    said = result.stdout.str()
    for part in (
        "it holds no documents",
        "document 'd0' stands 2 times in it",
        "document 'd0' has a loss below 0 (-5.0 nats), a probability above 1",
        "document 'd0' has 0 scored tokens",
        "its perplexity is 3.0, and its items make 91.5",
        "its second run has 'zz', which its first has not",
        "it is of ../../esc, bf16, bf16, reference-text, and this test is about reference, bf16, bf16, reference-text",
    ):
        assert part in said


def test_a_reference_that_collapsed_is_approved_only_with_a_reason(project: Project) -> None:
    project.store(text_loss("bf16"))
    project.test(GATE.replace("name)", "name, nll_sums=[60.0, 72, 79, 93.5, 97, 112])"))
    result = project.run("-m", "bf16", "--snapshot-update")
    result.assert_outcomes(failed=1, deselected=1)
    assert "cpu/reference/bf16/reference-text is approved only with a --reason" in result.stdout.str()
    assert project.stored == {BF16: encode(text_loss("bf16"))}
    result = project.run("-m", "bf16", "--snapshot-update", "--reason=trained anew")
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["  between the two: fail: reference/bf16 reference-text since its approval: *"])


def test_a_figure_edited_by_hand_is_found(tmp_path: Path) -> None:
    file = write_record(tmp_path / "cpu", text_loss())
    file.write_text(file.read_text(encoding="utf-8").replace('"perplexity": 91.5', '"perplexity": 81.5'), encoding="utf-8")
    with pytest.raises(BaselineError, match=r"was not written by a measurement: its perplexity is 81\.52\d+, and its items make 91\.52\d+"):
        baselines.load(tmp_path, "cpu", "reference", "bf16", "reference-text")


def test_a_checkpoint_is_judged_against_bf16_and_since_its_own_approval(project: Project) -> None:
    project.store(text_loss("bf16"), text_loss("nvfp4", nll_sums=[20.1, 31.2, 39.2, 52.1, 58.1, 71.3]))
    project.test(
        GATE.replace("name)", 'name, provenance=msgspec.structs.replace(PROVENANCE, vllm="vllm 2"))').replace(
            "def", "import msgspec\ndef", 1
        )
    )
    result = project.run("-m", "nvfp4")
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(
        [
            "pass: reference/nvfp4 reference-text: perplexity +0.00 % *",
            "pass: reference/nvfp4 reference-text since its approval: perplexity -1.6* %*; vllm went from vllm 1 to vllm 2",
        ]
    )
    folder = project.root / ".quantgate" / "records" / "reference" / "nvfp4"
    assert sorted(file.name for file in folder.iterdir()) == [
        "reference-text.drift.verdict.json",
        "reference-text.json",
        "reference-text.verdict.json",
    ]


KILLED = """
import itertools, pathlib, sys
sys.path.insert(0, {root!r})
from fixtures.records import write_record
from tests_fixtures.examples import text_loss
both = [text_loss("bf16", [20.0 + place + new for place in range(2000)]) for new in (0, 1)]
write_record(pathlib.Path({folder!r}), both[0])
print("written", flush=True)
for one in itertools.cycle(both):
    write_record(pathlib.Path({folder!r}), one)
"""


def test_a_writer_killed_at_any_moment_leaves_the_old_baseline_or_the_new_one(tmp_path: Path) -> None:
    whole = {encode(text_loss("bf16", [20.0 + place + new for place in range(2000)])) for new in (0, 1)}
    for moment in range(8):
        writer = subprocess.Popen([sys.executable, "-c", KILLED.format(root=str(ROOT), folder=str(tmp_path))], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        with writer.stdout:
            assert writer.stdout.readline() == b"written\n"
            time.sleep(0.003 * moment)
            writer.kill()
            writer.wait()
        assert (tmp_path / "reference" / "bf16" / "reference-text.json").read_bytes() in whole


DIES = """
def dies(*arguments, **named):
    raise OSError("no space left on device")

@pytest.mark.parametrize("call", ["fsync", "chmod", "replace"])
def test_it(call, monkeypatch, snapshot, pytestconfig):
    if call == "replace":
        monkeypatch.setattr(pathlib.Path, "replace", dies)
    monkeypatch.setattr(os, call, dies)
    baselines.store(snapshot, pytestconfig.rootpath / "baselines", text_loss("bf16", nll_sums=[1.0, 2.0]))
"""


def test_a_write_that_dies_half_way_leaves_the_old_baseline_and_nothing_beside_it(project: Project) -> None:
    project.store(text_loss("bf16"))
    project.test(DIES)
    project.run("--snapshot-update").assert_outcomes(failed=3)
    assert project.stored == {BF16: encode(text_loss("bf16"))}


TOGETHER = """
import time

def test_it(snapshot, pytestconfig, worker_id):
    root = pytestconfig.rootpath
    (root / "{name}.is-there").write_text(worker_id)
    give_up = time.monotonic() + 30
    while not (root / "{other}.is-there").exists():
        assert time.monotonic() < give_up, "the other worker did not come"
    assert (root / "{other}.is-there").read_text() != worker_id
    baselines.store(snapshot, root / "baselines", text_loss("{name}"))
"""


@pytest.mark.thorough
def test_two_workers_that_approve_at_once_both_do(project: Project) -> None:
    pytest.importorskip("xdist")
    project.store(text_loss("fp8"))
    project.test(TOGETHER.format(name="bf16", other="nvfp4"), "test_one")
    project.test(TOGETHER.format(name="nvfp4", other="bf16"), "test_two")
    project.pytester.runpytest_subprocess("-n", "2", "--snapshot-update").assert_outcomes(passed=2)
    wanted = {f"cpu/reference/{name}/reference-text.json": encode(text_loss(name)) for name in ("bf16", "fp8", "nvfp4")}
    assert project.stored == wanted


def test_a_baseline_is_read_back_as_it_was_approved(tmp_path: Path) -> None:
    write_record(tmp_path / "cpu", answers())
    assert baselines.load(tmp_path, "cpu", "reference", "bf16", "reference-questions") == answers()
    assert baselines.load(tmp_path, "cpu", "reference", "nvfp4", "reference-questions") is None
    assert baselines.load(tmp_path, "NVIDIA H200", "reference", "bf16", "reference-questions") is None


def test_a_name_with_a_slash_stays_one_folder() -> None:
    assert baselines.name_of("A/B 1g.24gb", "org/model", "fp8", "text") == "A-B 1g.24gb/org-model/fp8/text"


def test_a_broken_baseline_is_named_with_the_way_out(tmp_path: Path) -> None:
    file = write_record(tmp_path / "cpu", text_loss())
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BaselineError, match=r"reference-text\.json is no usable record: .* restore it from git, or delete it"):
        baselines.load(tmp_path, "cpu", "reference", "bf16", "reference-text")


def test_a_baseline_in_another_s_place_is_refused(tmp_path: Path) -> None:
    file = write_record(tmp_path / "cpu", text_loss("nvfp4"))
    file.rename(file.parents[1] / "moved.json")
    (tmp_path / "cpu" / "reference" / "bf16").mkdir()
    (file.parents[1] / "moved.json").rename(tmp_path / "cpu" / "reference" / "bf16" / "reference-text.json")
    with pytest.raises(BaselineError, match="holds reference/nvfp4 reference-text, which is not what its place says"):
        baselines.load(tmp_path, "cpu", "reference", "bf16", "reference-text")


def test_a_figure_survives_the_round_trip_to_its_last_digit(tmp_path: Path) -> None:
    measured = text_loss(nll_sums=[math.pi * 100, 10.1 + 0.2], provenance=PROVENANCE)
    write_record(tmp_path / "cpu", measured)
    assert baselines.load(tmp_path, "cpu", "reference", "bf16", "reference-text") == measured
