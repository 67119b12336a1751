"""A cluster that is made up: nodes with slots, units that take so many ticks, nodes that die, pytests that are killed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from quantgate.fan_out import Lost, Need, Place
from quantgate.fan_out.wire import Job, News
from quantgate.fan_out.work import Course, Work

SLOT = Need(resources=(("slot", 1.0),))


def work(name: str, seconds: float = 1.0, after: str | None = None, need: Need = SLOT, suites: tuple[str, ...] = ("text",)) -> Work:
    family, _, checkpoint = name.partition("/")
    folder = Path("/nowhere") / family / checkpoint
    return Work(name=name, family=family, checkpoint=checkpoint, suites=suites, seconds=seconds, need=need, folder=folder, after=after)


class FakeAttempt:
    def __init__(self, cluster: "FakeCluster", name: str, need: Need) -> None:
        self.cluster, self.name, self.need = cluster, name, need
        self.node: str | None = None
        self.left, self.is_stopping, self.is_closed, self.has_begun = 0, False, False, False

    def news(self) -> Sequence[News]:
        if self.node is None:
            return []
        if self.node not in self.cluster.alive:
            raise Lost("its node has died")
        found = [] if self.has_begun else [News(kind="begun", host=self.node)]
        self.has_begun = True
        if self.is_stopping and self.name not in self.cluster.deaf:
            return [*found, News(kind="ended", host=self.node, codes=[2], was_stopped=True)]
        if self.left <= 0:
            codes = self.cluster.codes.get(self.name, [[0]])
            code = codes.pop(0) if len(codes) > 1 else codes[0]
            return [*found, News(kind="ended", host=self.node, codes=code)]
        return found

    def stop(self) -> None:
        self.is_stopping = True

    def close(self) -> None:
        self.is_closed = True


class FakeCluster:
    """`nodes`: name → slots; `ticks`: unit → how many it takes (1); `dies`: tick → node; `interrupts`: at which ticks Ctrl-C comes; `deaf`:
    units that do not stop; `codes`: unit → the exit codes of its attempts. A tick is a wait, and a second of `clock`."""

    def __init__(self, nodes: Mapping[str, int], ticks: Mapping[str, int] | None = None) -> None:
        self.alive = dict(nodes)
        self.ticks, self.dies, self.interrupts = dict(ticks or {}), dict[int, str](), set[int]()
        self.deaf, self.codes = set[str](), dict[str, list[list[int]]]()
        self.now, self.started, self.begun = 0, list[FakeAttempt](), list[tuple[int, str, str]]()
        self.is_closed = False

    def places(self) -> list[Place]:
        return [Place(name, {"slot": float(count)}) for name, count in self.alive.items()]

    def start(self, job: Job, need: Need) -> FakeAttempt:
        attempt = FakeAttempt(self, job.commands[0][0], need)
        self.started.append(attempt)
        return attempt

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.now += 1
        if self.now > 500:
            raise AssertionError("it never ends")
        for attempt in self.started:
            attempt.left -= attempt.node is not None
        if (dead := self.dies.get(self.now)) is not None:
            del self.alive[dead]
        for attempt in self.started:
            if attempt.node is None and not attempt.is_closed:
                taken = [one.node for one in self.started if one.node is not None and not one.is_closed]
                attempt.node = next((name for name, slots in self.alive.items() if taken.count(name) < slots), None)
                if attempt.node is not None:
                    attempt.left = self.ticks.get(attempt.name, 1)
                    self.begun.append((self.now, attempt.name, attempt.node))
        if self.now in self.interrupts:
            raise KeyboardInterrupt

    def close(self) -> None:
        self.is_closed = True

    @property
    def clock(self) -> float:
        return float(self.now)


def job_of(work: Work, seconds: float | None) -> Job:
    """One that its double knows by name."""
    return Job(commands=[[work.name]], seconds=seconds)


def states(courses: Mapping[str, Course]) -> dict[str, str]:
    return {name: course.state for name, course in courses.items()}
