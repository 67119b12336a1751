"""From what arrived when to the figures: worked out by hand."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from quantgate import records
from quantgate.measure.load import figures
from quantgate.measure.load.client import Report
from quantgate.measure.load.outcome import Answered, Failed, FailedRequestsError, Outcome, Unsent, raise_on_failures
from quantgate.measure.load.session import LoadRound, summarize

BASELINES = Path(__file__).parents[3] / "baselines"


def answered(connection: int, asked: int, arrived: list[int], ended: int, tokens: int) -> Answered:
    """Times in milliseconds."""
    ms = 1_000_000
    return Answered(connection, asked * ms, [at * ms for at in arrived], ended * ms, 5, tokens)


THREE = [
    answered(0, 0, [100, 150, 200], 210, tokens=3),
    answered(1, 0, [120, 220], 230, tokens=4),  # two tokens to a chunk
    answered(0, 210, [300, 340, 400], 410, tokens=3),
]


def test_the_figures_of_three_requests_are_those_worked_out_by_hand() -> None:
    one = figures.round_of(THREE, 2, stream=True, closed=True)
    assert one.seconds == pytest.approx(0.41)
    assert (one.decode_tps, one.prompt_tps, one.qps) == pytest.approx((10 / 0.41, 15 / 0.41, 3 / 0.41))
    assert figures.ttft_ms(THREE) == pytest.approx([100, 120, 90])
    assert figures.latency_ms(THREE) == pytest.approx([200, 220, 190])
    assert figures.tpot_ms(THREE) == pytest.approx([100 / 2, 100 / 3, 100 / 2])
    assert figures.itl_ms(THREE) == pytest.approx([50, 50, 100, 40, 60])
    assert one.itl_ms is not None
    assert (one.itl_ms.mean, one.itl_ms.p50, one.itl_ms.p90, one.itl_ms.p99) == pytest.approx((60, 50, 84, 98.4))


def test_the_steady_speed_counts_from_the_last_first_chunk_to_the_first_connection_that_runs_dry() -> None:
    # From 120 to 220 ms: chunks at 150 and 200 of one token each, and one at 220 of two.
    assert figures.steady_window_ns(THREE, 2) == (120_000_000, 220_000_000)
    assert figures.steady_decode_tps(THREE, 2) == pytest.approx(40)


def test_there_is_no_steady_speed_where_the_connections_were_never_all_busy() -> None:
    assert figures.steady_decode_tps(THREE, 3) is None
    assert figures.steady_decode_tps([THREE[0], answered(1, 210, [300], 310, 1)], 2) is None
    assert figures.round_of(THREE, 2, stream=True, closed=False).steady_decode_tps is None


def test_an_answer_of_one_token_has_no_time_per_further_token() -> None:
    assert figures.tpot_ms([answered(0, 0, [10], 11, 1)]) == []
    assert figures.spread([]) is None


def test_a_whole_answer_says_nothing_of_first_tokens_and_gaps() -> None:
    one = figures.round_of(THREE, 2, stream=False, closed=True)
    assert (one.ttft_ms, one.tpot_ms, one.itl_ms, one.steady_decode_tps) == (None, None, None, None)
    assert one.latency_ms is not None


def test_the_percentiles_are_numpys() -> None:
    values = [float(value) for value in np.random.default_rng(1).exponential(10, 999)]
    found = figures.spread(values)
    assert found is not None
    assert [found.mean, found.p50, found.p90, found.p99] == pytest.approx([np.mean(values), *np.percentile(values, [50, 90, 99])])


def _round(tokens: int) -> LoadRound:
    """One request that takes a second."""
    answers = [answered(0, 0, [100, 1000], 1000, tokens)]
    report = Report(outcomes=[*answers], started_ns=0, ended_ns=10**9, cpu_seconds=tokens / 1000, lags_ns=[1_000_000])
    return LoadRound(figures.round_of(answers, 1, stream=True, closed=True), answers, [report])


def test_decode_tps_is_the_median_of_the_rounds_and_its_interval_students() -> None:
    summary = summarize([_round(100), _round(110), _round(150)], None, stream=True)
    assert summary.decode_tps == pytest.approx(110)
    # Mean 120, s = sqrt(700), t(2; 0.975) = 4.3027: 120 ± 4.3027·sqrt(700/3).
    assert summary.decode_tps_interval == pytest.approx((120 - 65.724, 120 + 65.724), abs=0.01)
    assert summary.client.cpu_share == pytest.approx(0.15)
    assert summarize([_round(100)], None, stream=True).decode_tps_interval is None


def test_failures_are_counted_by_kind_and_nothing_is_averaged_over_them() -> None:
    broken = Failed("HTTP 500", "HTTP 500 dead")
    outcomes: list[Outcome] = [THREE[0], broken, Failed("ended early", "stream ended after 7 of 16 chunks"), broken]
    with pytest.raises(FailedRequestsError) as error:
        raise_on_failures(outcomes)
    assert str(error.value) == "3 of 4 requests failed: 2\N{MULTIPLICATION SIGN} HTTP 500 dead, 1\N{MULTIPLICATION SIGN} " + (
        "stream ended after 7 of 16 chunks"
    )
    with pytest.raises(FailedRequestsError, match=r"1 of 3 requests failed: .*; nothing worked any more, so 2 were not sent"):
        raise_on_failures([broken, Unsent(), Unsent()])
    raise_on_failures(THREE)


@pytest.mark.parametrize("path", sorted(BASELINES.rglob("decode-*.json")), ids=lambda path: str(path.relative_to(BASELINES)))
def test_an_approved_speed_is_read_and_written_as_it_is_and_gains_nothing(path: Path) -> None:
    read = records.read_measurement(path)
    before, after = path.read_bytes(), records.encode(read)
    assert records.decode(after, records.Throughput, "again") == read
    assert (b"steady" in after) == (b"steady" in before)
    assert len(after) <= len(before)


def test_tokens_after_a_first_chunk_of_many_are_timed_by_themselves() -> None:
    # Forty tokens after 400 ms, then 24 single ones every 10 ms: a token takes 10 ms, not 240 / 63.
    many = msgspec.structs.replace(answered(0, 0, [400 + 10 * n for n in range(25)], 650, tokens=64), first_tokens=40)
    assert figures.ttft_ms([many]) == pytest.approx([400])
    assert figures.tpot_ms([many]) == pytest.approx([10])
    assert figures.tpot_ms([msgspec.structs.replace(many, first_tokens=64)]) == []
    assert figures.itl_ms([many]) == pytest.approx([10] * 24)


def test_the_steady_speed_counts_a_first_chunk_of_many_where_it_came() -> None:
    # Both connections decode from 400 ms to 640 ms; the first chunks came when that began, or before it.
    ones = [
        msgspec.structs.replace(answered(place, 0, [first + 10 * n for n in range(25)], 650, tokens=64), first_tokens=40)
        for place, first in enumerate((400, 390))
    ]
    # From 400 (left out) to 630 ms: 23 chunks of the one, and 23 of the other, a token each.
    assert figures.steady_decode_tps(ones, 2) == pytest.approx(46 / 0.23)
