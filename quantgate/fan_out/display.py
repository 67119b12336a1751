"""How far a fan-out is: a table that lives where somebody looks at a terminal, and a line for each change where a log is read at 3 a.m."""

import datetime
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

if TYPE_CHECKING:
    from rich.table import Table

from quantgate.fan_out.work import Course
from quantgate.plain_text import in_a_line, without_secrets

WORDS = {
    "waits": "waits for",
    "queued": "queued",
    "asked": "waits for a node",
    "runs": "runs on",
    "ended": "ended",
    "lost": "lost",
    "stopped": "stopped",
    "left": "not run",
}


class Display(Protocol):
    def show(self, course: Course) -> None: ...

    def say(self, line: str) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None: ...


def line_of(course: Course) -> str:
    """A course's state in a line."""
    work = course.work
    where = {"waits": course.work.after or "", "runs": course.host, "asked": f"({work.need})"}.get(course.state, "")
    said = f"{work.name}: {' '.join(filter(None, (WORDS[course.state], where)))}"
    if course.state == "queued" and not course.why:
        return ""
    if course.is_over and course.attempts:
        codes = f", exit code {course.codes[-1]}" if course.codes else ""
        codes += ", none of its tests was selected" if course.selected_nothing else ""
        said += f" after {course.seconds / 60:.1f} min{codes}, {course.done} of {len(work.suites)} suites measured"
    return in_a_line(without_secrets(said + (f": {course.why}" if course.why else "")))


class Lines:
    """For a log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, course: Course) -> None:
        if course.state != "waits" and (line := line_of(course)):
            self.say(line)
        elif course.state == "waits":
            self.say(line_of(course))

    def say(self, line: str) -> None:
        print(f"{datetime.datetime.now():%H:%M:%S} {in_a_line(without_secrets(line))}", file=self._stream, flush=True)  # noqa: DTZ005 (a clock on the wall)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        return None


class Live:
    """For a terminal: all that is under way, and how many there are besides."""

    def __init__(self, courses: Callable[[], Mapping[str, Course]]) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._courses = courses
        self._console = Console()
        self._live = RichLive(get_renderable=self._table, console=self._console, refresh_per_second=2, transient=True)

    def show(self, course: Course) -> None:
        if course.is_over or course.why:
            self.say(line_of(course))

    def say(self, line: str) -> None:
        self._console.print(in_a_line(without_secrets(line)), markup=False, highlight=False)

    def _table(self) -> "Table":
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        for name in ("unit", "state", "suite", "done"):
            table.add_column(name)
        table.add_column("min", justify="right")
        shown = [one for one in self._courses().values() if not one.is_over][: max(3, self._console.height - 4)]
        for one in shown:
            where = {"waits": f"for {one.work.after}", "runs": f"on {one.host}"}.get(one.state, "")
            seconds = one.seconds + (0.0 if one.began is None else time.monotonic() - one.began)
            row = (one.work.name, f"{one.state} {where}", one.suite, f"{one.done}/{len(one.work.suites)}", f"{seconds / 60:.1f}")
            table.add_row(*map(Text, row))
        courses = list(self._courses().values())
        table.caption = f"{sum(one.is_over for one in courses)} of {len(courses)} units are over"
        return table

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._live.__exit__(kind, error, where)


def display(courses: Callable[[], Mapping[str, Course]], stream: TextIO) -> Display:
    return Live(courses) if stream.isatty() and stream is sys.stdout else Lines(stream)
