"""Small programs that stand in for vLLM in the care of a watchdog, each ending in its own way or not at all."""

from pathlib import Path

from tests_fixtures.doubles.processes import until

PRELUDE = """
import os, signal
def say(*words): os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def obey(*_): say("asked"); os._exit(3)
"""
OBEDIENT = PRELUDE + "signal.signal(signal.SIGTERM, obey); say('pid', os.getpid()); [signal.pause() for _ in iter(int, 1)]"
STUBBORN = PRELUDE + "signal.signal(signal.SIGTERM, signal.SIG_IGN); say('pid', os.getpid()); [signal.pause() for _ in iter(int, 1)]"
ORPHAN = """
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say("pid", os.getpid())
    while True: signal.pause()
"""
DAEMON = """
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    os.chdir("/")
    for one in (0, 2): os.dup2(os.open(os.devnull, os.O_RDWR), one)
    say("pid", os.getpid())
    os.dup2(0, 1)
    os.closerange(3, 64)
    while True: signal.pause()
"""
CHILD = """
if not os.fork():
    say("pid", os.getpid())
    while True: signal.pause()
"""
WAITS = "signal.signal(signal.SIGTERM, obey)\nsay('pid', os.getpid())\nwhile True: signal.pause()"


def pids(log: Path, count: int = 1) -> list[int]:
    """Of the processes that have said theirs, once so many have."""

    def said() -> list[int]:
        return [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("pid ")] if log.exists() else []

    until(lambda: len(said()) >= count, f"{count} pids in {log}")
    return said()
