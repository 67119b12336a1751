"""A stand-in for `Server`, whose boots end as the test says."""

from pathlib import Path
from typing import Any

from quantgate.devices import Slot
from quantgate.errors import ServerError
from quantgate.registry import Checkpoint


class Double:
    """A server whose boot ends as `plans` and `nonsense` say, or well; `made` are all of them, in order."""

    made: "list[Double]"
    plans: dict[str, list[ServerError]]
    nonsense: set[str]
    named_causes: set[str]

    def __init__(self, checkpoint: Checkpoint, folder: Path, slot: Slot, log: Path, keep_open: tuple[int, ...]) -> None:
        self.model, self.folder, self.slot, self.log, self.keep_open = str(checkpoint), folder, slot, log, keep_open
        self.death: ServerError | None = None
        self.stopped = self.is_ready = False
        self.trouble: str | None = None
        self.stop_error: ServerError | None = None
        self.warned: list[str] = []
        self.made.append(self)

    def wait_until_ready(self, say: Any) -> None:
        """Boot, as planned."""
        say("loading weights, 2 s")
        if plan := self.plans.get(self.model):
            self.death = plan.pop(0)
            raise self.death
        if self.model in self.nonsense:
            raise ServerError(f"{self.model} gives no finite prompt_logprobs")  # and lives
        self.is_ready = True

    def warnings(self) -> list[str]:
        """What the test says its log warns of."""
        return self.warned

    def names_a_cause(self) -> bool:
        """Whether the log says why it died."""
        return self.model in self.named_causes

    def raise_if_dead(self) -> None:
        """Raise what it died of, if it did."""
        if self.death is not None:
            raise self.death

    def stop(self) -> None:
        """End, once."""
        assert not self.stopped
        self.stopped = True
        if self.stop_error is not None:
            raise self.stop_error

    def trouble_at_end(self) -> str | None:
        """What the test says was amiss."""
        return self.trouble
