"""The engine is asked in a process of its own: a double of it answers, refuses, stalls, swells and dies."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quantgate.checkpoint.engine import Engine, as_served
from quantgate.errors import ConfigurationError
from quantgate.registry import Serve
from tests_fixtures.doubles import fake_engine

DONE = {"vllm": "0.99.0", "stage": "done", "parameters": 12}


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter whose vLLM is the double."""
    file = tmp_path / "python"
    file.write_text(f"#!/bin/sh\nexec {sys.executable} {fake_engine.__file__}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "checkpoint", **wanted: Any) -> Path:
        made = tmp_path / name
        made.mkdir()
        (made / "engine.json").write_text(json.dumps(wanted), encoding="utf-8")
        return made

    return make


def test_one_process_answers_for_many_checkpoints_and_is_gone_at_the_end(python: Path, folder: Callable[..., Path]) -> None:
    with Engine(python) as engine:
        first = engine.ask(folder("a", answer=DONE), ["--dtype", "half"])
        pid = engine._process and engine._process.pid
        second = engine.ask(folder("b", answer=DONE | {"unwritten": ["lm_head.weight"]}))
        assert engine._process is not None
        assert (engine._process.pid, engine._process.poll()) == (pid, None)
        scratch = engine._scratch
    assert (first.vllm, first.parameters, first.ended, first.quantization) == ("0.99.0", 12, "", "--dtype half")
    assert (second.unwritten, second.ended) == (["lm_head.weight"], "")
    assert not scratch.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)


def test_what_takes_too_long_is_killed_and_the_next_one_is_asked_again(python: Path, folder: Callable[..., Path]) -> None:
    with Engine(python, limit_seconds=1.5) as engine:
        started = time.monotonic()
        slow = engine.ask(folder("slow", answer=DONE | {"stage": "weights"}, seconds=60))
        assert time.monotonic() - started < 10
        assert (slow.ended, slow.stage) == ("it took longer than 1.5 s", "weights")
        assert engine.ask(folder("quick", answer=DONE)).ended == ""


def test_what_takes_too_much_memory_is_killed(python: Path, folder: Callable[..., Path]) -> None:
    with Engine(python, memory_gib=0.1) as engine:
        assert engine.ask(folder(answer=DONE, mib=300, seconds=60)).ended.endswith("GiB of memory, of 0.1 allowed")


@pytest.mark.parametrize(
    ("wanted", "ended"),
    [
        ({"exit": 3}, "it ended with exit code 3 (a line of vLLM's log)"),
        ({"dies": True}, "its process ended (a line of vLLM's log / no libcudart.so)"),
    ],
)
def test_a_crash_is_told_with_the_last_words(python: Path, folder: Callable[..., Path], wanted: dict[str, Any], ended: str) -> None:
    with Engine(python) as engine:
        assert engine.ask(folder(**wanted)).ended == ended


def test_a_python_that_is_none_and_one_without_vllm_are_mistakes_of_the_user(
    python: Path, folder: Callable[..., Path], tmp_path: Path
) -> None:
    with Engine(tmp_path / "nowhere") as engine, pytest.raises(ConfigurationError, match=r"nowhere cannot be started \(No such file"):
        engine.ask(tmp_path)
    absent = {"error": {"kind": "ModuleNotFoundError", "text": "No module named 'vllm'"}}
    with Engine(python) as engine, pytest.raises(ConfigurationError, match=r"python cannot import vLLM \(No module named 'vllm'\)"):
        engine.ask(folder(answer=absent))


def test_another_python_is_started_without_what_this_one_lives_on(python: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python.write_text(f"#!/bin/sh\nenv > {tmp_path}/seen\nexit 1\n", encoding="utf-8")
    for name in ("PYTHONPATH", "VLLM_PLUGINS", "HF_TOKEN"):
        monkeypatch.setenv(name, "x")
    with Engine(python) as engine:
        assert engine.ask(tmp_path).ended == "its process ended (without a word)"
    seen = {line.partition("=")[0] for line in (tmp_path / "seen").read_text().splitlines()}
    assert not seen & {"PYTHONPATH", "VLLM_PLUGINS", "HF_TOKEN"}


def test_it_is_asked_as_the_checkpoint_is_served() -> None:
    assert as_served(Serve()) == ["--dtype", "auto"]
    served = Serve(dtype="half", trust_remote_code=True, args=["--quantization", "fp8"])
    assert as_served(served) == ["--dtype", "half", "--trust-remote-code", "--quantization", "fp8"]
