"""One night: structure, accuracy side by side over the slots, speed one at a time, the page; family by family, whatever fails.

registry → pytest's own list of tests → a plan that fits the deadline → a pytest for each phase and family → history, page, exit code.
The history is written here, and not by pytest: a run at somebody's desk is no night, and of a pytest that was killed only who started
it can tell. What each pytest measured is in the history before the next one begins.
"""

import datetime
import math
import secrets
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from quantgate import devices, folders, registry
from quantgate.baselines import open_baselines
from quantgate.errors import ConfigurationError
from quantgate.history import append, files, read
from quantgate.matrix import Costs, SuiteCost, costs
from quantgate.nightly.asked import Asked, collecting, running
from quantgate.nightly.cases import Case, Phase, cases_of
from quantgate.nightly.outcome import Night, exit_code
from quantgate.nightly.part import end, part_of
from quantgate.nightly.plan import fit, key
from quantgate.nightly.running import GRACE_SECONDS, interruptible, run_until
from quantgate.nightly.taking import Batch, take
from quantgate.records import write_shard
from quantgate.registry import Family
from quantgate.suites import Catalogue, catalogue

RESERVE_SHARE, RESERVE_SECONDS = 0.25, GRACE_SECONDS + 60.0
"""Of the time: kept for stopping what still runs, and for the page."""
COLLECT_SECONDS = 600.0
FILE, PAGE = "night.json", "index.html"
CLOCK_SECONDS = 2.0
"""So far may a disk's clock be from this one's."""


def run_night(asked: Asked, say: Callable[[str], None]) -> Night:
    """Do all of it; `say` takes what is going on. Raises ConfigurationError for what cannot be asked."""
    if asked.hours is not None and not asked.hours > 0:
        raise ConfigurationError(f"--hours={asked.hours:g}: give hours, more than 0")
    loaded = registry.load(asked.models)
    families, known = loaded.select(asked.families), catalogue(loaded.suite, asked.models)
    now = datetime.datetime.now(datetime.UTC)
    run = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    there = files(asked.history, [family.name for family in families])
    lines = [line for file in there for line in read(file).lines]
    part = part_of(asked, loaded, families, known, lines)
    if part is not None:
        families = [family for family in families if family.name in part.cut[part.index - 1]]
    records = asked.records or asked.project / ".quantgate" / "nights" / run
    folders.writable(records, "--records")
    (records / "junit").mkdir(exist_ok=True)
    night = Night(run=run, started=now.isoformat(timespec="seconds"), records=str(records))
    if part is not None:
        write_shard(records, part)
        if not families:
            night.nothing_asked = f"shard {part.index} of {part.count} has no family: there is nothing to do, and that is no failure"
    course = _Course(asked, families, costs(loaded, families, known, lines, asked.tp, here=True), known, records, night, say)
    with interruptible():
        try:
            course.go()
        except KeyboardInterrupt:
            night.was_interrupted = True
        _write_report(asked, records, night, course.end_at, say)
    night.seconds = course.seconds()
    night.exit_code = exit_code(night)
    if part is not None:
        end(records, part, night.exit_code, course.device_class)
    (records / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(night), indent=1))
    return night


