"""quantgate for a notebook: read a record, compare two, inspect a checkpoint; and the types of what comes back."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from quantgate.errors import QuantgateError
from quantgate.judgement import judge_pair, sentence
from quantgate.judgement import read_record as read_sound_record
from quantgate.records import Answer, Answers, DocumentLoss, Measurement, Provenance, TextLoss, Throughput, Verdict
from quantgate.registry import Tolerance

if TYPE_CHECKING:
    from quantgate.checkpoint import Finding, Report

__all__ = [
    "Answer",
    "Answers",
    "DocumentLoss",
    "Finding",
    "Measurement",
    "Provenance",
    "QuantgateError",
    "Report",
    "TextLoss",
    "Throughput",
    "Verdict",
    "compare",
    "inspect",
    "read_record",
    "sentence",
]


def read_record(path: str | PathLike[str]) -> Measurement:
    """The measurement that a record holds: TextLoss (nats, tokens), Answers (one item a question) or Throughput (tokens/s, ms).

    `path`: a `<suite>.json` as pytest's `--records` writes it. Raises MeasurementError (a QuantgateError) for a file that is no
    record, OSError for one that cannot be read.
    """
    return read_sound_record(Path(path))


def compare(
    baseline: Measurement,
    candidate: Measurement,
    *,
    accuracy_points: float | None = None,
    perplexity_ratio: float | None = None,
    decode_tps_ratio: float | None = None,
    kl_nats: float | None = None,
    unpaired: bool = False,
) -> Verdict:
    """The verdict on `candidate` against `baseline`, alone: no correction for other suites.

    Tolerances: `accuracy_points` in percentage points (2.0 where it is None), `perplexity_ratio` as PPL_candidate / PPL_baseline
    (1.05), `decode_tps_ratio` as candidate / baseline (0.95), `kl_nats` a mean KL divergence in nats (not gated). `unpaired`
    compares accuracies alone, where the items are others. The verdict's `drop`, `interval`, `tolerance` and `mde` are in its
    `unit`; positive is worse. Raises ConfigurationError for a tolerance that is none.
    """
    stated = Tolerance(
        accuracy_points=accuracy_points, perplexity_ratio=perplexity_ratio, decode_tps_ratio=decode_tps_ratio, kl_nats=kl_nats
    )
    return judge_pair(baseline, candidate, stated, unpaired=unpaired)


def inspect(checkpoint: str | PathLike[str], *, against: str | PathLike[str] | None = None) -> "Report":
    """What a checkpoint's files alone tell: `verdict` ("pass" or "fail"), findings, a line for each kind of linear, sizes in bytes.

    `against`: its BF16 original; most damage is only seen with it (fidelity is signal-to-noise in dB). Both are folders. Raises
    ConfigurationError for what is no checkpoint.
    """
    from quantgate.checkpoint import inspect_checkpoint

    return inspect_checkpoint(Path(checkpoint), Path(against) if against is not None else None)


def __getattr__(name: str) -> object:
    """The types of an inspection, with numpy behind them, where they are asked for."""
    if name in ("Finding", "Report"):
        from quantgate import checkpoint

        return getattr(checkpoint, name)
    raise AttributeError(f"module 'quantgate.notebook' has no attribute {name!r}")
