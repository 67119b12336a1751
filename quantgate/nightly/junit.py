"""What pytest's JUnit file says of each test: how it ended, why, and the lines of ours that it carries."""

import re
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import msgspec

PUBLISHED = "quantgate: "
"""How a property of ours begins; the word follows (`fixtures/terminal.py`)."""
ESCAPED = re.compile(r"#x[0-9A-F]{2,8}")
"""What pytest writes for a character that XML has no place for."""
BEFORE_IT = re.compile(r"^(?:failed on (?:setup|teardown) with \"(?P<inside>.*?)\"?|(?P<plain>.*))$")
"""What pytest says of a fixture that failed; the sentence is inside."""


class Outcome(msgspec.Struct, frozen=True):
    """`parameters`: what stands in the brackets of the test's name, or the whole name; `why`: the first line of its failure or skip."""

    parameters: str
    ended: Literal["passed", "failed", "skipped"]
    why: str
    lines: list[tuple[str, str]]


def read_junit(file: Path) -> list[Outcome] | None:
    """None where pytest wrote none, or not all of it: it was killed."""
    try:
        root = ElementTree.parse(file).getroot()  # noqa: S314 (written by the pytest that we ran)
    except (OSError, ElementTree.ParseError):
        return None
    return [_outcome(one) for one in root.iter("testcase") if one.get("name")]  # one that was interrupted has no name


def _outcome(test: ElementTree.Element) -> Outcome:
    name = test.get("name", "")
    bad = [one for kind in ("failure", "error") for one in test.findall(kind)]
    skipped = test.find("skipped")
    whys = [one.get("message", "") for one in [*bad, *([skipped] if skipped is not None else [])]]
    lines = [
        (one.get("name", "").removeprefix(PUBLISHED), one.get("value", ""))
        for one in test.iter("property")
        if one.get("name", "").startswith(PUBLISHED)
    ]
    inside = name.partition("[")[2].removesuffix("]")
    return Outcome(
        parameters=inside or name,
        ended="failed" if bad else "skipped" if skipped is not None else "passed",
        why=_first_line(" ".join(whys)),
        lines=lines,
    )


def _first_line(message: str) -> str:
    first = ESCAPED.sub("?", next(iter(message.splitlines()), ""))
    found = BEFORE_IT.match(first)
    return ((found["inside"] or found["plain"] or "") if found else first).removeprefix("Failed: ")
