"""Does the history date a slow-down, and does it cry wolf? Planted series of nights, and what is said of them.

A series is 60 nights of one figure with 2 % noise; in the slow ones every night from the 37th on is 4 % lower, in the even ones none,
in the ones with a bad night one of them is 40 % lower. Dated means: a change is seen within two nights of the 37th.

    python -m benchmarks.drift [--series 100] [--others]

`--others` puts the same series to apache-otava, ruptures and pyhomogeneity, each in an environment that uv makes of it.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from quantgate import uv
from quantgate.history import locate

NIGHTS, SLOW_FROM, LOSS, NOISE, BAD = 60, 36, 0.04, 0.02, 0.4
NEAR = 2
OTHERS = {"otava": "apache-otava==0.8.0", "ruptures": "ruptures==1.1.10", "pettitt": "pyhomogeneity==1.1"}
SCRIPT = Path(__file__).with_name("drift_others.py")
Locate = Callable[[list[list[float]]], list[list[int]]]


class Seen(NamedTuple):
    """Of so many series: slow ones whose change was dated, even ones with an alarm, ones with a bad night and an alarm."""

    series: int
    dated: int
    false: int
    alarmed: int


def planted(seed: int) -> tuple[list[float], list[float], list[float]]:
    """An even series, the same with the slow-down, and the same with one bad night."""
    random = np.random.default_rng(seed)
    even = 800 * (1 + NOISE * random.standard_normal(NIGHTS))
    slow, bad = even.copy(), even.copy()
    slow[SLOW_FROM:] *= 1 - LOSS
    bad[random.integers(NIGHTS)] *= 1 - BAD
    return even.tolist(), slow.tolist(), bad.tolist()


def ours(series: list[list[float]]) -> list[list[int]]:
    return [[place for place, _ in locate(one)] for one in series]


def other(name: str) -> Locate:
    """The same of another library, in an environment of its own."""

    def ask(series: list[list[float]]) -> list[list[int]]:
        command = [
            str(Path(sys.executable).with_name("uv")),
            "run",
            "--no-project",
            "--quiet",
            "--with",
            OTHERS[name],
            "python",
            str(SCRIPT),
            name,
        ]
        ended = subprocess.run(command, input=json.dumps(series), stdout=subprocess.PIPE, text=True, check=True, env=uv.environment())
        found: list[list[int]] = json.loads(ended.stdout)
        return found

    return ask


def look(count: int, say: Locate) -> Seen:
    even, slow, bad = (list(found) for found in zip(*(planted(seed) for seed in range(count)), strict=True))
    said = say([*even, *slow, *bad])
    dated = sum(any(abs(place - SLOW_FROM) <= NEAR for place in found) for found in said[count : 2 * count])
    return Seen(count, dated, sum(map(bool, said[:count])), sum(map(bool, said[2 * count :])))


def rows(count: int, names: Sequence[str]) -> Iterator[str]:
    for name, say in {"quantgate": ours, **{name: other(name) for name in names}}.items():
        seen = look(count, say)
        yield f"{name:<10} {seen.dated:>6} {seen.false:>6} {seen.alarmed:>10}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=100, metavar="N")
    parser.add_argument("--others", action="store_true")
    options = parser.parse_args()
    print(f"of {options.series} series each: dated within {NEAR} nights, alarms without a change, alarms of one bad night")
    for row in rows(options.series, list(OTHERS) if options.others else []):
        print(row, flush=True)


if __name__ == "__main__":
    main()
