"""Was it the server that was measured, or the client? A client at its limit takes its own delays for the server's."""

from collections.abc import Sequence

from quantgate.errors import MeasurementError
from quantgate.measure.load.client import Report
from quantgate.measure.load.figures import spread
from quantgate.records import ClientUse

CPU_SHARE_LIMIT = 0.8
"""Of one core, by process: from there on bytes wait for the process more often than it for them."""
LAG_SHARE_LIMIT = 0.5
"""The loop's p99 lag, as a share of the p99 gap between chunks (p99 latency, where nothing is streamed). A late reading widens
the gap before it by as much, so that above one half more of the tail is the client's than the server's."""
CROWDED_SHARE, COMFORTABLE_SHARE = 0.6, 0.4
"""Above the one, a warm-up shows the need for more processes; the other is what each of them should be at then."""


def use(reports: Sequence[Report]) -> ClientUse:
    """Over one or several rounds of the same number of processes, each report one process's."""
    lag_ms = spread([lag / 1e6 for report in reports for lag in report.lags_ns] or [0.0])
    assert lag_ms is not None
    return ClientUse(processes=1, cpu_share=max(report.cpu_share for report in reports), lag_ms=lag_ms)


def saturated(client: ClientUse, tail_ms: float | None) -> str | None:
    """Why what this client measured is not the server's, or None. `tail_ms`: the p99 gap between chunks,
    or None where lateness is to be recorded only."""
    if client.cpu_share > CPU_SHARE_LIMIT:
        return (
            f"the client was the bottleneck: a process of it used {client.cpu_share:.0%} of a core ({CPU_SHARE_LIMIT:.0%} is the limit), "
            f"so the measurement is void; ask with more client processes than {client.processes}"
        )
    if tail_ms is not None and client.lag_ms.p99 > LAG_SHARE_LIMIT * tail_ms:
        return (
            f"the client read late: its p99 lag was {client.lag_ms.p99:.2f} ms, and the p99 gap between chunks {tail_ms:.2f} ms "
            f"({LAG_SHARE_LIMIT:.0%} of that is the limit), so the measurement is void; give the client a core of its own"
        )
    return None


def raise_if_saturated(client: ClientUse, tail_ms: float | None) -> None:
    """Raises MeasurementError where the client cannot vouch for its time stamps."""
    if (why := saturated(client, tail_ms)) is not None:
        raise MeasurementError(why)
