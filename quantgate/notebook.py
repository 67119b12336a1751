"""quantgate for a notebook: read a record, compare two, inspect a checkpoint; and the types of what comes back."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from quantgate.errors import ConfigurationError, QuantgateError
from quantgate.judgement import judge_pair, sentence
from quantgate.judgement import read_record as read_sound_record
from quantgate.records import Answer, Answers, DocumentLoss, Measurement, Provenance, TextLoss, Throughput, Verdict
from quantgate.registry import Tolerance

if TYPE_CHECKING:
    from quantgate.checkpoint import Finding, Report
    from quantgate.measure.adopt import Choice

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


def read_record(
    path: str | PathLike[str],
    *,
    filter: str = "",  # noqa: A002 (as the option is called)
    metric: str = "",
    model: str = "",
    suite: str = "",
    columns: Mapping[str, str] | None = None,
    mean: Literal["question", "category"] = "question",
) -> Measurement:
    """The measurement that a file holds: TextLoss (nats, tokens), Answers (one item a question) or Throughput (tokens/s, ms).

    `path`: a `<suite>.json` as pytest's `--records` writes it, or the results of another harness (docs/adopt.md), a file or a folder
    with one suite, which are Answers; the rest chooses there what the options of `quantgate compare` choose (`columns`: field → column).
    Raises MeasurementError or ConfigurationError (a QuantgateError) for a file that is no record, or lacks what was chosen, OSError for
    one that cannot be read.
    """
    from quantgate.measure.adopt import is_foreign, only_record

    choice = _choice(filter, metric, model, suite, columns, mean)
    return only_record(Path(path), choice) if is_foreign(Path(path), choice) else read_sound_record(Path(path))


def compare(
    baseline: Measurement | str | PathLike[str],
    candidate: Measurement | str | PathLike[str],
    *,
    accuracy_points: float | None = None,
    perplexity_ratio: float | None = None,
    decode_tps_ratio: float | None = None,
    kl_nats: float | None = None,
    unanswered: float | None = None,
    unpaired: bool = False,
    common: bool = False,
    filter: str = "",  # noqa: A002 (as the option is called)
    metric: str = "",
    model: str = "",
    baseline_model: str | None = None,
    suite: str = "",
    columns: Mapping[str, str] | None = None,
    mean: Literal["question", "category"] = "question",
) -> Verdict:
    """The verdict on `candidate` against `baseline`, alone: no correction for other suites.

    Two measurements, or two paths: records, or one suite each in the results of another harness, whose items are paired by content
    (`common`: those that both have; the rest as in `read_record`, `model` the candidate's and, without `baseline_model`, the baseline's).

    Tolerances: `accuracy_points` in percentage points (2.0 where it is None), `perplexity_ratio` as PPL_candidate / PPL_baseline
    (1.05), `decode_tps_ratio` as candidate / baseline (0.95), `kl_nats` a mean KL divergence in nats (not gated), `unanswered` the share
    of answers that may be none (0.05). `unpaired` compares accuracies alone, where the items are others. The verdict's `drop`,
    `interval`, `tolerance` and `mde` are in its `unit`; positive is worse. Raises ConfigurationError for a tolerance that is none.
    """
    stated = Tolerance(
        accuracy_points=accuracy_points,
        perplexity_ratio=perplexity_ratio,
        decode_tps_ratio=decode_tps_ratio,
        kl_nats=kl_nats,
        unanswered=unanswered,
    )
    note = None
    if isinstance(baseline, str | PathLike) and isinstance(candidate, str | PathLike):
        choices = [
            _choice(filter, metric, name, suite, columns, mean) for name in (model if baseline_model is None else baseline_model, model)
        ]
        baseline, candidate, note = _read_both((Path(baseline), Path(candidate)), choices, common=common, paired=not unpaired)
    elif isinstance(baseline, str | PathLike) or isinstance(candidate, str | PathLike):
        raise ConfigurationError("one side is a path and one a measurement: give two of a kind, read_record(path) makes one of the other")
    return judge_pair(baseline, candidate, stated, unpaired=unpaired, note=note)


def _choice(
    filter_: str, metric: str, model: str, suite: str, columns: Mapping[str, str] | None, mean: Literal["question", "category"]
) -> "Choice":
    from quantgate.measure.adopt import Choice, columns_of

    pairs = columns_of(",".join(f"{field}={column}" for field, column in columns.items())) if columns else ()
    return Choice(filter=filter_, metric=metric, model=model, suite=suite, columns=pairs, mean=mean)


def _read_both(
    sides: tuple[Path, Path], choices: Sequence["Choice"], *, common: bool, paired: bool
) -> tuple[Measurement, Measurement, str | None]:
    from quantgate.measure.adopt import pairs

    found = pairs(sides, choices, common=common, paired=paired)
    if found is None:
        return read_sound_record(sides[0]), read_sound_record(sides[1]), None
    if len(found) > 1:
        suites = ", ".join(one.candidate.suite for one in found)
        raise ConfigurationError(f"{sides[1]} holds the suites {suites}: give single files, or suite= for all of them as one")
    return found[0]


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
