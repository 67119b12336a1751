"""Records against records, wherever they come from: read, paired by suite, judged with Holm over the suites of each checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from quantgate.errors import ConfigurationError, MeasurementError
from quantgate.judgement.rule import Bearing, Bears, Evidence, Others, decide, error
from quantgate.judgement.tolerances import filled
from quantgate.judgement.weigh import weigh, weigh_beside
from quantgate.judgement.wellformed import malformed
from quantgate.records import HARNESS, VERDICT, Answers, Measurement, Throughput, Verdict, read_measurement
from quantgate.registry import Registry, Tolerance, refuse_senseless


class Compared(NamedTuple):
    """Two records of one suite; `note`: what their line has to say of where they come from."""

    baseline: Measurement
    candidate: Measurement
    note: str | None = None


def compare(
    baseline: Path, candidate: Path, stated: Tolerance, registry: Registry | None = None, *, unpaired: bool = False
) -> list[Verdict]:
    """One verdict for each suite of the candidate, Holm-corrected over the suites of its checkpoint; behind it what is asked besides.

    Two files, or two folders whose records pair by suite; tolerances as `stated`, then from models.toml, then, where that has
    no such family, the default, which the line says. Each pair is weighed once. Raises ConfigurationError where there is nothing to
    compare or a tolerance is missing or none, MeasurementError where a file is no record.
    """
    verdicts = judge_pairs([Compared(base, now) for base, now in _pairs(baseline, candidate)], stated, registry, unpaired=unpaired)
    return verdicts + [error(read_measurement(file), "", f"{baseline} has no record of this suite") for file in _new(baseline, candidate)]


def judge_pairs(pairs: Sequence[Compared], stated: Tolerance, registry: Registry | None = None, *, unpaired: bool = False) -> list[Verdict]:
    """As `compare`, of records at hand. Raises MeasurementError for a record that no run can have produced, ConfigurationError as there."""
    weighed = []
    for base, now, said in pairs:
        for record in (base, now):
            if (wrong := malformed(record)) is not None:
                raise MeasurementError(f"{record.checkpoint}'s {record.suite} was not written by a measurement: {wrong}")
        limits, note = _limits(stated, registry, base, now)
        beside = None if unpaired or not _tells_length(base, now) else weigh_beside(now, base, limits, own=_is_own(base, now))
        weighed.append((_weigh(base, now, limits, [said, note], unpaired=unpaired), beside))
    verdicts = []
    for place, (evidence, beside) in enumerate(weighed):
        found = [one for other, (one, _) in enumerate(weighed) if other != place and _whose(one) == _whose(evidence) and not one.is_idle]
        suites = len(found) + 1
        verdicts.append(decide(evidence, Others(suites, [one.estimate.p_value for one in found if one.estimate is not None])))
        if beside is not None:
            verdicts.append(decide(beside, Others(suites)))
    return verdicts


def _tells_length(*records: Measurement) -> bool:
    """Whether tokens were counted at all; other harnesses' files hardly do, and of these nothing is to be said."""
    return all(not isinstance(one, Answers) or any(item.completion_tokens for item in one.items) for one in records)


def _is_own(base: Measurement, now: Measurement) -> bool:
    """Whether it is one checkpoint at two times, and no baseline of BF16's for another: what should not have changed at all."""
    return (base.family, base.checkpoint) == (now.family, now.checkpoint)


def _whose(evidence: Evidence) -> tuple[str, str]:
    return evidence.measured.family, evidence.measured.checkpoint


def _limits(stated: Tolerance, registry: Registry | None, base: Measurement, now: Measurement) -> tuple[Tolerance, str | None]:
    limits, note = filled(stated, registry, now, own=_is_own(base, now))
    refuse_senseless(limits, "tolerance")
    return limits, note


def _weigh(base: Measurement, now: Measurement, limits: Tolerance, said: Sequence[str | None], *, unpaired: bool) -> Evidence:
    found = weigh(now, base, limits, own=_is_own(base, now), unpaired=unpaired)
    same = "both sides are one and the same record" if now == base else None
    found = msgspec.structs.replace(found, notes=[*said, same, *found.notes])
    if isinstance(now, Throughput) and now.provenance.device_class == "cpu" and found.estimate is not None:
        unjudged = "on a CPU absolute speed is not judged: two runs of one checkpoint differ by more than its tolerance"
        return msgspec.structs.replace(found, bearings=[Bearing(Bears.DECIDES_NOTHING, unjudged)])
    return found


def _new(baseline: Path, candidate: Path) -> list[Path]:
    """Records of the candidate that the baseline's folder lacks."""
    if not (baseline.is_dir() and candidate.is_dir()):
        return []
    before, now = _records(baseline), _records(candidate)
    return [now[name] for name in sorted(now.keys() - before.keys())]


def judge_pair(base: Measurement, now: Measurement, stated: Tolerance, *, unpaired: bool = False, note: str | None = None) -> Verdict:
    """The verdict on `now` against `base`, alone; what `stated` leaves open is the default, and `note` is said in its line."""
    limits, unstated = _limits(stated, None, base, now)
    return decide(_weigh(base, now, limits, [note, unstated], unpaired=unpaired))


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
    """Without verdicts, and without what other harnesses wrote while they made a record."""
    found = {path.relative_to(folder): path for path in folder.rglob("*.json") if path.is_file() and not path.name.endswith(VERDICT)}
    return {name: path for name, path in found.items() if not any(part.endswith(HARNESS) for part in name.parts)}
