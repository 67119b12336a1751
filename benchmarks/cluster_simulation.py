"""200 checkpoints over 64 hosts, on paper: fan-out's own driver on a cluster that only counts time, against what no schedule can beat.

    python -m benchmarks.cluster_simulation [--nights 20] [--families 50] [--hosts 64] [--wrong 0.3]

Four nights of one matrix. *first*: no BF16 baseline is approved, so each family's candidates wait for it. *shared*: one host's baselines
serve all. *alone*: every host measures BF16 itself before what it is given, as hosts do that share nothing. *shards*: whole families, cut
beforehand (`--shard`), a family one after the other on its host; the hosts that have room for it alone count.

What a unit takes is drawn, and is not what the driver expects: wrong by a factor of exp(N(0, --wrong)). The bound, of what units really
took: GPU seconds over GPUs; what needs k GPUs or more over the places for k; the longest chain of a BF16 and one of its candidates.
"""

import argparse
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from quantgate.fan_out import Driver, Job, Need, News, Place, Work
from quantgate.matrix import Cost, Unit, cut

SIZES = (1.5, 4, 8, 14, 32, 72)
"""Billions of parameters."""
RECIPES = ("fp8", "nvfp4", "int8")
BYTES = {"bf16": 2.0, "fp8": 1.0, "nvfp4": 0.56, "int8": 1.0}
GPU_GB = 80.0
OFFLOAD_HOURS = 4.6
"""A 72B's BF16 on one GPU, by CPU offload."""
SUITES_HOURS_A_BILLION, SUITES_HOURS, BOOT_HOURS = 0.02, 0.25, 0.05
HOST_GPUS = (1, 1, 1, 1, 1, 1, 2, 4)
"""Of every eight hosts."""
HOUR = 3600.0


class Drawn(NamedTuple):
    """A unit, the GPUs it needs, and what it really takes."""

    unit: Unit
    gpus: int
    seconds: float


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Attempt:
    """A job that ends when the clock says so."""

    def __init__(self, need: Need, seconds: float) -> None:
        self.need, self.seconds, self.host = need, seconds, ""
        self.ends: float | None = None
        self._told = 0
        self.clock: Clock

    def news(self) -> Sequence[News]:
        found = []
        if self.host and self._told == 0:
            found.append(News(kind="begun", host=self.host))
            self._told = 1
        if self.ends is not None and self.clock.now >= self.ends and self._told == 1:
            found.append(News(kind="ended", host=self.host, codes=[0]))
            self._told = 2
        return found

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Cluster:
    """Hosts with GPUs; what is asked for runs in the order of asking on the fullest host that has room, and waits where none has."""

    def __init__(self, gpus: Sequence[int], seconds_of: Callable[[str, str], float]) -> None:
        self.clock = Clock()
        self._gpus, self._free, self._seconds_of = list(gpus), list(gpus), seconds_of
        self._asked: list[tuple[str, Attempt]] = []
        self._running: list[tuple[int, Attempt]] = []

    def places(self) -> Sequence[Place]:
        return [Place(f"host{number}", {"GPU": float(count)}) for number, count in enumerate(self._gpus)]

    def start(self, job: Job, need: Need) -> Attempt:
        attempt = Attempt(need, 0.0)
        attempt.clock = self.clock
        self._asked.append((job.commands[0][0], attempt))
        return attempt

    def wait(self, seconds: float) -> None:  # noqa: ARG002 (time is jumped over)
        self._place()
        ends = [one.ends for _, one in self._running if one.ends is not None]
        if ends:
            self.clock.now = max(self.clock.now, min(ends))
        for number, one in list(self._running):
            if one.ends is not None and one.ends <= self.clock.now:
                self._free[number] += int(one.need.gpus)
                self._running.remove((number, one))

    def close(self) -> None: ...

    def _place(self) -> None:
        for name, attempt in list(self._asked):
            room = [number for number, free in enumerate(self._free) if free >= attempt.need.gpus]
            if not room:
                continue
            number = min(room, key=lambda number: (self._free[number], number))
            self._free[number] -= int(attempt.need.gpus)
            attempt.host = f"host{number}"
            attempt.ends = self.clock.now + self._seconds_of(name, attempt.host)
            self._asked.remove((name, attempt))
            self._running.append((number, attempt))


def draw(families: int, wrong: float, offloaded_share: float, dice: random.Random) -> list[Drawn]:
    found = []
    for number in range(families):
        size = SIZES[number % len(SIZES)]
        offloaded = size == SIZES[-1] and dice.random() < offloaded_share
        for name in ("bf16", *RECIPES):
            gigabytes = size * BYTES[name]
            gpus = 1 if offloaded and name == "bf16" else 2 ** max(0, math.ceil(math.log2(gigabytes / (0.85 * GPU_GB))))
            hours = OFFLOAD_HOURS if offloaded and name == "bf16" else SUITES_HOURS + SUITES_HOURS_A_BILLION * size / gpus
            boot = BOOT_HOURS + gigabytes / 1000
            cost = Cost(seconds=HOUR * hours, boot_seconds=HOUR * boot, source="estimate", weights_bytes=int(1e9 * gigabytes))
            unit = Unit(
                family=f"family{number:03}",
                checkpoint=name,
                precision=name,
                suites=("text", "answers", "speed"),
                devices=gpus,
                cost=cost,
                is_reference=name == "bf16",
            )
            found.append(Drawn(unit, gpus, cost.total * math.exp(dice.gauss(0.0, wrong))))
    return found


