"""The whole of it on Ray: units → works → a driver on a cluster → what comes back, merged: records, page, one exit code."""

import datetime
import hashlib
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

import msgspec

from quantgate import __version__, folders, registry
from quantgate.baselines import open_baselines
from quantgate.errors import ConfigurationError, QuantgateError, StoreAwayError
from quantgate.fan_out import asked as options
from quantgate.fan_out.asked import Asked
from quantgate.fan_out.display import display
from quantgate.fan_out.driving import Driver
from quantgate.fan_out.engine import Engine, Place
from quantgate.fan_out.keeping import UNITS, Keeping, sign, tail_of
from quantgate.fan_out.wire import RECORDS, Job, News
from quantgate.fan_out.work import NO_TESTS, Course, Work
from quantgate.history import files, read
from quantgate.matrix import Unit, units
from quantgate.merging import Merged, merge, told
from quantgate.nightly import interruptible
from quantgate.records import Shard
from quantgate.registry import Family, Registry
from quantgate.suites import Catalogue, LoadSuite, catalogue

GOOD, FAILED, COULD_NOT = 0, 1, 2
REPORT = "report"
RESERVE_SECONDS = 120.0
"""Of --hours: for stopping what runs then, and for the page."""


class Plan(msgspec.Struct, frozen=True):
    """What was selected, before a cluster is asked for it."""

    registry: Registry
    families: list[Family]
    known: Catalogue
    units: list[Unit]


class Fanned(msgspec.Struct, kw_only=True):
    """`courses`: by unit; `merged`: by device class, "" where there is one; `unfinished`: a sentence for each unit that has no end."""

    into: str
    courses: dict[str, Course] = {}
    merged: dict[str, Merged] = {}
    unfinished: list[str] = []
    was_interrupted: bool = False
    exit_code: int = COULD_NOT


def plan(asked: Asked) -> Plan:
    """Raises ConfigurationError for what there is not."""
    loaded = registry.load(asked.models)
    known = catalogue(loaded.suite, asked.models)
    families = loaded.select(asked.families)
    if asked.suites is not None:
        names = list(dict.fromkeys(name.strip() for name in asked.suites.split(",")))
        if unknown := [name for name in names if name not in known]:
            raise ConfigurationError(f"--suites={unknown[0]}: there is no such suite; there are {', '.join(known)}")
        families = [msgspec.structs.replace(family, suites=names) for family in families]
    chosen = [family.name for family in families]
    lines = [line for folder in options.folders(asked.baselines) for file in files(folder, chosen) for line in read(file).lines]
    found = units(loaded, families, known, lines, asked.tp, here=True)
    if not found:
        raise ConfigurationError(f"--family={asked.families or 'default'}: no suite can be asked of these families; see `quantgate plan`")
    return Plan(loaded, families, known, found)


def fan_out(asked: Asked, engine_of: Callable[[], Engine], stream: TextIO) -> Fanned:
    """Do all of it. Raises ConfigurationError for what cannot be asked, or has no place in this cluster, before anything runs."""
    if asked.hours is not None and not asked.hours > 0:
        raise ConfigurationError(f"--hours={asked.hours:g}: give hours, more than 0")
    what = plan(asked)
    folders.writable(asked.into, "-o")
    engine = engine_of()
    try:
        if asked.again:
            for old in (UNITS, *((RECORDS,) if not asked.classes else asked.classes)):
                shutil.rmtree(asked.into / old, ignore_errors=True)
        own = options.folders(asked.baselines)
        names = [family.name for family in what.families]
        keeping = Keeping(asked.into, own, names, own[0] if asked.updates and own else None)
        works = _works(asked, what, engine.places(), keeping)
        return _drive(asked, what, works, engine, keeping, stream)
    finally:
        engine.close()


