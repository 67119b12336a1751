"""Who belongs to a run: found by mark, and by session where the mark has been written over."""

import subprocess
import sys

from tests_fixtures.doubles.marked import Marked
from tests_fixtures.doubles.processes import until

LIMIT_SECONDS = 30.0
HIDES = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={}, start_new_session=False)
print(child.pid, flush=True)
sys.stdin.read()  # until its session has been seen
os._exit(0)
"""


def test_a_process_without_the_mark_is_found_by_its_session_when_its_marked_parent_has_gone() -> None:
    with Marked() as mark:
        pipe = subprocess.PIPE
        parent = subprocess.Popen([sys.executable, "-c", HIDES], env=mark.variables, stdin=pipe, stdout=pipe, start_new_session=True)
        assert parent.stdin is not None
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until(lambda: child in mark.alive(), "the child", LIMIT_SECONDS)
        parent.stdin.close()
        parent.wait()
        assert mark.alive() == [child]
        subprocess.run(["/bin/kill", "-9", str(child)], check=True)
        until(lambda: mark.alive() == [], "the end of the child", LIMIT_SECONDS)
        parent.stdout.close()


def test_our_own_session_is_nobody_s_mark() -> None:
    with Marked() as mark:
        marked = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=mark.variables)
        stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        until(lambda: mark.alive() == [marked.pid], "the marked process alone", LIMIT_SECONDS)
        for one in (marked, stranger):
            one.kill()
            one.wait()
        assert mark.alive() == []
