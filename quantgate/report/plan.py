"""A plan for people: a table within 80 columns, then totals, and who does what."""

import sys
from collections.abc import Iterable, Iterator

from quantgate.matrix import Plan, PlannedSuite, PlannedUnit

COLUMNS = 80
MOST_NAMED = 6


def show_plan(found: Plan, *, hosts_told: bool) -> None:
    """On standard output; `hosts_told`: somebody said how many hosts there are, so that shards are listed."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0), title=None)
    table.add_column("checkpoint", overflow="fold", ratio=2)
    table.add_column("suite: what it can decide", overflow="fold", ratio=5)
    for head in ("boots", "min", "from"):
        table.add_column(head, justify="right" if head == "min" else "left", no_wrap=True)
    for unit in found.units:
        for row in _rows(unit):
            table.add_row(*row)
    console = Console(width=min(COLUMNS, Console().width) if sys.stdout.isatty() else COLUMNS, highlight=False)
    if found.units:
        console.print(table)
    for line in _told(found, hosts_told=hosts_told):
        console.print(line, markup=False, soft_wrap=False)


def _rows(unit: PlannedUnit) -> Iterator[tuple[str, str, str, str, str]]:
    on = f"{unit.devices} devices" if unit.devices > 1 else "1 device"
    name = f"{unit.family}/{unit.checkpoint} ({on})"
    yield (
        name,
        "boot and all beside" if unit.boots else "all is measured and unchanged",
        str(unit.boots),
        (minutes(unit.boot_seconds) if unit.boots else ""),
        unit.source if unit.boots else "",
    )
    for one in unit.suites:
        yield "", _said(one), "", minutes(one.seconds) if one.done is None else "", one.source if one.done is None else "done"


def _said(one: PlannedSuite) -> str:
    parts = [one.suite]
    if one.done is not None:
        parts.append(f"measured {one.done[:10]}, unchanged: skipped")
    if one.decides is not None:
        parts.append(one.decides)
    if one.baseline == "":
        parts.append("no BF16 baseline yet: measured first")
    if one.why is not None:
        parts.append(one.why)
    return ": ".join([parts[0], "; ".join(parts[1:])]) if parts[1:] else parts[0]


def _told(found: Plan, *, hosts_told: bool) -> Iterator[str]:
    if not found.units:
        yield f"{found.device_class}: nothing of this can be judged there (on a CPU only a speed-up over BF16 is)"
        return
    estimated = sum(one.source == "estimate" and bool(one.boots) for one in found.units)
    done = sum(suite.done is not None for one in found.units for suite in one.suites)
    suites = sum(len(one.suites) for one in found.units)
    what = "CPU" if found.device_class == "cpu" else "GPU"
    yield (
        f"{found.device_class}: {len(found.units)} checkpoints, {suites} suites ({done} measured and unchanged), {found.boots} boots, "
        f"{found.device_hours:.2f} {what} hours"
    )
    if estimated:
        yield f"of {estimated} checkpoints the time is an estimate by weights and suites: good to lay the long ones first, and no promise"
    if found.bf16_first:
        named = ", ".join(found.bf16_first[:MOST_NAMED])
        more = f", and {len(found.bf16_first) - MOST_NAMED} more" if len(found.bf16_first) > MOST_NAMED else ""
        yield f"to be measured and approved first (--snapshot-update), since others are judged by it: {named}{more}"
    yield (
        f"{len(found.shards)} host{'s' * (len(found.shards) > 1)}: {minutes(found.makespan_seconds)} min until the last has ended; "
        f"no cut by family ends before {minutes(found.lower_bound_seconds)} min; {100 * found.idle:.0f} % of the hosts' time idle"
    )
    if hosts_told:
        for shard in found.shards:
            yield f"  shard {shard.index}/{len(found.shards)}: {minutes(shard.seconds)} min: {_names(shard.families)}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing to do"


def minutes(seconds: float) -> str:
    """To a tenth below ten minutes, with thousands apart."""
    return f"{seconds / 60:.1f}" if seconds < 600 else f"{seconds / 60:,.0f}"
