"""The page as Markdown, for a CI job's summary and a merge request: verdicts, what flipped most, what differs, how old baselines are."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from quantgate.plain_text import in_a_line, without_secrets
from quantgate.report.page.values import Page, Row

MARKS = {"fail": "🟥", "error": "🟥", "inconclusive": "🟨", "not compared": "⬜", "pass": "🟩"}
STEERS = re.compile(r"([\\`*_{}\[\]()<>#|~!@$&])|(?<=\w)(:)(?=//)|^([-+])(?=\s)|^(\d+)(\.)(?=\s)", re.MULTILINE)
MOST_CHARACTERS = 600
MOST_SKIPPED = 20


def text(value: str) -> str:
    """Text as text: nothing in it is Markdown, HTML, a link, a mention or the end of a cell."""
    return STEERS.sub(_escaped, in_a_line(value, MOST_CHARACTERS))


def _escaped(found: re.Match[str]) -> str:
    one = found[0]
    if one in "<>&@":  # a backslash does not keep a mention from being one
        return f"&#{ord(one)};"
    return f"{one[:-1]}\\{one[-1]}"


def markdown(page: Page) -> str:
    return without_secrets("\n".join(_lines(page)) + "\n")


def _lines(page: Page) -> Iterator[str]:
    yield f"# {MARKS[page.word]} {text(page.title)}: {page.word}"
    yield ""
    yield f"**{text(page.headline)}.** {text(page.sentence)}"
    yield ""
    yield ", ".join(f"{count} {word}" for word, count in page.counts.items()) + f" · {text(page.made)} · records in {code(page.records)}"
    yield ""
    yield from _table(
        ["", "checkpoint", "suite", "baseline", "now", "loss [95 %]", "tolerance", "on"],
        map(_row, page.rows),
    )
    yield from _reasons([row for row in page.rows if row.word not in ("pass", "not compared")])
    if page.skipped:
        yield "## Skipped"
        yield ""
        yield from (f"- {text(one.what)}: {text(one.why)}" for one in page.skipped[:MOST_SKIPPED])
        if len(page.skipped) > MOST_SKIPPED:
            yield f"- and {len(page.skipped) - MOST_SKIPPED} more"
        yield ""
    if page.flips:
        yield "## Answers that flipped"
        yield ""
        counted = Counter((one.checkpoint, one.suite, one.direction) for one in page.flips)
        pairs = dict.fromkeys((checkpoint, suite) for checkpoint, suite, _ in counted)
        rows = [[text(pair[0]), text(pair[1]), *(f"{counted[(*pair, way)]:,}" for way in ("regressed", "improved"))] for pair in pairs]
        yield from _table(["checkpoint", "suite", "regressed", "improved"], rows)
    yield from _provenance(page)
    if page.unreadable:
        yield "## Files that could not be read"
        yield ""
        yield from (f"- {text(one)}" for one in page.unreadable)
        yield ""


def _row(row: Row) -> list[str]:
    said = (f"{row.suite} {row.question}".strip(), row.baseline, row.now, row.found, row.wanted, row.evidence)
    return [f"{MARKS[row.word]} {row.word}", _whose(row), *map(text, said)]


def _reasons(rows: Sequence[Row]) -> Iterator[str]:
    """In words, with what to type next."""
    if rows:
        yield "## Why, and what next"
        yield ""
    for row in rows:
        yield f"- **{row.word}** {_whose(row)} {text(f'{row.suite} {row.question}'.strip())}: {text(row.reason)}"
        yield from (f"  - {code(command)}" for command in row.commands)
    if rows:
        yield ""


def _whose(row: Row) -> str:
    return text(f"{row.family}/{row.checkpoint}".strip("/"))


def _provenance(page: Page) -> Iterator[str]:
    """Of provenance only what differs; all of it is on the page."""
    for one in page.provenance:
        changed = [fact for fact in one.facts if any(differs for _, differs in fact.values)]
        if changed:
            yield f"## What differs from the baseline, {text(one.family)}"
            yield ""
            yield from _table(
                ["", *map(text, one.columns)],
                [[fact.name, *(f"**{text(value)}**" if differs else text(value) for value, differs in fact.values)] for fact in changed],
            )
    if page.ages:
        oldest, newest = page.ages[0], page.ages[-1]
        span = f"{oldest.days}" if oldest.days == newest.days else f"{newest.days} to {oldest.days}"
        last = f"the oldest is {text(oldest.name)}, of {text(oldest.when)} by {text(oldest.by)}"
        yield f"Baselines: {len(page.ages)}, approved {span} days ago; {last}."
        yield ""


def code(value: str) -> str:
    """In backticks, as many as it takes."""
    value = in_a_line(value)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", value)), default=0))
    pad = " " if value.startswith("`") or value.endswith("`") else ""
    return f"{fence}{pad}{value}{pad}{fence}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
