"""Progress: a line that is written anew on a terminal, a line now and then in a log."""

import io
import time

import pytest

from quantgate.programs.progress import Progress
from tests_fixtures.doubles.fake_llmcompressor import Terminal


def test_on_a_terminal_the_line_of_the_phase_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    shown = Terminal()
    progress = Progress(shown)
    with progress.phase("quantizing"):
        now = 103.0
        progress.hear("(3/7): Calibrating:  41%|████      | 210/512 [00:12<00:18, 16.4it/s]")
        now = 103.1
        progress.hear("(3/7): Calibrating:  42%|████      | 215/512 [00:12<00:18, 16.4it/s]")
        now = 105.0
    head = "\r\x1b[Kquantgate quantize: quantizing"
    assert shown.getvalue() == f"{head}, part 3 of 7, calibrating 41 %, 3 s{head}: 5.0 s\n"
    assert progress.phases == {"quantizing": 5.0}


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    log = io.StringIO()
    progress = Progress(log)
    progress.begin("saving")
    for second in range(0, 40):
        now = float(second)
        progress.hear("")
    progress.begin("looking")
    assert log.getvalue().splitlines() == [f"quantgate quantize: saving{rest}" for rest in (", 15 s", ", 30 s", ": 39.0 s")]


def test_a_phase_that_fails_takes_its_line_away() -> None:
    shown = Terminal()
    progress = Progress(shown)
    with pytest.raises(RuntimeError), progress.phase("quantizing"):
        raise RuntimeError
    assert shown.getvalue().endswith("\r\x1b[K")
    assert progress.phases == {}
