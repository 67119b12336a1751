"""The history for people: a line a series, and below it since when the figure is another, and what moved there."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from quantgate.history import Change, Line, Series, changes, series_of


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One series: its last night with a figure (None where there is none), and its changes."""

    device_class: str
    family: str
    checkpoint: str
    suite: str
    nights: int
    broken: int
    of_another_suite: int
    has_drifted: bool
    last: Line | None
    values: list[tuple[str, float]]
    changes: list[Change]


def history_told(lines: Iterable[Line]) -> list[Told]:
    return [_told(series) for series in series_of(lines)]


def _told(series: Series) -> Told:
    return Told(
        device_class=series.device_class,
        family=series.family,
        checkpoint=series.checkpoint,
        suite=series.suite,
        nights=len(series.nights),
        broken=len(series.broken),
        of_another_suite=series.of_another_suite,
        has_drifted=series.has_drifted,
        last=series.nights[-1] if series.nights else None,
        values=[(night.at, value) for night, value in zip(series.nights, series.values, strict=True)],
        changes=changes(series),
    )


def show_history(found: Sequence[Told]) -> None:
    """Drifts first."""
    for one in sorted(found, key=lambda one: not one.has_drifted):
        for line in _lines(one):
            # What stands in a file may not steer a terminal.
            print("".join(character if character.isprintable() else "?" for character in line))


def _lines(one: Told) -> Iterator[str]:
    others = [f"{one.broken} broken" if one.broken else "", f"{one.of_another_suite} of another suite" if one.of_another_suite else ""]
    left_out = f" ({', '.join(filter(None, others))} left out)" if any(others) else ""
    head = f"{one.family}/{one.checkpoint} {one.suite} on {one.device_class}: {one.nights} night{'s' * (one.nights != 1)}{left_out}"
    if one.last is None or one.last.value is None:
        yield head
        return
    since = f"{one.last.since_approval} since its approval" if one.last.since_approval else "not compared with an approval of its own"
    yield f"{'drift: ' if one.has_drifted else ''}{head}; last {one.last.at[:10]}: {_figure(one.last.value, one.last)}, {since}"
    for change in one.changes:
        by = f" ({100 * (change.after / change.before - 1):+.2f} %)" if change.before else ""
        was, now = _figure(change.before, one.last), _figure(change.after, one.last)
        yield f"    another since {change.at[:10]} (run {change.run}): {was} -> {now}{by}, p = {change.p_value:.2g}"
        for moved in change.moved:
            yield f"        {moved.at[:10]}: {moved.what} {moved.before or 'none'} -> {moved.now or 'none'}"


def _figure(value: float, line: Line) -> str:
    if line.kind == "answers":
        return f"accuracy {100 * value:.2f} %"
    return f"perplexity {value:.4f}" if line.kind == "text_loss" else f"{value:,.1f} decode tokens/s"
