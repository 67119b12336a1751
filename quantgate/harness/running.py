"""A harness's process: heard, logged without the server's key, watched together with the server, and over when we are."""

import asyncio
import contextlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from quantgate.errors import MeasurementError
from quantgate.harness.asked import LOG, Asked, Command, Harness
from quantgate.harness.data import OFFLINE
from quantgate.measure import Sitting
from quantgate.programs import Ended, run
from quantgate.server import Serving, watched

BAR = re.compile(r"^(?P<what>[^:|]*?):? +(?P<percent>\d+)%\|[^|]*\| *(?P<done>\d+)/(?P<total>\d+)")
"""A line of tqdm's: "Requesting API:  41%|####   | 41/100 [00:10<00:15,  4.1it/s]"."""
SAMPLES = re.compile(r"[Ss]amples:? +(?P<done>[\d,]+) ?/ ?(?P<total>[\d,]+)")
"""Inspect's plain display."""
NAMED = 400
"""Characters of a harness's last line that a sentence has."""


class Telling:
    """Who is told what goes on while an environment is made, as `Tells` has it: the line for whoever waits, and the summary."""

    def __init__(self, sitting: Sitting, name: str) -> None:
        self._sitting, self._name, self._phase, self._since = sitting, name, "", 0.0

    def say(self, line: str) -> None:
        self._sitting.say(f"{self._name}: {line}")

    def quote(self, lines: Sequence[str]) -> None:
        sys.stderr.write("".join(f"{line}\n" for line in lines))

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._phase, self._since = name, time.monotonic()
        self.say(name)
        yield
        self._sitting.tell("server", f"{self._name}: {name}: {time.monotonic() - self._since:.1f} s, for this and all later runs")

    def hear(self, line: str) -> None:  # noqa: ARG002 (it tells only that time passes)
        self.say(f"{self._phase}, {time.monotonic() - self._since:.0f} s")


def run_harness(harness: Harness, asked: Asked, command: Command, sitting: Sitting) -> Ended:
    """Run it to its end. Raises ServerError where the server is what failed meanwhile."""
    log, name = asked.folder / LOG, f"{asked.server.checkpoint} {asked.suite.name}"
    key = str(asked.server.api_key)
    with log.open("a", encoding="utf-8") as file, _watching(asked.server) as look:

        def hear(line: str) -> None:
            look()
            if not line:
                return
            plain = line.replace(key, "***") if key else line
            if (shown := progress_of(plain)) is not None:
                sitting.say(f"{name}: {harness.name}, {shown}")
            else:
                file.write(plain + "\n")
                file.flush()

        try:
            ended = run(command.line, environment_of(asked, command), hear, command.cwd)
        finally:
            sitting.say("")
    if ended.code:
        asked.server.confirm_alive()
    return ended._replace(last=[line.replace(key, "***") if key else line for line in ended.last])


def environment_of(asked: Asked, command: Command) -> dict[str, str]:
    """Ours, with what the harness needs. Nothing between it and the server, and no hub where data come from files."""
    host = urlsplit(asked.server.base_url).hostname or ""
    direct = ",".join(filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), host)))
    env = {key: value for key, value in os.environ.items() if key != "QUANTGATE_API_KEY"}
    env |= {"NO_PROXY": direct, "no_proxy": direct, "TOKENIZERS_PARALLELISM": "false", "COLUMNS": "160"}
    return env | (OFFLINE if asked.suite.data is not None else {}) | command.env


def progress_of(line: str) -> str | None:
    """How far it is, from a line that says so; "41 of 100"."""
    found = BAR.match(line) or SAMPLES.search(line)
    if found is None:
        return None if "%|" not in line else ""
    what = found.groupdict().get("what") or ""
    return f"{what.strip().lower()} {found['done']} of {found['total']}".strip()


def why_it_failed(harness: Harness, asked: Asked, ended: Ended) -> MeasurementError:
    """Of one that ended without a word for us."""
    who = f"{asked.server.checkpoint} {asked.suite.name}: {harness.name}"
    log = f"its log is {asked.folder / LOG}"
    if ended.code == -signal.SIGKILL:
        return MeasurementError(f"{who} was killed (SIGKILL), most often by a system that is out of memory; {log}")
    how = f"exit code {ended.code}" if ended.code >= 0 else signal.Signals(-ended.code).name
    last = next((line.strip() for line in reversed(ended.last) if line.strip()), "it said nothing")
    return MeasurementError(f"{who} ended with {how} ({last[:NAMED]}); {log}")


@contextlib.contextmanager
def _watching(server: Serving) -> Iterator[Callable[[], None]]:
    """Gives what raises ServerError as soon as the server has died or hangs. The watch begins at its first call: the process is there
    by then, and a fork with a second thread beside it is none that anybody wants."""
    over: list[BaseException] = []
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    def watch() -> None:
        try:
            loop.run_until_complete(watched(server, done.wait()))
        except BaseException as error:  # noqa: BLE001 (raised where somebody hears it)
            over.append(error)

    thread = threading.Thread(target=watch, name=f"watch of {server.model}", daemon=True)

    def look() -> None:
        if not thread.ident:
            thread.start()
        if over:
            raise over[0]

    try:
        yield look
    finally:
        if thread.ident:
            loop.call_soon_threadsafe(done.set)
            thread.join()
        loop.close()


def told_of(folder: Path) -> Path:
    """Where a program says what came of it."""
    return folder / "told.json"