def _works(asked: Asked, what: Plan, places: Sequence[Place], keeping: Keeping) -> list[Work]:
    on_gpus = _on_gpus(asked, places)
    smallest = min((place.resources.get("CPU", 1.0) for place in places if place.resources.get("CPU")), default=1.0)
    found, where = [], where_approved(asked, keeping)
    for group in asked.classes or [""]:
        names = {(unit.family, unit.checkpoint): "/".join(filter(None, (group, unit.family, unit.checkpoint))) for unit in what.units}
        for unit in what.units:
            first = next((one for one in what.units if one.is_reference and one.family == unit.family), None)
            waits = first is not None and first != unit and (asked.updates or bool(_unapproved(what, first, where)))
            found.append(
                Work(
                    name=names[unit.family, unit.checkpoint],
                    family=unit.family,
                    checkpoint=unit.checkpoint,
                    suites=unit.suites,
                    seconds=unit.cost.total,
                    need=options.need_of(asked, unit.devices, group, on_gpus, smallest),
                    folder=asked.into / UNITS / group / f"{unit.family}--{unit.checkpoint}",
                    after=names[first.family, first.checkpoint] if waits and first is not None else None,
                    group=group,
                )
            )
    for work in found:
        if not any(place.fits(work.need) for place in places):
            there = "; ".join(sorted({_described(place) for place in places})) or "no node"
            raise ConfigurationError(
                f"{work.name} needs {work.need} on one node, and no node of this cluster has that ({there}); nothing was run"
            )
    return found


def _on_gpus(asked: Asked, places: Sequence[Place]) -> bool:
    if asked.gpu not in ("auto", "cpu"):
        raise ConfigurationError(f"--gpu={asked.gpu}: on a cluster it is Ray that chooses devices; give auto or cpu")
    return asked.gpu == "auto" and any(place.resources.get("GPU") for place in places)


def _described(place: Place) -> str:
    own = {
        name: amount
        for name, amount in sorted(place.resources.items())
        if not name.startswith(("node:", "object_store", "memory", "accel"))
    }
    return f"{place.name.split()[0]}: {', '.join(f'{amount:g} {name}' for name, amount in own.items()) or 'nothing'}"


def where_approved(asked: Asked, keeping: Keeping) -> str:
    """What units are judged by: the copy of the project's folders, then its stores."""
    return ",".join([str(keeping.baselines), *options.stores(asked.baselines)])


def _unapproved(what: Plan, first: Unit, where: str) -> list[str]:
    """The suites for which BF16 has no baseline of any device class, and without which no candidate can be judged. Of a store that is away
    nobody can tell, and what it may have is measured."""
    approved = open_baselines(where)
    asked = [name for name in first.suites if what.known[name][0] is not LoadSuite]

    def is_there(name: str) -> bool:
        try:
            return any(approved.load(one, first.family, first.checkpoint, name) is not None for one in approved.device_classes())
        except StoreAwayError:
            return False

    return [name for name in asked if not is_there(name)]


def _drive(asked: Asked, what: Plan, works: list[Work], engine: Engine, keeping: Keeping, stream: TextIO) -> Fanned:
    on_gpus = bool(works[0].need.gpus)
    by_name = {(unit.family, unit.checkpoint): unit for unit in what.units}
    driver: Driver | None = None

    def job_of(work: Work, seconds: float | None) -> Job:
        unit = by_name[work.family, work.checkpoint]
        command = options.command_of(asked, work.family, work.checkpoint, on_gpus)
        missing = [] if asked.updates or not unit.is_reference else _unapproved(what, unit, where_approved(asked, keeping))
        first = (
            [options.command_of(asked, work.family, work.checkpoint, on_gpus, [f"--suites={','.join(missing)}", options.UPDATE])]
            if missing
            else []
        )
        project = None if options.is_shipped(asked) else str(asked.project)
        return Job(commands=[*first, command], project=project, seconds=seconds, pieces=keeping.pieces(work))

    def ready(work: Work) -> str | None:
        first = next(unit for unit in what.units if unit.is_reference and unit.family == work.family)
        missing = _unapproved(what, first, where_approved(asked, keeping))
        return f"{work.after} gave no baseline of {', '.join(missing)}" if missing else None

    def take(course: Course, news: News) -> None:
        for line in keeping.take(course, news):
            shown.say(line)

    seconds = None if asked.hours is None else max(1.0, 3600 * asked.hours - RESERVE_SECONDS)
    shown = display(lambda: driver.courses if driver is not None else {}, stream)
    driver = Driver(engine, works, job_of, take, ready=ready, show=shown.show, seconds=seconds)
    fanned = Fanned(into=str(asked.into), courses=driver.courses)
    started = _now()
    with shown, interruptible():
        try:
            driver.run()
        except KeyboardInterrupt:
            fanned.was_interrupted = True
    _merge(asked, fanned, keeping, started, shown.say)
    return fanned


