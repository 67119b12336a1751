"""Two paths, files or folders of one harness each, become pairs that may be judged: suite by suite, or the only two there are."""

from collections.abc import Sequence
from pathlib import Path

from quantgate.errors import ConfigurationError
from quantgate.measure.adopt.pairing import Pair, pair, print_of
from quantgate.measure.adopt.readers import adopt, is_foreign
from quantgate.measure.adopt.run import Choice
from quantgate.records import Answers


def pairs(sides: tuple[Path, Path], choices: Sequence[Choice], *, common: bool = False, paired: bool = True) -> list[Pair] | None:
    """None where both sides are ours, or nobody's. `choices`: one a side; the rest as in `pair`.

    Raises ConfigurationError where one side is another harness's and one is not, or a suite stands on one side alone.
    """
    foreign = [is_foreign(path, choice) for path, choice in zip(sides, choices, strict=True)]
    if not any(foreign):
        return None
    if not all(foreign):
        ours, others = sides if foreign[1] else sides[::-1]
        raise ConfigurationError(f"{others} is another harness's, and {ours} is not: give two of a kind")
    before, now = (adopt(path, choice) for path, choice in zip(sides, choices, strict=True))
    if len(before) == len(now) == 1:
        return [pair(*before.values(), *now.values(), common=common, paired=paired)]
    for path, one, other in ((sides[1], before, now), (sides[0], now, before)):
        if lacks := ", ".join(sorted(one.keys() - other.keys())):
            raise ConfigurationError(f"{path} lacks {lacks}, which the other side has; give it, or compare single files")
    return [pair(before[name], now[name], common=common, paired=paired) for name in sorted(before)]


def only_record(path: Path, choice: Choice) -> Answers:
    """The one suite in another harness's file or folder, as a measurement by itself; its fingerprint is over what the items ask.

    Raises ConfigurationError where there are several suites, and what `adopt` raises.
    """
    runs = adopt(path, choice)
    if len(runs) > 1:
        raise ConfigurationError(f"{path} holds the suites {', '.join(sorted(runs))}: give a single file, or suite= for all of them as one")
    (run,) = runs.values()
    name = path.name.partition(".")[0]
    return run.record(run.suite or name, run.model or name, print_of(run))
