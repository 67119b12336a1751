"""How far a measurement has come: so many of so many, how fast, and how long it may still take."""

import time
from collections.abc import Callable

SILENT_SECONDS = 10.0
"""What is done by then is not told of."""
LOOK_SECONDS = 1.0
MINUTE, HOUR = 60, 3600


class Progress:
    """Of one round of requests. `kept`: how many were there from before, which say nothing of the speed now."""

    def __init__(self, name: str, say: Callable[[str], None], total: int, kept: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._say, self._total, self._done, self._clock = name, say, total, kept, clock
        self._here, self._tokens, self._began, self._said = 0, 0, clock(), False

    def came(self, tokens: int) -> None:
        """One more; `tokens` that it took, 0 where nobody counts them."""
        self._done += 1
        self._here += 1
        self._tokens += tokens

    def look(self) -> None:
        """Say how far it is, where it takes long enough to be told."""
        if self._clock() - self._began >= SILENT_SECONDS:
            self._said = True
            self._say(str(self))

    def end(self) -> None:
        if self._said:
            self._say("")

    def __str__(self) -> str:
        seconds = max(1e-9, self._clock() - self._began)
        line = f"{self._name}, {self._done:,} of {self._total:,}"
        if not self._here:
            return f"{line}, none yet in {in_words(seconds)}"
        tokens = f", {self._tokens / seconds:,.0f} tokens/s" if self._tokens else ""
        left = (self._total - self._done) * seconds / self._here
        return f"{line}, {self._here / seconds:.3g} a second{tokens}, {in_words(left)} left"


def in_words(seconds: float) -> str:
    """ "42 s", "4 min 5 s", "2 h 10 min"."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
