"""What a harness is asked, in terms that all of them share; and what each must know to be one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from quantgate.measure.adopt import Run
from quantgate.programs import Environment, Tells
from quantgate.server import Serving
from quantgate.suites import HarnessSuite

CONCURRENCY = 32
LOG = "harness.log"
REQUEST_SECONDS = 300.0
SECONDS_A_TOKEN = 0.5
MANY_TOKENS = 8192
"""What a request may take where nobody says how long an answer may be."""


class Asked(NamedTuple):
    """One round: a suite's first `limit` items (None: all), of this server, with all files in `folder`."""

    suite: HarnessSuite
    server: Serving
    folder: Path
    limit: int | None

    @property
    def place(self) -> Path:
        """Where the harness runs: where the task's file lies, for paths in it, else in a folder without anything that it might take for
        a task or a setting of its own."""
        return Path(self.suite.task.partition("@")[0]).parent if self.suite.content else self.folder

    @property
    def request_seconds(self) -> float:
        return REQUEST_SECONDS + SECONDS_A_TOKEN * (self.suite.max_tokens or MANY_TOKENS)


class Command(NamedTuple):
    """How the harness is started, with what besides in its environment, in which folder."""

    line: list[str]
    env: dict[str, str]
    cwd: Path | None = None


class Harness(Protocol):
    """`name` for people; `environment` for a suite, None where the harness brings its own; `pins`: which harness it is, for the
    fingerprint; `told`: what its program said in the end."""

    name: str

    def environment(self, suite: HarnessSuite) -> Environment | None: ...
    def pins(self, suite: HarnessSuite) -> list[str]: ...
    def command(self, asked: Asked, python: Path | None) -> Command: ...
    def results(self, asked: Asked, told: dict[str, Any]) -> Run: ...


Python = Callable[[Tells, Environment], Path]
"""Who makes an environment, and says where its interpreter is."""
