"""The page's charts: a forest plot of drops against their tolerance, bars with whiskers, groups, a trend of nights."""

import math
from collections.abc import Sequence
from datetime import datetime

from quantgate.report.page.drawing import Drawing, Scale, fitting, line, tag, width_of, words
from quantgate.report.page.values import Groups, Panel, Row, Trend

LOW, HIGH = -1.5, 3.0
"""Tolerances that a forest plot shows; what lies beyond gets an arrow."""
FOREST_WIDTH, FOREST_HEIGHT = 260.0, 26.0
SERIES = 6
PANEL_WIDTH = 430.0


def forest_scale(left: float = 8.0, right: float = FOREST_WIDTH - 8.0) -> Scale:
    return Scale(LOW, HIGH, left, right)


def forest_cell(row: Row) -> Drawing | None:
    """One row's interval, on the axis that all rows share; None where nothing was judged."""
    if row.forest is None:
        return None
    scale, middle = forest_scale(), FOREST_HEIGHT / 2
    markup = line(scale(0), 0, scale(0), FOREST_HEIGHT, "axis") + line(scale(1), 0, scale(1), FOREST_HEIGHT, "limit")
    return Drawing(FOREST_WIDTH, FOREST_HEIGHT, f"{row.found}; {row.wanted}", markup + _interval(row, scale, middle))


def _interval(row: Row, scale: Scale, y: float) -> str:
    assert row.forest is not None
    drop, low, high = row.forest
    kind = row.word.replace(" ", "-")
    markup = line(scale(low), y, scale(high), y, f"bar {kind}")
    for end, way in ((low, -1), (high, 1)):
        if scale.low <= end <= scale.high:
            markup += line(scale(end), y - 4, scale(end), y + 4, f"bar {kind}")
        else:  # beyond the axis
            tip = scale(end)
            markup += tag("path", d=f"M{tip + 6 * way:.1f} {y:.1f}l{-7 * way} -5v10z", class_=kind)
    return markup + tag("circle", cx=scale(drop), cy=y, r=4.5, class_=kind)


def forest_axis() -> Drawing:
    """Above the cells: 0 is the baseline, 1 the tolerance."""
    scale = forest_scale()
    markup = words(scale(0) + 14, 12, "baseline", "small dim", "end") + words(scale(1) - 14, 12, "tolerance", "small dim")
    return Drawing(FOREST_WIDTH, 16.0, "0 is as good as the baseline, 1 is the tolerance", markup)


def forest(rows: Sequence[Row], title: str) -> Drawing:
    """The whole plot for slides: names left, figures right."""
    shown = [row for row in rows if row.forest is not None]
    names = [fitting(f"{row.checkpoint} {row.suite}{'' if row.question == 'against BF16' else f' ({row.question})'}", 330) for row in shown]
    left = max([width_of(name) for name in names] + [80.0]) + 24
    right = left + 320
    scale = Scale(LOW, HIGH, left, right)
    bottom = 46 + 26 * len(shown)
    width = right + 24 + max((width_of(row.found) for row in shown), default=0.0) + 12
    markup = words(12, 20, title, "bold")
    markup += words(scale(0), 40, "baseline", "small dim", "middle") + words(scale(1), 40, "tolerance", "small dim", "middle")
    markup += line(scale(0), 46, scale(0), bottom, "axis") + line(scale(1), 46, scale(1), bottom, "limit")
    for place, (row, name) in enumerate(zip(shown, names, strict=True)):
        y = 46 + 26 * place + 13
        markup += words(12, y + 4, name) + _interval(row, scale, y) + words(right + 24, y + 4, row.found, "dim")
    said = "; ".join(f"{row.checkpoint} {row.suite}: {row.word}, {row.found}" for row in shown)
    return Drawing(width, bottom + 14, f"{title}: {said}", markup)


def bars(panel: Panel, order: Sequence[str]) -> Drawing:
    """Horizontal bars from zero, a bar a checkpoint, with whiskers; `order` gives each checkpoint its colour."""
    left = max([min(width_of(bar.series), 120.0) for bar in panel.bars] + [40.0]) + 14
    room = max(width_of(bar.said, 11) for bar in panel.bars) + 14
    right = PANEL_WIDTH - room
    most = max([bar.value for bar in panel.bars] + [bar.high or 0.0 for bar in panel.bars] + [panel.line or 0.0])
    scale = Scale(0.0, most * 1.03 or 1.0, left, right)
    bottom = 34 + 24 * len(panel.bars)
    markup = words(0, 14, fitting(panel.title, PANEL_WIDTH - 110, 13), "bold")
    markup += words(PANEL_WIDTH, 14, f"{panel.better} is better", "small dim", "end")
    for tick in scale.ticks(4):
        markup += line(scale(tick), 26, scale(tick), bottom, "grid") + words(
            scale(tick), bottom + 13, f"{tick:,.6g}", "small dim", "middle"
        )
    for place, bar in enumerate(panel.bars):
        y = 30 + 24 * place
        number = min(order.index(bar.series), SERIES - 1) if bar.series in order else SERIES - 1
        markup += words(left - 8, y + 13, fitting(bar.series, left - 10), "", "end")
        markup += tag("rect", x=left, y=float(y), width=max(scale(bar.value) - left, 1.0), height=17.0, rx=2, class_=f"s{number}")
        if bar.low is not None and bar.high is not None:
            markup += tag("path", d=_whisker(scale(bar.low), scale(bar.high), y + 8.5), class_="whisker")
        markup += words(right + 10, y + 13, bar.said, "small")
    markup += line(left, 26, left, bottom, "axis")
    if panel.line is not None:
        markup += line(scale(panel.line), 24, scale(panel.line), bottom, "mark")
    said = "; ".join(f"{bar.series} {bar.said}" for bar in panel.bars)
    return Drawing(PANEL_WIDTH, bottom + 18, f"{panel.title}, {panel.better} is better: {said}", markup)


