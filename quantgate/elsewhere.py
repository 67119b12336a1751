"""What pytest says of quantgate's options where it does not know them: one sentence with the form that works.

pytest itself loads this, wherever quantgate is installed (an entry point); the options are made by `fixtures/`, which pytest finds by its
root. That root is chosen before any plugin is loaded, and a path that stands apart from its option ("--records /data/results") is taken
for a place of tests, which may move it to where nobody has heard of quantgate.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

WITH_A_PATH = ("--models", "--records", "--report", "--baselines", "--data-dir")
OPTIONS = (
    *WITH_A_PATH,
    "--gpu",
    "--tp",
    "--gpu-wait",
    "--endpoint",
    "--family",
    "--suites",
    "--reason",
    "--inconclusive",
    "--must-run",
    "--allow-unsafe-code",
    "--stop-early",
    "--shard",
    "--checkpoint",
    "--reuse",
)
ROOT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(trylast=True)  # by now every conftest.py that pytest knows of has been read
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: Sequence[str]) -> None:
    """Raises UsageError where quantgate's options are given and nobody takes them."""
    unknown = parser.parse_known_and_unknown_args(args)[1]
    if (said := sentence(unknown, early_config.invocation_params.args, early_config.invocation_params.dir, ROOT)) is not None:
        raise pytest.UsageError(said)


def sentence(unknown: Sequence[str], given: Sequence[object], here: Path, checkout: Path) -> str | None:
    """Of options that nobody takes; None where none of them is ours."""
    ours = [one for one in unknown if one.partition("=")[0] in OPTIONS]
    if not ours:
        return None
    words = [str(one) for one in given]
    for option, path in pairwise(words):
        if option in WITH_A_PATH and (here / path).exists():
            return f"pytest takes {path} behind {option} for a place of tests: write {option}={path}"
    where = f" ({checkout})" if (checkout / "fixtures" / "plugin.py").is_file() else ""
    known = f"is known in quantgate's checkout{where} and in a folder that `quantgate init` has made"
    return f"{ours[0].partition('=')[0]} {known}, and {here} is neither: go there, or run `quantgate init {here}` first"
