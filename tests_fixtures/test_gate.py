"""A record that cannot be written: the verdict is given all the same, and the test fails with a sentence."""

import errno
from pathlib import Path

import pytest

from fixtures import gate, judging
from fixtures.gate import Approver, Gate
from fixtures.judging import Case, Judge
from fixtures.records import Measurement, Verdict, write_record
from fixtures.registry import Checkpoint, Family, Tolerance
from tests_fixtures.examples import speed, text_loss, with_provenance

CHECKPOINT = Checkpoint(name="fp8", precision="fp8", path="/models/fp8", family="reference")
FAMILY = Family(name="reference", checkpoint=[CHECKPOINT], suites=["reference-text"])
FULL = "reference/fp8 reference-text: --records={root} cannot be written: No space left on device; make room, or name another folder"


@pytest.fixture
def published() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def ask(tmp_path: Path, published: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A gate whose BF16 baseline is known, and that has nothing to compare with since an approval."""
    case = Case(FAMILY, CHECKPOINT, "reference-text", Tolerance(perplexity_ratio=1.5), Tolerance(perplexity_ratio=1.01))
    monkeypatch.setattr(judging.Judge, "_bf16_baseline", lambda *_: text_loss("bf16"))
    return Gate(Judge(case, tmp_path / "baselines", {}), tmp_path / "records", "warn", lambda *said: published.append(said), None)


def fill(monkeypatch: pytest.MonkeyPatch, only: type) -> None:
    """From now on the disk has no room for records of this kind."""
    write = write_record

    def full(root: Path, record: Measurement | Verdict, *, drift: bool = False) -> object:
        if isinstance(record, only):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(root, record, drift=drift)

    monkeypatch.setattr(gate, "write_record", full)


def test_with_room_a_record_and_its_verdict_are_written_and_the_test_passes(ask: Gate, published: list[tuple[str, str]]) -> None:
    ask(text_loss("fp8"))
    assert [word for word, _ in published] == ["pass", "not compared"]
    folder = ask.records / "reference" / "fp8"
    assert {file.name for file in folder.iterdir()} == {"reference-text.json", "reference-text.verdict.json"}


@pytest.mark.parametrize("only", [Measurement, Verdict], ids=["the measurement", "the verdict"])
def test_a_full_disk_fails_the_test_with_a_sentence_and_the_verdict_is_published(
    only: type, ask: Gate, published: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(monkeypatch, only)
    said = FULL.format(root=ask.records)
    with pytest.raises(pytest.fail.Exception) as failed:
        ask(text_loss("fp8"))
    assert str(failed.value) == said
    words = [word for word, _ in published]
    assert sorted(words) == ["error", "not compared", "pass"]
    assert ("error", f"error: {said}") in published


def test_a_disk_that_is_full_throughout_is_said_once(ask: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(monkeypatch, object)
    with pytest.raises(pytest.fail.Exception) as failed:
        ask(text_loss("fp8"))
    assert str(failed.value) == FULL.format(root=ask.records)


def test_a_bad_verdict_and_a_full_disk_are_both_said(ask: Gate, published: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    fill(monkeypatch, Verdict)
    with pytest.raises(pytest.fail.Exception) as failed:
        ask(text_loss("fp8", [one * 3 for one in (20.0, 31.0, 39.0, 52.0, 58.0, 71.0)]))
    first, second = str(failed.value).splitlines()
    assert ("fail", first) in published
    assert second == FULL.format(root=ask.records)


def test_nothing_is_approved_that_could_not_be_recorded(ask: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[Measurement] = []
    fill(monkeypatch, object)
    approver = gate.Approver(stored.append, "ada", None)
    with pytest.raises(pytest.fail.Exception, match="No space left on device"):
        Gate(ask.judge, ask.records, ask.inconclusive, ask.publish, approver)(text_loss("fp8"))
    assert stored == []


H200 = "NVIDIA H200"
QUANTIZED = Checkpoint(name="nvfp4", precision="nvfp4", path="/models/nvfp4", family="reference")
LOAD = Family(name="reference", checkpoint=[QUANTIZED], suites=["decode-16x64"])


def approving(root: Path, old: Measurement, stored: list[Measurement], monkeypatch: pytest.MonkeyPatch, speedup: dict[str, float]) -> Gate:
    """A gate that approves a speed on a GPU, where `speedup` may be asked of it."""
    tolerance = Tolerance(decode_tps_ratio=0.95, speedup_over_bf16=speedup)
    monkeypatch.setattr(judging.Judge, "own", lambda *_: old)
    case = Case(LOAD, QUANTIZED, "decode-16x64", tolerance, tolerance)
    return Gate(Judge(case, root / "baselines", {}), root / "records", "warn", lambda *_: None, Approver(stored.append, "somebody", "why"))


def test_a_load_that_has_changed_is_approved_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[Measurement] = []
    old = with_provenance(speed([100.0, 101.0]), device_class=H200, suite_fingerprint="another load")
    new = with_provenance(speed([100.0, 101.0, 99.0], [-0.1, -0.11, -0.09]), device_class=H200)
    approving(tmp_path, old, stored, monkeypatch, {})(new)
    assert [one.provenance.suite_fingerprint for one in stored] == ["s0"]


def test_a_speed_that_fails_against_bf16_in_the_same_run_is_not_approved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[Measurement] = []
    old = with_provenance(speed([100.0, 101.0, 99.0]), device_class=H200)
    new = with_provenance(speed([100.0, 101.0, 99.0], [-2.0, -2.1, -1.9]), device_class=H200)
    with pytest.raises(pytest.fail.Exception, match=r"^fail: .* is not approved$"):
        approving(tmp_path, old, stored, monkeypatch, {H200: 0.5})(new)
    assert stored == []