def _whisker(low: float, high: float, y: float) -> str:
    return f"M{low:.1f} {y:.1f}H{high:.1f}M{low:.1f} {y - 4:.1f}v8M{high:.1f} {y - 4:.1f}v8"


def groups(found: Groups) -> Drawing:
    """Each group's drop in points with its interval; to the right is worse."""
    left = max(min(width_of(one.name), 150.0) for one in found.groups) + 14
    ends = [end for one in found.groups for end in (one.low, one.high)]
    low, high = min([*ends, -1.0]), max([*ends, 1.0])
    room = width_of("100.0 → 100.0 %, n = 10,000", 11) + 12
    scale = Scale(low - 0.04 * (high - low), high + 0.04 * (high - low), left, PANEL_WIDTH + 90 - room)
    bottom = 34 + 22 * len(found.groups)
    markup = words(0, 14, fitting(f"{found.checkpoint}, {found.suite}", PANEL_WIDTH - 60, 13), "bold")
    markup += words(PANEL_WIDTH + 90, 14, "points lost", "small dim", "end")
    for tick in scale.ticks(5):
        markup += line(scale(tick), 26, scale(tick), bottom, "grid") + words(scale(tick), bottom + 13, f"{tick:g}", "small dim", "middle")
    markup += line(scale(0), 26, scale(0), bottom, "axis")
    for place, one in enumerate(found.groups):
        y = 38 + 22 * place
        kind = "fail" if one.low > 0 else "pass" if one.high < 0 else "not-compared"
        markup += words(left - 8, y + 4, fitting(one.name, left - 10), "", "end")
        markup += line(scale(one.low), y, scale(one.high), y, f"bar {kind}") + tag(
            "circle", cx=scale(one.drop), cy=float(y), r=4, class_=kind
        )
        markup += words(PANEL_WIDTH + 90 - room + 10, y + 4, f"{one.before:.1f} → {one.now:.1f} %, n = {one.n:,}", "small")
    said = "; ".join(f"{one.name} {one.drop:+.1f} [{one.low:.1f}, {one.high:.1f}]" for one in found.groups)
    return Drawing(PANEL_WIDTH + 90, bottom + 18, f"points lost by group, {found.checkpoint} {found.suite}: {said}", markup)


def trend(found: Trend) -> Drawing:
    """The drop of each night as a line in its band, bad nights as dots, the tolerance as a line."""
    width, top, bottom = 300.0, 26.0, 96.0
    values = [end for one in found.nights for end in (one.value, one.low, one.high) if end is not None]
    values += [0.0] if found.tolerance is None else [0.0, found.tolerance]
    low, high = min(values), max(values)
    pad = 0.06 * (high - low) or 1.0
    y, x = Scale(low - pad, high + pad, bottom, top), Scale(0.0, max(1.0, len(found.nights) - 1.0), 6.0, width - 6.0)
    last = _lost(found.nights[-1].value, found.unit)
    markup = words(0, 13, fitting(f"{found.checkpoint} {found.suite}", width - 16 - width_of(last), 13), "bold")
    markup += words(width, 13, last, "dim", "end")
    markup += line(6, y(0), width - 6, y(0), "axis")
    if found.tolerance is not None:
        markup += line(6, y(found.tolerance), width - 6, y(found.tolerance), "limit")
    uppers = [(x(place), y(one.value if one.high is None else one.high)) for place, one in enumerate(found.nights)]
    lowers = [(x(place), y(one.value if one.low is None else one.low)) for place, one in enumerate(found.nights)]
    if len(found.nights) > 1:
        markup += tag("path", d=_path([*uppers, *reversed(lowers)]) + "z", class_="band")
        markup += tag("path", d=_path([(x(place), y(one.value)) for place, one in enumerate(found.nights)]), class_="line")
    for place, one in enumerate(found.nights):
        if one.verdict in ("fail", "error") or place == len(found.nights) - 1:
            markup += tag("circle", cx=x(place), cy=y(one.value), r=3, class_=one.verdict.replace(" ", "-") or "not-compared")
    began, ended = found.nights[0], found.nights[-1]
    markup += words(6, bottom + 14, _day(began.at), "small dim") + words(width - 6, bottom + 14, _day(ended.at), "small dim", "end")
    middle = f"{len(found.nights)} nights" + (f", {found.broken} broken" if found.broken else "")
    markup += words(width / 2, bottom + 14, middle, "small dim", "middle")
    bad = sum(one.verdict in ("fail", "error") for one in found.nights)
    said = f"{found.checkpoint} {found.suite}, {middle}: {_lost(began.value, found.unit)} to {last}, {bad} bad"
    return Drawing(width, bottom + 20, said, markup)


def _lost(value: float, unit: str) -> str:
    """A loss in its unit; of a logarithm of a ratio, in per cent."""
    if unit.startswith("ln("):
        return f"{100 * math.expm1(min(value, 20.0)):+.2f} %"
    return f"{value:+.2f} {unit}".rstrip() if unit else f"{value:,.5g}"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in points)


def _day(at: str) -> str:
    try:
        return f"{datetime.fromisoformat(at):%Y-%m-%d}"
    except ValueError:
        return at[:10]
