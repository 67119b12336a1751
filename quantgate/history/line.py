"""One line of the history: what one checkpoint did on one suite in one night, or why it did not."""

import hashlib
import platform
from pathlib import Path
from typing import Literal

import msgspec

from quantgate.errors import MeasurementError
from quantgate.records import NOT_RECORDED, VERDICT, Answers, Measurement, TextLoss, Verdict, decode

BROKEN = ("error", "interrupted")
"""Nights of which nothing can be told: they stay in the history, and out of every statistic."""
Word = Literal["pass", "fail", "inconclusive", "not compared", "error", "interrupted"]
Kind = Literal["text_loss", "answers", "throughput"]


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """Of what the figure was computed with."""

    vllm: str
    torch: str
    transformers: str
    driver: str | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is the perplexity, accuracy (0 to 1) or decode tokens/s itself; `estimate`, `interval` (95 %) and `tolerance` are the
    verdict's, in its `unit`, positive is worse. `since_approval`: the verdict on what moved since the checkpoint's own approval, by the
    suite's own rule; None where it has none. `seconds`: of the suite; `boot_seconds`: what a checkpoint took beside its suites, boot
    and all. `run`: which night. What nobody knows of a broken night is None.
    """

    at: str
    run: str
    device_class: str
    family: str
    checkpoint: str
    precision: str
    suite: str
    kind: Kind | None
    value: float | None
    estimate: float | None
    unit: str
    interval: tuple[float, float] | None
    n: int
    verdict: Word
    reason: str
    since_approval: Word | None = None
    tolerance: float | None = None
    seconds: float | None = None
    boot_seconds: float | None = None
    versions: Versions | None = None
    kernels: list[str] = []
    numerics: str = NOT_RECORDED
    device: str = ""
    host: str = ""
    checkpoint_fingerprint: str | None = None
    suite_fingerprint: str | None = None
    record_sha256: str | None = None

    @property
    def is_broken(self) -> bool:
        return self.verdict in BROKEN or self.value is None

    @property
    def name(self) -> str:
        return f"{self.family}/{self.checkpoint} {self.suite}"


def line_of(record: Path, run: str, *, boot_seconds: float | None = None, failed: str | None = None) -> Line:
    """The line of a record, with what its verdicts beside it say; `failed`: why the test failed, where no verdict was written.

    Raises MeasurementError where the file is no record.
    """
    content = record.read_bytes()
    measured: Measurement = decode(content, Measurement, str(record))  # type: ignore[arg-type]  # a union is no type to mypy
    made, judged, drift = measured.provenance, _verdict(record, ""), _verdict(record, ".drift")
    since = drift if drift is not None else judged if judged is not None and judged.against == "own" else None
    return Line(
        at=made.started,
        run=run,
        device_class=made.device_class,
        family=measured.family,
        checkpoint=measured.checkpoint,
        precision=measured.precision,
        suite=measured.suite,
        kind="text_loss" if isinstance(measured, TextLoss) else "answers" if isinstance(measured, Answers) else "throughput",
        value=measured.figure,
        estimate=judged.drop if judged is not None else None,
        unit=judged.unit if judged is not None else "",
        interval=judged.interval if judged is not None else None,
        n=judged.n if judged is not None else 0,
        verdict=judged.verdict if judged is not None else "error" if failed is not None else "not compared",
        reason=judged.reason if judged is not None else failed or "",
        since_approval=since.verdict if since is not None else None,
        tolerance=judged.tolerance if judged is not None else None,
        seconds=made.seconds,
        boot_seconds=boot_seconds,
        versions=Versions(vllm=made.vllm, torch=made.torch, transformers=made.transformers, driver=made.driver),
        kernels=made.kernels,
        numerics=made.numerics,
        device=made.device_name,
        host=platform.node(),
        checkpoint_fingerprint=made.checkpoint_fingerprint,
        suite_fingerprint=made.suite_fingerprint,
        record_sha256=hashlib.sha256(content).hexdigest(),
    )


def line_without_a_record(
    where: tuple[str, str, str, str], precision: str, *, at: str, run: str, verdict: Literal["error", "interrupted"], reason: str
) -> Line:
    """Of a night that gave no record; `where`: device class, family, checkpoint, suite."""
    device_class, family, checkpoint, suite = where
    return Line(
        at=at,
        run=run,
        device_class=device_class,
        family=family,
        checkpoint=checkpoint,
        precision=precision,
        suite=suite,
        kind=None,
        value=None,
        estimate=None,
        unit="",
        interval=None,
        n=0,
        verdict=verdict,
        reason=reason,
        host=platform.node(),
    )


def _verdict(record: Path, ending: str) -> Verdict | None:
    file = record.with_name(f"{record.name.removesuffix('.json')}{ending}{VERDICT}")
    try:
        return decode(file.read_bytes(), Verdict, str(file))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MeasurementError(f"{file} cannot be read: {error.strerror}") from error
