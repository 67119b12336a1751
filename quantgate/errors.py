"""What can go wrong, one exception for each kind of reader. Every message is one sentence: problem, value, remedy."""

import difflib
from collections.abc import Iterable


class QuantgateError(Exception):
    """The root of everything below; never raised itself."""


class ConfigurationError(QuantgateError):
    """The user asked for something that is not there: options, models.toml, a checkpoint's folder. Ends pytest with exit 4."""


class ServerError(QuantgateError):
    """A vLLM server did not boot, died, or answered nonsense. Fails the tests of its checkpoint, not those of others."""


class PortTakenError(ServerError):
    """Another process has taken the port between its choice and its use; the same server boots on another one."""


class RecordError(QuantgateError):
    """A measurement or a verdict could not be written. It fails the test, whose verdict is still reported."""


class MeasurementError(QuantgateError):
    """A measurement is void (NaN, a missing item, a failed request); it is neither a pass nor a baseline."""


class GatedDataError(QuantgateError):
    """Data that one has to ask for, and be logged in to have. Skips the test; under --must-run that fails it."""


class BaselineError(QuantgateError):
    """A baseline is missing or unreadable."""


class StoreAwayError(BaselineError):
    """A store of baselines did not answer, or did not let us; `denied`: it is there, and this was not allowed."""

    def __init__(self, said: str, *, denied: bool = False) -> None:
        super().__init__(said)
        self.denied = denied


class QuantizeError(QuantgateError):
    """A checkpoint could not be made: llm-compressor failed, was killed, or the disk is full."""


def nearest(name: str, known: Iterable[str]) -> str:
    """ " (did you mean X?)" for a name that is close to a known one, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""
