"""`make smollm2` without a network and without a server: what is made, what is asked, what is approved, and what its end says."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import msgspec
import pytest

from families import smollm2
from quantgate.errors import ConfigurationError, QuantizeError
from quantgate.fingerprint import of_checkpoint
from quantgate.quantize import Asked, Packaged
from quantgate.records import Verdict, write_record
from quantgate.registry import load
from quantgate.suites import SUITES, TextSuite
from tests_fixtures.doubles.examples import text_loss, with_provenance

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference"


class Bench:
    """The program with a folder of its own; `made` are the checkpoints that it asked for, in their order."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = root / ".quantgate" / "smollm2"
        self.made, self.asked, self.pytest_runs = list[str](), list[Asked](), list[list[str]]()
        self.fails, self.codes = "", [0, 0]
        self._monkeypatch = monkeypatch
        for name, value in {"ROOT": root, "MADE": self.folder, "BASELINES": self.folder / "baselines"}.items():
            monkeypatch.setattr(smollm2, name, value)
        monkeypatch.setattr(smollm2, "STATED", root / "families" / "smollm2.toml")
        (root / "families").mkdir()
        shutil.copy(Path(__file__).parents[2] / "families" / "smollm2.toml", smollm2.STATED)
        for name, fake in {"unpack": self._unpack, "make": self._make, "run_pytest": self._pytest}.items():
            monkeypatch.setattr(smollm2, name, fake)
        self.public(None)

    def public(self, suite: TextSuite | None) -> None:
        """Whether WikiText-2 can be had."""

        def read(data: Path | None) -> TextSuite:
            if suite is None:
                raise ConfigurationError("the hub cannot be reached" if data is None else f"--data-dir={data}: it is not there")
            return suite

        self._monkeypatch.setitem(SUITES, smollm2.ON_PUBLIC_DATA, (TextSuite, read))

    def _unpack(self, packaged: Packaged, output: Path, *_: object) -> None:
        assert packaged is smollm2.PACKAGED
        self._put(output)

    def _make(self, asked: Asked, *_: object) -> Any:
        self.asked.append(asked)
        self._put(asked.output)
        return SimpleNamespace(inspection=SimpleNamespace(of=lambda _: []), output=str(asked.output))

    def _put(self, output: Path) -> None:
        if self.fails == output.name:
            raise QuantizeError(f"{output.name} failed")
        self.made.append(output.name)
        shutil.copytree(REFERENCE / output.name, output)

    def _pytest(self, options: list[str]) -> int:
        self.pytest_runs.append(options)
        if "fp8 or nvfp4" in options:
            (self.folder / "junit.xml").write_text('<testsuites><testsuite failures="0" errors="0"/></testsuites>', encoding="utf-8")
        return self.codes[len(self.pytest_runs) - 1]

    def approve(self, suite: str, weights: str | None = None, text: str | None = None) -> None:
        """A baseline of BF16's: of these weights, and of this text."""
        record = with_provenance(
            text_loss(),
            checkpoint_fingerprint=weights or of_checkpoint(REFERENCE / "bf16"),
            suite_fingerprint=text or SUITES[suite][1](None).fingerprint,
        )
        own = msgspec.structs.replace(record, family=smollm2.FAMILY, suite=suite)
        write_record(smollm2.BASELINES / "cpu", own)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


WIKITEXT = TextSuite(smollm2.ON_PUBLIC_DATA, [])


