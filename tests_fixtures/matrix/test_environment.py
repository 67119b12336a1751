"""--shard, typed and from every scheduler's environment."""

import pytest

from quantgate.errors import ConfigurationError
from quantgate.matrix import shard_of


def slurm(task: int, first: int, count: int, step: int = 1) -> dict[str, str]:
    told = {"ID": task, "MIN": first, "MAX": first + step * (count - 1), "COUNT": count, "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in told.items()}


BUILDKITE = {"BUILDKITE_PARALLEL_JOB": "0", "BUILDKITE_PARALLEL_JOB_COUNT": "4"}
GITLAB = {"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "4"}


@pytest.mark.parametrize(
    ("given", "environment", "place"),
    [
        ("1/1", {}, (1, 1)),
        ("2/6", {}, (2, 6)),
        ("2/6", BUILDKITE, (2, 6)),
        ("auto", slurm(0, 0, 4), (1, 4)),
        ("auto", slurm(3, 0, 4), (4, 4)),
        ("auto", slurm(1, 1, 4), (1, 4)),
        ("auto", slurm(4, 1, 4), (4, 4)),
        ("auto", slurm(14, 10, 3, 2), (3, 3)),
        ("auto", BUILDKITE, (1, 4)),
        ("auto", {"JOB_COMPLETION_INDEX": "0", "JOB_COMPLETIONS": "3"}, (1, 3)),
        ("auto/3", {"JOB_COMPLETION_INDEX": "2"}, (3, 3)),
        ("auto", GITLAB, (1, 4)),
        ("auto", {"CIRCLE_NODE_INDEX": "3", "CIRCLE_NODE_TOTAL": "4"}, (4, 4)),
        ("auto", BUILDKITE | GITLAB, (1, 4)),
        ("auto/4", BUILDKITE, (1, 4)),
        ("auto", slurm(2, 1, 4) | {"CI_NODE_TOTAL": "1"}, (2, 4)),
    ],
)
def test_which_part(given: str, environment: dict[str, str], place: tuple[int, int]) -> None:
    found = shard_of(given, environment)
    assert (found.index, found.count) == place


@pytest.mark.parametrize(
    ("given", "environment", "said"),
    [
        ("4/3", {}, "--shard=4/3: shards are counted from 1"),
        ("0/3", {}, "--shard=0/3: shards are counted from 1"),
        ("-1/3", {}, "counted from 1"),
        ("1/0", {}, "1/1 is the first"),
        ("a/b", {}, "--shard=a/b: write I/N"),
        ("3", {}, "write I/N"),
        ("auto/0", BUILDKITE, "write I/N"),
        ("auto/", BUILDKITE, "write I/N"),
        ("auto/²", BUILDKITE, "write I/N"),
        ("auto", {}, "nothing in the environment says"),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}, "not of how many; write --shard=auto/N"),
        ("auto/3", BUILDKITE, "Buildkite .* says that there are 4 shards"),
        ("auto", BUILDKITE | {"CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "4"}, "says shard 1/4 and GitLab .* says 2/4"),
        ("auto", slurm(1, 1, 2) | BUILDKITE, "says shard 1/2 and Buildkite"),
        ("auto", {"BUILDKITE_PARALLEL_JOB": "x"}, "BUILDKITE_PARALLEL_JOB=x is no number"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3"}, "without SLURM_ARRAY_TASK_MIN"),
        ("auto", slurm(7, 1, 3) | {"SLURM_ARRAY_TASK_MAX": "7"}, "no range"),
        ("auto", {"CI_NODE_INDEX": "5", "CI_NODE_TOTAL": "4"}, "says shard 5 of 4, which there is not"),
        ("auto/2", {"JOB_COMPLETION_INDEX": "2"}, "says shard 3 of 2"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(given: str, environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        shard_of(given, environment)
    assert "\n" not in str(raised.value)
