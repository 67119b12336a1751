"""Many folders of records -> one: read, refused or chosen, judged again, written whole, told."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from quantgate import __version__, registry
from quantgate.baselines import open_baselines
from quantgate.errors import ConfigurationError, MeasurementError, QuantgateError
from quantgate.history import FILE, Line, append
from quantgate.judgement import sentence
from quantgate.merging import refusals, tree
from quantgate.merging.choosing import Chosen, candidates, choose, matrix_of
from quantgate.merging.judging import Bench, Judged, is_idle, judge_all, open_approved
from quantgate.merging.lines import lines_of
from quantgate.merging.outcomes import Settled, fails, holes, settle
from quantgate.merging.parts import Found, Key, Part, entry_of, read_parts, records_in, said
from quantgate.records import OUTCOMES, Shard, Verdict, decode, encode, verdict_file, write_outcomes, write_shard
from quantgate.suites import catalogue

GOOD, FAILED, COULD_NOT = 0, 1, 2
STRICTEST = ("fail", "warn", "pass")
MOST_TOLD = 20
BASELINES = "baselines"


class Merged(msgspec.Struct, kw_only=True):
    """`verdicts`: how many of each word; `failed`, `inconclusive`: a sentence each; `unjudged`: what could not be judged, or is not
    there; `changed`: verdicts that another word was written of in their shard; `notes`: what changes no exit code; `lines`: how many the
    merged history has, `histories`: the files of --history that got any; `exit_code`: 0 good, 1 something fails, 2 something could not
    be judged, or nothing was."""

    into: str
    folders: list[str]
    records: int
    outcomes: int
    verdicts: dict[str, int]
    failed: list[str]
    inconclusive: list[str]
    unjudged: list[str]
    changed: list[str]
    notes: list[str]
    lines: int = 0
    histories: list[str] = []
    report: str | None = None
    exit_code: int = COULD_NOT


def merge(
    folders: Sequence[Path],
    into: Path,
    *,
    models: Path = Path("models.toml"),
    baselines: str = BASELINES,
    history: Path | None = None,
    report: Path | None = None,
    inconclusive: str | None = None,
    partial: bool = False,
) -> Merged:
    """Write `into`, whole or not at all; with `partial` also where shards are missing, which are told then.

    `inconclusive`: pytest's, None for what the shards were run with. Raises ConfigurationError or RecordError for what is refused, a line
    for each reason; nothing has been written then.
    """
    known = registry.load(models)
    _refuse(refusals.of_places(folders, into))
    parts = read_parts(folders)
    found = candidates(parts)
    chosen = choose(parts, found)
    missing = list(refusals.missing(parts))
    wrong = [*refusals.of_shards(parts), *_of_models(parts, models), *([] if partial else missing)]
    wrong += [*refusals.of_records(found), *refusals.of_speeds(list(chosen.all.values()))]
    _refuse(wrong)
    strict = inconclusive or _strictest(parts)
    with tree.beside(into) as place:
        _refuse(refusals.of_output(records_in(into, []), chosen.all, into))
        bench = Bench(
            known,
            catalogue(known.suite, models),
            open_approved(baselines),
            models,
            () if baselines == BASELINES else (f"--baselines={baselines}",),
        )
        judged = judge_all(chosen.asked, matrix_of(parts), bench)
        records = {key: one for key, one in chosen.all.items() if key not in judged or judged[key].is_usable}
        settled = settle(parts, judged, records, strict)
        merged = _told(into, parts, chosen, judged, settled, strict)
        merged.unjudged += [*missing, *(line for part in parts for line in part.unreadable)]
        merged.unjudged += holes(parts, records, settled.outcomes, lambda key: is_idle(key, bench))
        place.mkdir(mode=0o700)
        tree.fill(place, parts, records)
        for verdict, is_drift, _ in (entry for one in judged.values() for entry in one.verdicts):
            verdict_file(place, verdict, drift=is_drift).write_bytes(encode(verdict))
        lines = lines_of(place, parts, records, judged, settled.outcomes, known)
        (place / FILE).write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        write_outcomes(place / OUTCOMES, settled.outcomes)
        merged.lines, merged.exit_code = len(lines), _exit_code(merged)
        write_shard(place, _shard(parts, strict, _sha256(models), merged.exit_code))
        tree.move(place, into)
    _add(merged, lines, history)
    if report is not None:
        _report(merged, into, report, models, baselines)
    merged.exit_code = _exit_code(merged)
    return merged


def _refuse(reasons: Iterable[str]) -> None:
    if sentences := list(reasons):
        more = [f"and {len(sentences) - MOST_TOLD} more"] if len(sentences) > MOST_TOLD else []
        raise ConfigurationError("\n".join([*sentences[:MOST_TOLD], *more]))


def _sha256(models: Path) -> str:
    return hashlib.sha256(models.read_bytes()).hexdigest()


def _of_models(parts: Sequence[Part], models: Path) -> list[str]:
    """The tolerances of another models.toml are none that anybody was told of."""
    here = _sha256(models)
    if len({part.shard.models_sha256 for part in parts if part.shard is not None}) > 1:
        return []  # which is refused by itself
    other = next((part for part in parts if part.shard is not None and part.shard.models_sha256 not in ("", here)), None)
    if other is None or other.shard is None:
        return []
    two = f"{other.name} was run with another models.toml ({other.shard.models_sha256[:12]}) than {models} ({here[:12]})"
    return [f"{two}: give the one that it was run with (--models)"]


def _strictest(parts: Sequence[Part]) -> str:
    asked = {part.shard.inconclusive for part in parts if part.shard is not None}
    return next((word for word in STRICTEST if word in asked), "warn")


def _told(into: Path, parts: Sequence[Part], chosen: Chosen, judged: dict[Key, Judged], settled: Settled, inconclusive: str) -> Merged:
    verdicts = [verdict for _, one in sorted(judged.items()) for verdict, _, _ in one.verdicts]
    failing = [one for one in verdicts if one.verdict != "error" and fails(one, inconclusive)]
    notes = _not_compared([why for _, one in sorted(judged.items()) for why in one.not_compared])
    if settled.skipped:
        notes.append(f"{settled.skipped} tests were skipped")
    if len({part.shard.inconclusive for part in parts if part.shard is not None}) > 1:
        notes.append(f"the parts were run with different --inconclusive: {inconclusive} is taken; say which with --inconclusive")
    return Merged(
        into=str(into),
        folders=[part.name for part in parts],
        records=sum(one.is_usable for one in judged.values()) + len(chosen.beside),
        outcomes=len(settled.outcomes),
        verdicts=dict(sorted(Counter(one.verdict for one in verdicts).items())),
        failed=[*map(sentence, failing), *settled.failed],
        inconclusive=[sentence(one) for one in verdicts if one.verdict == "inconclusive" and one not in failing],
        unjudged=[*(sentence(one) for one in verdicts if one.verdict == "error"), *(one.why_not for one in judged.values() if one.why_not)],
        changed=[line for key, one in sorted(judged.items()) for line in _changed(one, chosen.asked[key], parts)],
        notes=[*notes, *chosen.left],
    )


def _not_compared(reasons: Sequence[str]) -> list[str]:
    """One line: of a large matrix there are hundreds."""
    more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return [f"not compared: {reasons[0]}{more}"] if reasons else []


def _changed(judged: Judged, record: Found, parts: Sequence[Part]) -> list[str]:
    """A line for each verdict of which the part that the record is from has another."""
    part, found = next(part for part in parts if part.folder == record.folder), []
    for verdict, is_drift, suites in judged.verdicts:
        file = verdict_file(part.folder, verdict, drift=is_drift)
        try:
            old = decode(file.read_bytes(), Verdict, str(file))
        except (MeasurementError, OSError):
            continue
        if old.verdict != verdict.verdict:
            aspect = f" {verdict.aspect}" if verdict.aspect else ""
            what = f"{said(judged.key)}{aspect}{' since its approval' if is_drift else ''}"
            by_holm = old.p_value_alone == verdict.p_value_alone and old.p_value != verdict.p_value and verdict.p_value is not None
            why = f"with all {suites} suites p = {verdict.p_value:.2g}" if by_holm else verdict.reason
            found.append(f"{what} was {old.verdict} in {part.name}, is {verdict.verdict}: {why}")
    return found


def _shard(parts: Sequence[Part], inconclusive: str, models_sha256: str, exit_code: int) -> Shard:
    """1 of 1, with what went in."""
    shards = [part.shard for part in parts if part.shard is not None]
    matrix = sorted(entry_of(key) for key in matrix_of(parts))
    classes = {one.device_class for one in shards} or {record.device_class for part in parts for record in part.records.values()}
    started = [one.started for one in shards] or [record.started for part in parts for record in part.records.values()]
    return Shard(
        index=1,
        count=1,
        matrix=matrix,
        mine=matrix,
        cut=[sorted({key[0] for key in matrix_of(parts)})],
        models_sha256=models_sha256,
        device_class=", ".join(sorted({name for one in classes for name in one.split(", ")})),
        inconclusive=inconclusive,
        must_run=any(one.must_run for one in shards),
        host=", ".join(sorted({name for one in shards for name in one.host.split(", ")})),
        started=min(started, default=""),
        ended=max([one.ended for one in shards if one.ended is not None] or started, default=""),
        exit_code=GOOD if exit_code == GOOD else FAILED,
        quantgate=__version__,
        merged_from=sorted({name for part in parts for name in (part.shard.merged_from if part.shard else ()) or [part.name]}),
    )


def _add(merged: Merged, lines: Sequence[Line], history: Path | None) -> None:
    if history is None:
        return
    try:
        merged.histories = [str(file) for file in append(history, lines, once=True)]
    except OSError as error:
        merged.unjudged.append(f"the history in {history} cannot be written: {error.strerror}; the lines are in {merged.into}/{FILE}")


def _report(merged: Merged, into: Path, report: Path, models: Path, baselines: str) -> None:
    from quantgate.report import write_report

    try:
        _, written = write_report(into, report, baselines=baselines if open_baselines(baselines).are_there else None, models=models)
    except QuantgateError as error:
        merged.unjudged.append(f"no report: {error}")
    else:
        merged.report = str(written[0])


def _exit_code(merged: Merged) -> int:
    if merged.failed:
        return FAILED
    return COULD_NOT if merged.unjudged or not merged.verdicts else GOOD