def night(drawn: Sequence[Drawn], gpus: Sequence[int], kind: str) -> tuple[float, float]:
    """Seconds until all has ended, and GPU seconds that were spent."""
    took = {_name(one): one.seconds for one in drawn}
    bf16 = {one.unit.family: one.seconds for one in drawn if one.unit.is_reference}
    need = {_name(one): one.gpus for one in drawn}
    reference = {one.unit.family: one.gpus for one in drawn if one.unit.is_reference}
    chosen = [one for one in drawn if kind == "first" or not one.unit.is_reference]
    has_seen: set[tuple[str, str]] = set()
    spent = 0.0

    def seconds_of(name: str, host: str) -> float:
        nonlocal spent
        family, seconds = name.partition("/")[0], took[name]
        spent += need[name] * seconds
        if kind == "alone" and (family, host) not in has_seen:
            has_seen.add((family, host))
            spent += reference[family] * bf16[family]
            seconds += bf16[family]
        return seconds

    cluster = Cluster(gpus, seconds_of)
    works = [
        Work(
            name=_name(one),
            family=one.unit.family,
            checkpoint=one.unit.checkpoint,
            suites=one.unit.suites,
            seconds=one.unit.cost.total,
            # Who measures BF16 as well needs room for it.
            need=Need(gpus=float(max(one.gpus, reference[one.unit.family]) if kind == "alone" else one.gpus)),
            folder=Path(),
            after=f"{one.unit.family}/bf16" if kind == "first" and not one.unit.is_reference else None,
        )
        for one in chosen
    ]
    driver = Driver(cluster, works, lambda work, _: Job(commands=[[work.name]]), lambda _course, _news: None, clock=cluster.clock)
    courses = driver.run()
    assert all(course.state == "ended" for course in courses.values())
    return cluster.clock.now, spent


def sharded(drawn: Sequence[Drawn], gpus: Sequence[int]) -> tuple[float, float]:
    """Families cut over the hosts that have room for each of them; each host one checkpoint after the other."""
    most = max(one.gpus for one in drawn)
    hosts = [count for count in gpus if count >= most]
    took: dict[str, float] = {}
    for one in drawn:
        took[one.unit.family] = took.get(one.unit.family, 0.0) + one.seconds
    shards = cut([one.unit for one in drawn], len(hosts))
    return max(sum(took[name] for name in shard) for shard in shards), sum(one.gpus * one.seconds for one in drawn)


def bound(drawn: Sequence[Drawn], gpus: Sequence[int], *, has_baselines: bool) -> tuple[float, float]:
    """No schedule of these units on these hosts ends sooner than the larger: seconds by room, and by the longest chain."""
    chosen = [one for one in drawn if not (has_baselines and one.unit.is_reference)]
    floors = [sum(one.gpus * one.seconds for one in chosen) / sum(gpus)]
    for count in {one.gpus for one in chosen}:
        floors.append(sum(one.seconds for one in chosen if one.gpus >= count) / sum(host // count for host in gpus))
    before = {} if has_baselines else {one.unit.family: one.seconds for one in drawn if one.unit.is_reference}
    chains = [one.seconds + (0.0 if one.unit.is_reference else before.get(one.unit.family, 0.0)) for one in chosen]
    return max(floors), max(chains)


def _name(one: Drawn) -> str:
    return f"{one.unit.family}/{one.unit.checkpoint}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=20)
    parser.add_argument("--families", type=int, default=50)
    parser.add_argument("--hosts", type=int, default=64)
    parser.add_argument("--wrong", type=float, default=0.3, help="standard deviation of ln(took / expected) (0.3)")
    parser.add_argument("--offloaded", type=float, default=0.2, help="of the 72B families: BF16 by CPU offload, 4.6 hours (0.2)")
    options = parser.parse_args()
    gpus = [HOST_GPUS[number % len(HOST_GPUS)] for number in range(options.hosts)]
    table = Table("night", "makespan (h)", "bound by room", "by the longest", "over the bound", "worst", "GPU hours", box=SIMPLE)
    seen: dict[str, list[tuple[float, float, float, float]]] = {}
    for number in range(options.nights):
        drawn = draw(options.families, options.wrong, options.offloaded, random.Random(number))
        for kind in ("first", "shared", "alone", "shards"):
            seconds, spent = sharded(drawn, gpus) if kind == "shards" else night(drawn, gpus, kind)
            room, chain = bound(drawn, gpus, has_baselines=kind not in ("first", "shards"))
            seen.setdefault(kind, []).append((seconds / HOUR, room / HOUR, chain / HOUR, spent / HOUR))
    for kind, found in seen.items():
        over = [seconds / max(room, chain) for seconds, room, chain, _ in found]
        makespan, room, chain, spent = (fmean(column) for column in zip(*found, strict=True))
        ratios = [f"{fmean(over):.2f}", f"{max(over):.2f}"]
        table.add_row(kind, f"{makespan:.2f}", f"{room:.2f}", f"{chain:.2f}", *ratios, f"{spent:,.0f}")
    console = Console(width=110)
    count = options.families * (1 + len(RECIPES))
    console.print(
        f"{count} checkpoints of {options.families} families over {options.hosts} hosts with {sum(gpus)} GPUs; mean of {options.nights}"
    )
    console.print(table)
    costs = {kind: fmean(one[-1] for one in found) for kind, found in seen.items()}
    console.print(
        f"Baselines that nobody measures twice: {costs['alone'] - costs['shared']:,.0f} GPU hours a night against hosts that share nothing,"
    )
    console.print(f"{costs['first'] - costs['shared']:,.0f} against measuring each once a night.")


if __name__ == "__main__":
    main()
