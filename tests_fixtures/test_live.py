"""Progress for whoever waits: rewritten on a terminal, a line a phase in a log, past pytest's capture."""

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures import live
from fixtures.live import Live

pytest_plugins = ["pytester"]


class Screen(io.StringIO):
    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def shown(lines: list[str], monkeypatch: pytest.MonkeyPatch, is_terminal: bool = False, worker: str | None = None) -> str:
    """What appears when these lines are said."""
    screen = Screen(is_terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "__stderr__", screen)
    config: Any = SimpleNamespace(pluginmanager=SimpleNamespace(getplugin=lambda _: None))
    if worker:
        config.workerinput = {"workerid": worker}
    say = Live(config)
    for line in lines:
        say(line)
    return screen.getvalue()


BOOT = ["a: loading weights, 1 s", "a: loading weights, 2 s", "a: compiling, 3 s", ""]


def test_a_log_gets_one_line_a_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(BOOT, monkeypatch) == "quantgate: a: loading weights, 1 s\nquantgate: a: compiling, 3 s\n"


def test_a_log_hears_of_a_long_phase_again(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([100.0, 114.9, 115.0, 116.0])
    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=lambda: next(times)))
    said = shown([f"a: loading weights, {second} s" for second in (0, 14, 15, 16)], monkeypatch)
    assert said == "quantgate: a: loading weights, 0 s\nquantgate: a: loading weights, 15 s\n"


def test_a_phase_that_comes_back_after_the_end_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(["a: boots, 1 s", "", "a: boots, 1 s"], monkeypatch) == "quantgate: a: boots, 1 s\n" * 2


def test_a_terminal_has_one_line_that_is_rewritten_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    clear = "\r\x1b[K"
    said = shown(BOOT, monkeypatch, is_terminal=True)
    assert said == "".join(f"{clear}quantgate: {line}" for line in BOOT[:3]) + clear
    assert shown([""], monkeypatch, is_terminal=True) == ""


def test_a_worker_says_which_it_is_and_rewrites_nobody_s_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(BOOT[:1], monkeypatch, is_terminal=True, worker="gw1") == "quantgate [gw1]: a: loading weights, 1 s\n"


def test_captured_output_does_not_swallow_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "from fixtures.live import Live\n"
        "def test_it(pytestconfig, capfd):\n"
        "    print('mine')\n"
        "    Live(pytestconfig)('a: boots, 1 s')\n"
        "    assert capfd.readouterr() == ('mine\\n', '')\n"
    )
    ran = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    ran.assert_outcomes(passed=1)
    assert "quantgate: a: boots, 1 s" in ran.stderr.str()
