"""Records against records, wherever they come from: read, paired by suite, judged with Holm over the suites of each checkpoint."""

from pathlib import Path

import msgspec

from quantgate.errors import ConfigurationError, MeasurementError
from quantgate.judgement.answers import judge_answers, judge_answers_unpaired
from quantgate.judgement.rule import ALONE, Others, error
from quantgate.judgement.speed import judge_decode_tps
from quantgate.judgement.text import judge_text
from quantgate.judgement.wellformed import malformed
from quantgate.records import Answers, Measurement, TextLoss, Throughput, Verdict, read_measurement
from quantgate.registry import Registry, Tolerance, refuse_senseless

VERDICT = ".verdict.json"


DEFAULT = Tolerance(accuracy_points=2.0, perplexity_ratio=1.05, decode_tps_ratio=0.95)
"""Where neither the caller nor models.toml says anything; the divergence is a gate only where somebody says so."""


def compare(
    baseline: Path, candidate: Path, stated: Tolerance, registry: Registry | None = None, *, unpaired: bool = False
) -> list[Verdict]:
    """One verdict for each suite of the candidate, Holm-corrected over the suites of its checkpoint.

    Two files, or two folders whose records pair by suite; tolerances as `stated`, then from models.toml, then the default. Raises
    ConfigurationError where there is nothing to compare or a tolerance is none, MeasurementError where a file is no record.
    """
    pairs = _pairs(baseline, candidate)
    limits = [_filled(stated, _from_models(registry, now)) for _, now in pairs]
    alone = [judge_pair(*pair, limit, unpaired=unpaired) for pair, limit in zip(pairs, limits, strict=True)]
    verdicts = []
    for place, pair in enumerate(pairs):
        mine = [number for number, (_, now) in enumerate(pairs) if (now.family, now.checkpoint) == (pair[1].family, pair[1].checkpoint)]
        p_values = [alone[number].p_value_alone for number in mine if number != place]
        others = Others(len(mine), [p_value for p_value in p_values if p_value is not None])
        verdicts.append(judge_pair(*pair, limits[place], others, unpaired=unpaired))
    return verdicts + [error(read_measurement(file), "", f"{baseline} has no record of this suite") for file in _new(baseline, candidate)]


def _new(baseline: Path, candidate: Path) -> list[Path]:
    """Records of the candidate that the baseline's folder lacks."""
    if not (baseline.is_dir() and candidate.is_dir()):
        return []
    before, now = _records(baseline), _records(candidate)
    return [now[name] for name in sorted(now.keys() - before.keys())]


def judge_pair(base: Measurement, now: Measurement, stated: Tolerance, others: Others = ALONE, *, unpaired: bool = False) -> Verdict:
    """The verdict on `now` against `base`; what `stated` leaves open is the default."""
    limits = _filled(stated, Tolerance())
    refuse_senseless(limits, "tolerance")
    assert limits.perplexity_ratio is not None
    assert limits.accuracy_points is not None
    assert limits.decode_tps_ratio is not None
    if isinstance(now, TextLoss) and isinstance(base, TextLoss):
        return judge_text(now, base, perplexity_ratio=limits.perplexity_ratio, kl_nats=limits.kl_nats, others=others)
    if isinstance(now, Answers) and isinstance(base, Answers):
        judge = judge_answers_unpaired if unpaired else judge_answers
        return judge(now, base, accuracy_points=limits.accuracy_points, others=others)
    if isinstance(now, Throughput) and isinstance(base, Throughput):
        judged = judge_decode_tps(now, base, decode_tps_ratio=limits.decode_tps_ratio, others=others)
        if now.provenance.device_class != "cpu" or judged.verdict == "error":
            return judged
        unjudged = "on a CPU absolute speed is not judged: two runs of one checkpoint differ by more than its tolerance"
        return msgspec.structs.replace(judged, verdict="inconclusive", reason=unjudged, p_value_alone=None)
    return error(now, "", f"the baseline holds a {type(base).__name__}, not a {type(now).__name__}")


def _filled(stated: Tolerance, other: Tolerance) -> Tolerance:
    """What is stated, filled up from `other`, then from the defaults."""
    found = DEFAULT
    for one in (other, stated):
        said = {name: getattr(one, name) for name in Tolerance.__struct_fields__ if getattr(one, name) not in (None, {})}
        found = msgspec.structs.replace(found, **said)
    return found


def _from_models(registry: Registry | None, now: Measurement) -> Tolerance:
    if registry is None:
        return Tolerance()
    family = next((one for one in registry.family if one.name == now.family), None)
    if family is None:
        return registry.tolerance.get(now.precision, Tolerance())
    return registry.tolerance_for(family, now.precision)


def _pairs(baseline: Path, candidate: Path) -> list[tuple[Measurement, Measurement]]:
    for path in (baseline, candidate):
        if not path.exists():
            raise ConfigurationError(f"{path} does not exist; give two records, or two folders of them")
    if baseline.is_file() and candidate.is_file():
        return [(read_record(baseline), read_record(candidate))]
    if baseline.is_file() or candidate.is_file():
        raise ConfigurationError(f"{baseline} and {candidate}: one is a file and one a folder; give two of a kind")
    before, now = _records(baseline), _records(candidate)
    shared = sorted(before.keys() & now.keys())
    if not shared:
        raise ConfigurationError(f"{baseline} and {candidate} share no record: {len(before)} and {len(now)} files, no name on both sides")
    if missing := ", ".join(str(name) for name in sorted(before.keys() - now.keys())):
        raise ConfigurationError(f"{candidate} lacks {missing}, which {baseline} has; measure it, or compare single files")
    return [(read_record(before[name]), read_record(now[name])) for name in shared]


def read_record(file: Path) -> Measurement:
    """The measurement in a file. Raises MeasurementError where it is none, or one that no run can have produced."""
    found = read_measurement(file)
    if (wrong := malformed(found)) is not None:
        raise MeasurementError(f"{file} was not written by a measurement: {wrong}")
    return found


def _records(folder: Path) -> dict[Path, Path]:
    return {path.relative_to(folder): path for path in folder.rglob("*.json") if path.is_file() and not path.name.endswith(VERDICT)}