class _Course:
    """How far a night has come."""

    def __init__(
        self,
        asked: Asked,
        families: Sequence[Family],
        costs: Costs,
        known: Catalogue,
        records: Path,
        night: Night,
        say: Callable[[str], None],
    ) -> None:
        self._asked, self._families, self._known, self._records = asked, families, known, records
        self._night, self._say, self._began = night, say, time.monotonic()
        seconds = math.inf if asked.hours is None else 3600 * asked.hours
        self.end_at = self._began + seconds
        self._stop_at = self.end_at - (min(RESERVE_SECONDS, RESERVE_SHARE * seconds) if asked.hours is not None else 0.0)
        self._slots: dict[str, list[devices.Slot]] = {}
        self._collected: list[Case] = []
        self._waiting: list[Case] = []
        self._unsound: dict[tuple[str, str], str] = {}
        self._costs = costs

    @property
    def device_class(self) -> str:
        """Of the slots that it ran on, "" where it had none."""
        return next((slots[0].device_class for slots in self._slots.values()), "")

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def go(self) -> None:
        self._collected = [case for family in self._families for case in self._collect(family)]
        self._waiting = list(self._collected)
        for phase in Phase:
            for family in self._families:
                self._run(family, phase)

    def _collect(self, family: Family) -> list[Case]:
        """What there is to run of a family; nothing where its pytest says what is wrong with it, and the others go on."""
        try:
            count = self._asked.tp or max((one.serve.tensor_parallel for one in family.checkpoint), default=1)
            self._slots[family.name] = devices.select(self._asked.gpu, count)
        except ConfigurationError as error:
            self._night.usage.append(f"{family.name}: {error}")
            return []
        command = collecting(self._asked, family.name, self._records)
        ended = subprocess.run(
            command, cwd=self._asked.project, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
        said = f"{ended.stdout}\n{ended.stderr}".splitlines()
        if ended.returncode not in (0, 5):
            why = next((line for line in said if line.startswith("ERROR")), next((line for line in said if line.strip()), ""))
            bad = self._night.usage if ended.returncode == 4 else self._night.internal
            bad.append(f"{family.name}: pytest could not collect (exit code {ended.returncode}): {why}")
            return []
        return cases_of([line for line in said if "::" in line], family, self._known)

    def _run(self, family: Family, phase: Phase) -> None:
        self._drop()
        mine = [case for case in self._waiting if case.family == family.name and case.phase is phase]
        self._waiting = [case for case in self._waiting if case not in mine]
        unsound = {case: self._unsound[family.name, case.checkpoint] for case in mine if (family.name, case.checkpoint) in self._unsound}
        asked = [case for case in mine if case not in unsound]
        batch = Batch(family, self._slots.get(family.name, []), self._records, self._night, unsound, self._asked.tp)
        if not mine:
            return
        if not asked:
            self._keep(batch, mine, None)
            return
        self._say(f"{family.name}: {phase.value}, {len(asked)} tests")
        junit = self._records / "junit" / f"{family.name}-{phase.value}.xml"
        junit.unlink(missing_ok=True)
        every = [case for case in self._collected if case.family == family.name]
        command = running(self._asked, asked, every, self._records, junit, len(batch.slots))
        try:
            ended = run_until(command, self._stop_at, self._asked.project, self._asked.output)
        except KeyboardInterrupt:
            self._night.was_interrupted = True
            self._keep(batch, mine, junit)
            raise
        batch.ended = ended
        self._keep(batch, mine, junit)

    def _keep(self, batch: Batch, cases: Sequence[Case], junit: Path | None) -> None:
        lines, unsound = take(batch, cases, junit)
        self._unsound |= unsound
        self._night.lines += lines
        try:
            written = append(self._asked.history, lines)
        except OSError as error:
            self._night.internal.append(f"the history in {self._asked.history} cannot be written: {error.strerror}")
            return
        self._night.histories = list(dict.fromkeys([*self._night.histories, *map(str, written)]))

    def _drop(self) -> None:
        """What does not fit into the time that is left, least informative a second first; all of it, where there is none left."""
        left = self._stop_at - time.monotonic()
        if math.isinf(left):
            return
        plan = fit(self._waiting, self._costs, {name: len(slots) for name, slots in self._slots.items()}, left)
        dropped = plan.dropped if left > 0 else [case for case in self._waiting if case.suite]
        for case in dropped:
            cost = self._costs.get(key(case), SuiteCost())
            known = (
                f" ({cost.seconds:.0f} s, decides {100 * cost.worth:.0f} %)"
                if cost.seconds is not None and cost.source == "history"
                else ""
            )
            if case.is_measured:
                self._night.dropped.append(f"{case.name}{known}: not asked, to end within {self._asked.hours:g} hours")
        self._waiting = [case for case in self._waiting if case not in dropped and left > 0]


def _write_report(asked: Asked, records: Path, night: Night, end_at: float, say: Callable[[str], None]) -> None:
    """Whatever happened: a red night is the one that is looked at."""
    into = asked.report or records / "report"
    say(f"report, into {into}")
    seconds = None if math.isinf(end_at) else max(GRACE_SECONDS, end_at - time.monotonic())
    page, began = into / PAGE, time.time()
    given = {
        "baselines": asked.baselines if open_baselines(asked.baselines).are_there else None,
        "models": asked.models,
        "data-dir": asked.data_dir,
    }
    told = [f"--{name}={value}" for name, value in given.items() if value is not None]
    try:
        ended = subprocess.run(
            [*asked.reporter, str(records), "-o", str(into), *told],
            cwd=asked.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        night.no_report = f"it was not ready after {seconds:.0f} s"
        return
    # Its exit code is about the verdicts in it.
    if page.is_file() and page.stat().st_mtime >= began - CLOCK_SECONDS:
        night.report = str(page)
    else:
        night.no_report = next(reversed(ended.stderr.strip().splitlines()), f"exit code {ended.returncode}")
