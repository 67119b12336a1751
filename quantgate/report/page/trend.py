"""Nights in a row: what `history.jsonl` beside the baselines says of each suite. A night that measured nothing is counted and not drawn."""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from quantgate.report.page.values import Night, Trend

HISTORY = "history.jsonl"
BROKEN = ("error", "broken", "interrupted")


def trends(baselines: Path | None, families: Iterable[str]) -> list[Trend]:
    """A trend for each device class, family, checkpoint and suite with two nights or more, in the order of their names."""
    if baselines is None:
        return []
    wanted, series = set(families), dict[tuple[str, str, str, str], list[dict[str, Any]]]()
    for file in sorted(baselines.glob(f"*/*/{HISTORY}")):
        for entry in _lines(file):
            if not wanted or entry.get("family") in wanted:
                family, checkpoint, suite = (str(entry.get(name, "")) for name in ("family", "checkpoint", "suite"))
                key = (file.parent.parent.name, family, checkpoint, suite)
                series.setdefault(key, []).append(entry)
    several = len({(key[0], key[1]) for key in series}) > 1
    found = [_trend(key, nights, several=several) for key, nights in sorted(series.items())]
    return [one for one in found if len(one.nights) > 1]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """A line that is torn, as after a lost power supply, is left out."""
    with file.open(encoding="utf-8", errors="replace") as opened:
        for line in opened:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry


def _trend(key: tuple[str, str, str, str], entries: list[dict[str, Any]], *, several: bool) -> Trend:
    device_class, family, checkpoint, suite = key
    ordered = sorted(entries, key=lambda entry: str(entry.get("at", "")))
    field = "estimate" if any(_number(entry.get("estimate")) is not None for entry in entries) else "value"
    nights = [one for entry in ordered if (one := _night(entry, field)) is not None]
    tolerances = [value for entry in ordered if (value := _number(entry.get("tolerance"))) is not None]
    return Trend(
        checkpoint=f"{device_class} {family}/{checkpoint}" if several else checkpoint,
        suite=suite,
        unit=str(ordered[-1].get("unit", "")) if field == "estimate" else "",
        nights=nights,
        tolerance=tolerances[-1] if tolerances else None,
        broken=len(entries) - len(nights),
    )


def _night(entry: dict[str, Any], field: str) -> Night | None:
    """None for a broken one, and for one without a figure; `field` is "value", the measured one, where no drop was ever judged."""
    verdict, value = str(entry.get("verdict", "")), _number(entry.get(field))
    if verdict in BROKEN or value is None:
        return None
    interval = entry.get("interval")
    ends = interval if field == "estimate" and isinstance(interval, list) and len(interval) == 2 else (None, None)
    return Night(at=str(entry.get("at", "")), value=value, low=_number(ends[0]), high=_number(ends[1]), verdict=verdict)


def _number(value: object) -> float | None:
    is_one = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_one else None  # type: ignore[arg-type]  # by the line above
