"""A server whose engine dies of its first request: the log's cause is told, and not that there is one."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quantgate.errors import ServerError
from quantgate.server import Server

ANSWERED = "small/int4 answers 500 to a request for one token: "
DEAD = f"{ANSWERED}EngineCore encountered an issue. See stack trace (above) for the root cause."
LOG = "(Worker pid=7) ERROR 11-21 20:22:24 [x.py:1] AttributeError: '_OpNamespace' '_C' object has no attribute 'cpu_gemm_wna16'\n"


def booted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> Server:
    """A server that is healthy and answers its first request with this error."""

    def probe(*_: object) -> None:
        raise ServerError(said)

    for name, double in {"probe": probe, "_is_healthy": lambda *_: True, "client": lambda _: nullcontext()}.items():
        monkeypatch.setattr(Server, name, double)
    server: Any = object.__new__(Server)
    server.folder, server.log, server.model, server.death = tmp_path, tmp_path / "server.log", "small/int4", None
    server.log.write_text(LOG)
    ended = SimpleNamespace(has_ended=lambda: True, wait_for_end=lambda _: True, let_go=lambda **_: None, exit_code=0)
    server._process = ended
    found: Server = server
    return found


def test_an_engine_that_dies_of_it_is_told_by_the_log_s_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerError, match=r"^small/int4 died of its first request \(exit 0\): AttributeError: .*cpu_gemm_wna16") as error:
        booted(tmp_path, monkeypatch, DEAD).wait_until_ready()
    assert str(error.value).splitlines()[0].endswith(f"; its log is {tmp_path / 'server.log'}")


def test_an_answer_that_says_why_itself_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerError, match=r"its logprobs are not finite$"):
        booted(tmp_path, monkeypatch, f"{ANSWERED}its logprobs are not finite").wait_until_ready()
