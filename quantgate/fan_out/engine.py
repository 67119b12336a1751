"""What a cluster has to offer, whoever it is: places, and attempts at jobs that end with news or are lost."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from quantgate.fan_out.wire import Job, News


class Need(NamedTuple):
    """Of one place, while a unit runs: GPUs, CPUs, and amounts of resources by name, sorted."""

    gpus: float = 0.0
    cpus: float = 0.0
    resources: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        amounts = [*((f"{self.gpus:g} GPU{'s' * (self.gpus != 1)}",) if self.gpus else ())]
        amounts += [f"{self.cpus:g} CPU{'s' * (self.cpus != 1)}"] if self.cpus else []
        return ", ".join([*amounts, *(f"{amount:g} {name}" for name, amount in self.resources)]) or "nothing"


class Place(NamedTuple):
    """A node, with all that it has, taken or not; GPUs and CPUs are `GPU` and `CPU` among its resources."""

    name: str
    resources: Mapping[str, float]

    def fits(self, need: Need) -> int:
        """How many of this need it has room for when it is empty; a need of nothing is one of a whole node."""
        wanted = [("GPU", need.gpus), ("CPU", need.cpus), *need.resources]
        return min((int(self.resources.get(name, 0.0) / amount) for name, amount in wanted if amount), default=1)


class Lost(Exception):  # noqa: N818 (not an error of ours: what became of an attempt)
    """The node, or what ran there, is gone, and nothing more will come; why, in a few words."""


class Attempt(Protocol):
    """One try at a job."""

    def news(self) -> Sequence[News]:
        """What has come since the last time, at once. Raises Lost."""

    def stop(self) -> None:
        """Ask it to end as Ctrl-C ends pytest; news of its end will come."""

    def close(self) -> None:
        """Let go of its place, whatever still runs there; may be called twice."""


class Engine(Protocol):
    """A cluster."""

    def places(self) -> Sequence[Place]:
        """The nodes that are alive."""

    def start(self, job: Job, need: Need) -> Attempt:
        """Have it run wherever there is, or will be, room for it."""

    def wait(self, seconds: float) -> None:
        """Until there may be news of an attempt, `seconds` at most."""

    def close(self) -> None:
        """Leave the cluster."""
