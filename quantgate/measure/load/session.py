"""A load in progress: rounds one after another, each fresh, and at the end what they add up to, checked from outside."""

import math
from collections.abc import Sequence
from statistics import median
from types import TracebackType
from typing import NamedTuple

import msgspec

from quantgate.errors import MeasurementError
from quantgate.measure.load import figures, trust
from quantgate.measure.load.client import Report
from quantgate.measure.load.crew import Crew, Guard, merged, usable_cores
from quantgate.measure.load.outcome import Answered, raise_on_failures
from quantgate.measure.load.plan import Load, job
from quantgate.measure.load.prompts import Prompts
from quantgate.measure.load.target import Target
from quantgate.measure.load.trust import COMFORTABLE_SHARE, CROWDED_SHARE, raise_if_saturated, use
from quantgate.records import ClientUse, CounterCheck, Round, Spread
from quantgate.stats import mean_interval


class LoadRound(NamedTuple):
    """One round: its figures, its answers, and each client process's report."""

    figures: Round
    answers: list[Answered]
    reports: list[Report]

    @property
    def client(self) -> ClientUse:
        return msgspec.structs.replace(use(self.reports), processes=len(self.reports))

    @property
    def tail_ms(self) -> float:
        """What a late reading is to be held against: the p99 gap between chunks that came apart, else the p99 latency."""
        gaps = figures.spread([gap for gap in figures.itl_ms(self.answers) if gap > 0])
        spread = gaps or figures.spread(figures.latency_ms(self.answers))
        assert spread is not None  # a round has answers
        return spread.p99


class Summary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All rounds together: `decode_tps` is their median, `decode_tps_interval` the 95 % t-interval of their mean (two rounds or
    more), spreads are over all requests, `waited` counts those that came due while every connection was busy."""

    rounds: list[Round]
    decode_tps: float
    decode_tps_interval: tuple[float, float] | None
    steady_decode_tps: float | None
    prompt_tps: float
    qps: float
    ttft_ms: Spread | None
    tpot_ms: Spread | None
    itl_ms: Spread | None
    latency_ms: Spread
    client: ClientUse
    counters: CounterCheck | None
    waited: int = 0


class LoadSession:
    """Puts `load` on `target`, round by round. Rounds of two sessions may alternate, on servers of their own."""

    def __init__(self, target: Target, load: Load, prompts: Prompts, guard: Guard | None = None, *, shares_cores: bool = False) -> None:
        """`shares_cores`: the server computes on the cores that we read with, so that we cannot but read late at times."""
        self._target, self._load, self._prompts, self._guard = target, load, prompts, guard
        self._shares_cores = shares_cores
        self._crew = Crew(load.clients or 1)
        self._number = self._generation_tokens = self._prompt_tokens = 0
        self._before = trust.read(target)

    def __enter__(self) -> "LoadSession":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._crew.close()

    def warm_up(self) -> LoadRound:
        """A round that does not count. Where the load leaves the number of clients open and they are short of CPU, more go on.

        Not where they only read late: on a machine that is busy, more processes would make that worse.
        """
        one = self._ask()
        if self._load.clients is None and one.client.cpu_share > CROWDED_SHARE:
            wanted = max(self._crew.clients + 1, math.ceil(self._crew.clients * one.client.cpu_share / COMFORTABLE_SHARE))
            if (clients := min(wanted, usable_cores(), self._load.concurrency)) > self._crew.clients:
                self._crew.close()
                self._crew = Crew(clients)
        return one

    def round(self) -> LoadRound:
        """A round that counts; raises MeasurementError where a request failed, or the client was at its limit."""
        one = self._ask()
        raise_if_saturated(one.client, None if self._shares_cores else one.tail_ms)
        return one

    def _ask(self) -> LoadRound:
        asked = job(self._load, self._target, self._prompts, self._number)
        self._number += 1
        reports = self._crew.run(asked, self._guard)
        outcomes = merged(reports).outcomes
        raise_on_failures(outcomes)
        answers = [outcome for outcome in outcomes if isinstance(outcome, Answered)]
        self._generation_tokens += sum(one.completion_tokens for one in answers)
        self._prompt_tokens += sum(one.prompt_tokens for one in answers)
        concurrency = min(self._load.concurrency, self._load.requests)
        closed = self._load.request_rate is None
        return LoadRound(figures.round_of(answers, concurrency, stream=self._load.stream, closed=closed), answers, reports)

    def check(self) -> CounterCheck | None:
        """Our count of tokens since the session began against the server's; raises MeasurementError where they differ."""
        return trust.check(self._target, self._before, self._generation_tokens, self._prompt_tokens)


def summarize(rounds: Sequence[LoadRound], checked: CounterCheck | None, *, stream: bool) -> Summary:
    """What the rounds (without the warm-up) add up to."""
    if not rounds:
        raise MeasurementError("no round was measured: ask for one at least")
    answers = [one for each in rounds for one in each.answers]
    speeds = [each.figures.decode_tps for each in rounds]
    steady = [each.figures.steady_decode_tps for each in rounds if each.figures.steady_decode_tps is not None]
    latency_ms = figures.spread(figures.latency_ms(answers))
    assert latency_ms is not None  # a round has answers
    client = use([report for each in rounds for report in each.reports])
    return Summary(
        rounds=[each.figures for each in rounds],
        decode_tps=median(speeds),
        decode_tps_interval=mean_interval(speeds).interval if len(speeds) > 1 else None,
        steady_decode_tps=median(steady) if len(steady) == len(rounds) else None,
        prompt_tps=median(each.figures.prompt_tps for each in rounds),
        qps=median(each.figures.qps for each in rounds),
        ttft_ms=figures.spread(figures.ttft_ms(answers)) if stream else None,
        tpot_ms=figures.spread(figures.tpot_ms(answers)) if stream else None,
        itl_ms=figures.spread(figures.itl_ms(answers)) if stream else None,
        latency_ms=latency_ms,
        client=msgspec.structs.replace(client, processes=max(len(each.reports) for each in rounds)),
        counters=checked,
        waited=sum(one.waited for one in answers),
    )
