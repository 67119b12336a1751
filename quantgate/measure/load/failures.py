"""Requests that failed: counted by kind, in one sentence, and nothing is averaged over them."""

from collections.abc import Sequence

import msgspec

from quantgate.errors import MeasurementError
from quantgate.measure.load.outcome import Failed, Outcome, Unsent


class FailureCount(msgspec.Struct, frozen=True):
    """So many of a kind, and what the first of them was in words; `alike`: whether all of them were that, to the letter."""

    kind: str
    count: int
    first: str
    alike: bool


class FailedRequestsError(MeasurementError):
    """Requests of a load failed, so the measurement is void."""

    def __init__(self, failures: list[FailureCount], requests: int, unsent: int) -> None:
        super().__init__(told(failures, requests, unsent))
        self.failures = failures


def counted(outcomes: Sequence[Outcome]) -> list[FailureCount]:
    """Every kind of failure, the most frequent first."""
    by_kind: dict[str, list[Failed]] = {}
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            by_kind.setdefault(outcome.kind, []).append(outcome)
    found = [FailureCount(kind, len(ones), ones[0].what, len({one.what for one in ones}) == 1) for kind, ones in by_kind.items()]
    return sorted(found, key=lambda one: (-one.count, one.kind))


def told(failures: Sequence[FailureCount], requests: int, unsent: int) -> str:
    """As in: "3 of 64 requests failed: 2× HTTP 500 …, 1× stream ended after 7 of 16 chunks"."""
    failed = sum(one.count for one in failures)
    times = "\N{MULTIPLICATION SIGN}"
    kinds = ", ".join(f"{one.count}{times} {one.first}{'' if one.alike else ' (the others alike)'}" for one in failures)
    rest = f"; nothing worked any more, so {unsent} were not sent" if unsent else ""
    return f"{failed} of {requests} requests failed: {kinds}{rest}"


def raise_on_failures(outcomes: Sequence[Outcome]) -> None:
    """Raises FailedRequestsError where any request failed."""
    if failures := counted(outcomes):
        raise FailedRequestsError(failures, len(outcomes), sum(isinstance(one, Unsent) for one in outcomes))