def _merge(asked: Asked, fanned: Fanned, keeping: Keeping, started: str, say: Callable[[str], None]) -> None:
    for group in asked.classes or [""]:
        courses = [one for one in fanned.courses.values() if one.work.group == group]
        for one in courses:
            if one.state != "ended":
                fanned.unfinished.append(f"{one.work.name} has no end: {one.why or one.state}")
            elif one.codes and one.codes[-1] not in (0, 1, NO_TESTS):
                fanned.unfinished.append(f"{one.work.name}: pytest ended with exit code {one.codes[-1]}: {tail_of(one.work)}")
        if courses and all(one.selected_nothing for one in courses):
            fanned.unfinished.append(f"no test of any unit was selected; look at what stands behind --: {' '.join(asked.more)}")
        courses = [one for one in courses if not one.selected_nothing]
        sign(courses, _like(asked, started))
        parts = [one.work.folder / RECORDS for one in courses if (one.work.folder / RECORDS).is_dir()]
        if fanned.was_interrupted or not parts:
            continue
        into = asked.into / group if group else asked.into
        say(f"{len(parts)} of {len(courses)} units are merged into {into / RECORDS}")
        try:
            fanned.merged[group] = merge(
                parts,
                into / RECORDS,
                models=asked.models,
                baselines=where_approved(asked, keeping),
                report=into / REPORT,
                inconclusive=asked.inconclusive,
                partial=len(parts) < len(courses) or any(one.state != "ended" for one in courses),
            )
        except QuantgateError as error:
            fanned.unfinished.append(f"not merged: {error}")
    codes = [one.exit_code for one in fanned.merged.values()]
    bad = fanned.was_interrupted or fanned.unfinished or len(codes) < len(asked.classes or [""]) or COULD_NOT in codes
    fanned.exit_code = FAILED if FAILED in codes else COULD_NOT if bad else GOOD


def _like(asked: Asked, started: str) -> Shard:
    return Shard(
        index=1,
        count=1,
        matrix=[],
        mine=[],
        cut=[[]],
        models_sha256=hashlib.sha256(asked.models.read_bytes()).hexdigest(),
        device_class="",
        inconclusive=asked.inconclusive,
        must_run=asked.must_run,
        host=socket.gethostname(),
        started=started,
        ended=_now(),
        quantgate=__version__,
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def lines_of(fanned: Fanned) -> list[str]:
    """What became of it, the worst last."""
    lines = []
    for group, merged in fanned.merged.items():
        lines += [f"{group}: {line}" if group else line for line in told(merged)]
    counts: Mapping[str, int] = {
        state: sum(one.state == state for one in fanned.courses.values()) for state in ("ended", "stopped", "lost", "left")
    }
    lines += fanned.unfinished
    lines.append(", ".join(f"{count} units {state}" for state, count in counts.items() if count))
    if fanned.was_interrupted:
        lines.append(f"interrupted: what was measured is kept in {fanned.into}; the same command goes on from there")
    return lines