def test_everything_is_made_approved_and_gated_once(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert smollm2.main(["--gpu=cpu", "-v"]) == 0
    assert bench.made == ["bf16", "fp8", "nvfp4"]
    assert [one.scheme for one in bench.asked] == ["FP8_DYNAMIC", "NVFP4"]
    assert (bench.asked[0].data_dir, bench.asked[1].data_dir, bench.asked[1].samples) == (None, smollm2.CALIBRATION, 34)
    approving, gating = bench.pytest_runs
    assert approving[:5] == ["-m", "bf16", "-k", "prose-48", "--snapshot-update"]
    assert gating[:2] == ["-m", "fp8 or nvfp4"]
    for run in bench.pytest_runs:
        assert {f"--models={smollm2.STATED}", f"--records={bench.folder / 'records'}", "--gpu=cpu", "-v"} <= set(run)
    said = capsys.readouterr().err
    assert 'smollm2: wikitext2-50 is left out: the hub cannot be reached (ARGS="--data-dir=DIR")\n' in said
    assert "smollm2: no baseline of BF16's on cpu for prose-48: measuring it\n" in said


def test_what_is_there_is_neither_made_nor_approved_again(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    smollm2.main(["--gpu=cpu"])
    bench.approve("prose-48")
    bench.made.clear()
    bench.pytest_runs.clear()
    assert smollm2.main(["--gpu=cpu"]) == 0
    assert bench.made == []
    assert [run[1] for run in bench.pytest_runs] == ["fp8 or nvfp4"]
    assert capsys.readouterr().err.count(" is there already\n") == 3


def test_after_a_step_that_failed_the_next_run_goes_on_there(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.fails = "nvfp4"
    assert smollm2.main(["--gpu=cpu"]) == 2
    assert capsys.readouterr().err.endswith("smollm2: nvfp4 failed\n")
    assert bench.pytest_runs == []
    bench.fails = ""
    assert smollm2.main(["--gpu=cpu"]) == 0
    assert bench.made == ["bf16", "fp8", "nvfp4"]


def test_a_device_that_is_not_there_is_told_before_anything_is_made(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert smollm2.main(["--gpu=cpu:9999"]) == 2
    assert capsys.readouterr().err.startswith("smollm2: --gpu=cpu:9999: this process may use cores ")
    assert bench.made == []


def test_a_baseline_that_could_not_be_approved_ends_it(bench: Bench) -> None:
    bench.codes = [1, 0]
    assert smollm2.main(["--gpu=cpu"]) == 1
    assert len(bench.pytest_runs) == 1


def test_with_public_data_both_suites_are_asked_of_the_same_checkpoints(bench: Bench) -> None:
    bench.public(WIKITEXT)
    bench.approve("prose-48")
    assert smollm2.main(["--gpu=cpu", "--data-dir=/data"]) == 0
    assert bench.pytest_runs[0][:4] == ["-m", "bf16", "-k", "wikitext2-50"]
    (models,) = {one.removeprefix("--models=") for run in bench.pytest_runs for one in run if one.startswith("--models=")}
    found, stated = load(Path(models)), load(smollm2.STATED)
    assert found.family[0].suites == ["prose-48", "wikitext2-50"]
    assert [one.path for one in found.family[0].checkpoint] == [str(bench.folder / name) for name in ("bf16", "fp8", "nvfp4")]
    alike = [msgspec.structs.replace(one, written="") for one in found.family[0].checkpoint]
    assert alike == [msgspec.structs.replace(one, written="") for one in stated.family[0].checkpoint]
    assert found.tolerance == stated.tolerance


@pytest.mark.usefixtures("bench")
def test_data_that_were_named_and_are_not_there_are_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert smollm2.main(["--gpu=cpu", "--data-dir=/data"]) == 2
    assert capsys.readouterr().err.endswith("smollm2: --data-dir=/data: it is not there\n")


@pytest.mark.parametrize(
    ("weights", "text", "why"),
    [(None, None, None), ("other", None, "BF16 was made anew ({weights})"), (None, "other", "prose-48 is another text now ({text})")],
)
def test_a_baseline_of_other_weights_or_another_text_does_not_count(
    bench: Bench, weights: str | None, text: str | None, why: str | None
) -> None:
    smollm2.make_checkpoints()
    bench.approve("prose-48", weights, text)
    suites = smollm2.asking(None).suites
    told = None if why is None else why.format(weights=of_checkpoint(bench.folder / "bf16"), text=suites["prose-48"].fingerprint)
    assert smollm2.unapproved("cpu", suites) == ({} if told is None else {"prose-48": told})
    assert smollm2.unapproved("NVIDIA H200", suites) == {"prose-48": ""}
    smollm2.main(["--gpu=cpu"])
    assert [one for one in bench.pytest_runs[0] if one.startswith("--reason")] == ([] if told is None else [f"--reason={told}"])


def verdict(word: Literal["pass", "fail", "inconclusive", "error"], checkpoint: str = "nvfp4", suite: str = "prose-48") -> Verdict:
    return Verdict(verdict=word, family="smollm2", checkpoint=checkpoint, suite=suite, unit="ln(PPL ratio)", reason="r")


@pytest.mark.parametrize(
    ("code", "verdicts", "failed", "ends", "said"),
    [
        (0, [verdict("pass"), verdict("pass", "fp8")], 0, 0, "2 verdicts, none of them a fail; pytest's exit code was 0"),
        (
            1,
            [verdict("fail"), verdict("pass", "fp8")],
            1,
            0,
            "nvfp4 on prose-48 loses more than families/smollm2.toml accepts: that is",
        ),
        (1, [verdict("fail"), verdict("fail", suite="w")], 2, 0, "nvfp4 on prose-48 and nvfp4 on w lose more than families/smollm2.toml"),
        # Drift and quality of one test are one failure of it.
        (1, [verdict("fail"), verdict("fail")], 1, 0, "nvfp4 on prose-48 loses more than"),
        (1, [verdict("fail")], 2, 1, "2 tests failed, and not by a verdict of fail alone: see above; pytest's exit code was 1"),
        (1, [], 1, 1, "1 tests failed, and not by"),
        (1, [verdict("error")], 1, 1, "1 tests failed, and not by"),
        (1, [verdict("fail"), verdict("error", "fp8")], 1, 1, "1 tests failed, and not by"),
    ],
)
def test_a_verdict_of_fail_is_a_result_and_anything_else_that_fails_is_not(
    capsys: pytest.CaptureFixture[str], code: int, verdicts: list[Verdict], failed: int, ends: int, said: str
) -> None:
    assert smollm2.outcome(code, verdicts, failed) == ends
    assert capsys.readouterr().err.startswith(f"smollm2: {said}")


def test_verdicts_of_an_earlier_run_do_not_count(bench: Bench) -> None:
    records = bench.folder / "records"
    write_record(records, verdict("fail"))
    assert [one.verdict for one in smollm2.verdicts(records)] == ["fail"]
    smollm2.main(["--gpu=cpu"])
    assert smollm2.verdicts(records) == []


def test_failed_tests_are_counted_as_pytest_reports_them(tmp_path: Path) -> None:
    inner = "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n@pytest.fixture\ndef x(): 1 / 0\ndef test_c(x): pass\n"
    (tmp_path / "test_inner.py").write_text(inner, encoding="utf-8")
    told = tmp_path / "told.xml"
    command = [sys.executable, "-m", "pytest", f"--rootdir={tmp_path}", f"--junitxml={told}", "-p", "no:cacheprovider", str(tmp_path)]
    assert subprocess.run(command, cwd=tmp_path, stdout=subprocess.DEVNULL, check=False).returncode == 1
    assert smollm2.failed_tests(told) == 2
