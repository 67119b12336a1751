"""`--shard`: which part of how many, as it was typed or as a scheduler's environment says it.

Each scheduler counts its own way; what two of them say at once has to be the same.
"""

import re
from collections.abc import Callable, Mapping

import msgspec

from quantgate.errors import ConfigurationError

AUTO = "auto"
TYPED = re.compile(r"(-?\d+)/(-?\d+)")


class Place(msgspec.Struct, frozen=True):
    """Part `index` (from 1) of `count`."""

    index: int
    count: int


class _Said(msgspec.Struct, frozen=True):
    """What one scheduler says; `count` None where it tells only the index."""

    who: str
    index: int
    count: int | None


def shard_of(given: str, environment: Mapping[str, str]) -> Place:
    """`I/N`, `auto` or `auto/N`. Raises ConfigurationError, one sentence, for what cannot be meant."""
    if (typed := TYPED.fullmatch(given.strip())) is not None:
        index, count = int(typed[1]), int(typed[2])
        if count < 1 or not 1 <= index <= count:
            raise ConfigurationError(f"--shard={given}: shards are counted from 1 to how many there are: 1/{max(1, count)} is the first")
        return Place(index, count)
    word, slash, number = given.strip().partition("/")
    if word != AUTO or (slash and not (number.isascii() and number.isdigit() and int(number) > 0)):
        raise ConfigurationError(f"--shard={given}: write I/N (2/6: the second of six), auto, or auto/N (N: how many there are)")
    said = [one for read in READERS if (one := read(environment)) is not None]
    wanted = int(number) if slash else None
    return _agreed(given, said, wanted)


def _agreed(given: str, said: list[_Said], wanted: int | None) -> Place:
    if not said:
        raise ConfigurationError(
            f"--shard={given}: nothing in the environment says which shard this is (looked for {', '.join(KNOWN)}); write --shard=I/N"
        )
    for one in said:
        if one.count is not None and wanted not in (None, one.count):
            raise ConfigurationError(f"--shard={given}: {one.who} says that there are {one.count} shards; write one number of them")
    places = [(one.who, one.index, one.count if one.count is not None else wanted) for one in said]
    if (without := next((who for who, _, count in places if count is None), None)) is not None:
        raise ConfigurationError(f"--shard={given}: {without} says which shard this is and not of how many; write --shard=auto/N")
    who, index, count = places[0]
    for other, its_index, its_count in places[1:]:
        if (its_index, its_count) != (index, count):
            raise ConfigurationError(
                f"--shard={given}: {who} says shard {index}/{count} and {other} says {its_index}/{its_count}; write --shard=I/N"
            )
    if count is None or not 1 <= index <= count:
        raise ConfigurationError(f"--shard={given}: {who} says shard {index} of {count}, which there is not; write --shard=I/N")
    return Place(index, count)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    value = environment.get(name, "").strip()
    if not value:
        return None
    if not re.fullmatch(r"-?\d+", value):
        raise ConfigurationError(f"{name}={value} is no number; write --shard=I/N, or unset it")
    return int(value)


def _slurm(environment: Mapping[str, str]) -> _Said | None:
    """Tasks are numbered from wherever `--array` says, and in its steps; a list of single numbers is no range."""
    task = _number(environment, "SLURM_ARRAY_TASK_ID")
    if task is None:
        return None
    first, count = _number(environment, "SLURM_ARRAY_TASK_MIN"), _number(environment, "SLURM_ARRAY_TASK_COUNT")
    step = _number(environment, "SLURM_ARRAY_TASK_STEP") or 1
    if first is None:
        raise ConfigurationError(
            f"SLURM_ARRAY_TASK_ID={task} says nothing without SLURM_ARRAY_TASK_MIN, where the array begins; write --shard=I/N"
        )
    last = _number(environment, "SLURM_ARRAY_TASK_MAX")
    is_range = (task - first) % step == 0 and (None in (last, count) or (last or 0) - first == step * ((count or 0) - 1))
    if not is_range:
        raise ConfigurationError(
            f"SLURM_ARRAY_TASK_ID={task} is of an array that is no range ({count} tasks from {first} to {last} in steps of {step}): "
            "write --array=1-N, or --shard=I/N"
        )
    return _Said("Slurm (SLURM_ARRAY_TASK_ID)", (task - first) // step + 1, count)


def _counted(who: str, index: str, count: str, first: int) -> Callable[[Mapping[str, str]], _Said | None]:
    def read(environment: Mapping[str, str]) -> _Said | None:
        number = _number(environment, index)
        return None if number is None else _Said(f"{who} ({index})", number - first + 1, _number(environment, count))

    return read


READERS: tuple[Callable[[Mapping[str, str]], _Said | None], ...] = (
    _slurm,
    _counted("Buildkite", "BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0),
    _counted("Kubernetes", "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS", 0),
    _counted("GitLab", "CI_NODE_INDEX", "CI_NODE_TOTAL", 1),
    _counted("CircleCI", "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0),
)
KNOWN = ("SLURM_ARRAY_TASK_ID", "BUILDKITE_PARALLEL_JOB", "JOB_COMPLETION_INDEX", "CI_NODE_INDEX", "CIRCLE_NODE_INDEX")
