"""A measurement that is interrupted, or whose process is killed, goes on where it stopped, and its record is as if it had not been."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quantgate.errors import MeasurementError
from quantgate.measure import Sitting, measure_answers, measure_text_loss, turns
from quantgate.measure.journal import conditions_of
from quantgate.measure.provenance import provenance
from quantgate.records import Measurement, Started, TextLoss, write_record
from quantgate.registry import Checkpoint, Serve
from quantgate.server.endpoint import Endpoint
from quantgate.suites import Document, Question, QuestionSuite, TextSuite
from tests_fixtures.doubles.little_vllm import LittleVllm, running

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
CHECKPOINT = Checkpoint(name="nvfp4", precision="nvfp4", path=str(REFERENCE), family="small")
ROOT = Path(__file__).parents[2]
QUESTIONS = QuestionSuite("sums", [Question(f"q{n}", "sums", f"{n} + 1?", str(n + 1 + (n % 7 == 0))) for n in range(40)], 64)
TEXTS = TextSuite("texts", [Document(f"d{n}", f"document {n} of many") for n in range(40)])
SECONDS = 60
AT_ONCE = 4


class Slow(LittleVllm):
    """Answers sums, and texts; after `stops_after` of them it keeps the next ones waiting, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self.stops_after = sys.maxsize
        self.stands = threading.Event()
        self.numbers: list[str] = []
        self._lock = threading.Lock()
        self.score = lambda ids, wanted: [
            None,
            *({str(t): {"logprob": -t / 999}} | {str(9000 + r): {"logprob": -0.1} for r in range(wanted)} for t in ids[1:]),
        ]

    def _keyed(self, path: str, key: str | None, body: bytes) -> tuple[int, str]:
        if path not in ("/v1/chat/completions", "/v1/completions"):
            return super()._keyed(path, key, body)
        with self._lock:
            self.numbers.append(path)
            waits = len(self.numbers) > self.stops_after
        if waits:
            self.stands.set()
            self.released.wait()
        if path == "/v1/completions":
            return super()._keyed(path, key, body)
        number = json.loads(body)["messages"][0]["content"].split()[0]
        message = {"role": "assistant", "content": str(int(number) + 1)}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
        return 200, json.dumps({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage})


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    monkeypatch.delenv("QUANTGATE_API_KEY", raising=False)
    monkeypatch.setattr(turns, "CONCURRENCY", AT_ONCE)
    monkeypatch.setattr(turns, "WAITS_SECONDS", (0.0, 0.0))
    with running(made=Slow) as little:
        assert isinstance(little, Slow)
        yield little


def plain(measured: Measurement) -> dict[str, Any]:
    """The record without its times."""
    told: dict[str, Any] = msgspec.to_builtins(measured)
    for name in ("started", "seconds"):
        del told["provenance"][name]
    told.pop("client_cpu_share", None)
    return told


def measure(url: str, kind: str, folder: Path | None, told: list[tuple[str, str]] | None = None) -> Measurement:
    server = Endpoint(url, CHECKPOINT, REFERENCE)
    sitting = Sitting(folder, tell=lambda *one: told.append(one) if told is not None else None)
    if kind == "answers":
        return measure_answers(server, QUESTIONS, 10, sitting)
    return measure_text_loss(server, TEXTS, REFERENCE, 10, sitting)


CHILD = textwrap.dedent("""
    import sys
    from pathlib import Path
    from quantgate.measure import turns
    from tests_fixtures.measure.test_long_suites import measure
    turns.CONCURRENCY = 4
    measure(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
""")


@pytest.mark.thorough
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize(("kind", "after", "kept"), [("answers", 5, 1), ("answers", 29, 25), ("answers", 44, 40), ("texts", 20, 12)])
def test_an_ended_process_has_kept_what_had_come(slow: Slow, tmp_path: Path, kind: str, after: int, kept: int, how: signal.Signals) -> None:
    whole = plain(measure(slow.url, kind, None))
    asked_in_all = len(slow.numbers)
    slow.numbers.clear()
    slow.stops_after = after
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, slow.url, kind, str(tmp_path)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,  # noqa: PLW1509 (nothing forks here)
    )
    try:
        assert slow.stands.wait(SECONDS)
        file = tmp_path / "small" / "nvfp4" / ("sums.unfinished.jsonl" if kind == "answers" else "texts.unfinished.jsonl")
        while len(file.read_bytes().splitlines()) - 1 < kept and child.poll() is None:
            os.sched_yield()
        os.kill(child.pid, how)
        assert child.wait(SECONDS) != 0
    finally:
        child.kill()
        slow.released.set()
    there = len(file.read_bytes().splitlines()) - 1
    assert kept <= there < asked_in_all
    slow.numbers.clear()
    slow.stops_after = sys.maxsize
    told: list[tuple[str, str]] = []
    measured = measure(slow.url, kind, tmp_path, told)
    assert plain(measured) == whole
    # What the ended process had just sent may reach the server only now.
    assert 0 <= len(slow.numbers) - (asked_in_all - there) <= AT_ONCE
    assert [line for _, line in told if f"goes on with {there} answers" in line]
    assert file.exists()
    write_record(tmp_path, measured)
    assert not file.exists()


def test_where_too_many_fail_nothing_that_came_is_lost(slow: Slow, tmp_path: Path) -> None:
    whole = plain(measure(slow.url, "answers", None))
    slow.answers["/v1/chat/completions"] = 500, "no"
    told: list[tuple[str, str]] = []
    with pytest.raises(MeasurementError, match=r"1 of 40 requests failed, so nothing was measured: q\d+: Error code: 500"):
        measure(slow.url, "answers", tmp_path, told)
    assert told == []  # nothing had come
    del slow.answers["/v1/chat/completions"]
    assert plain(measure(slow.url, "answers", tmp_path, told)) == whole


def test_another_way_to_serve_it_begins_anew(slow: Slow, tmp_path: Path) -> None:
    measure(slow.url, "answers", tmp_path)
    slow.numbers.clear()
    told: list[tuple[str, str]] = []
    server = Endpoint(slow.url, msgspec.structs.replace(CHECKPOINT, serve=Serve(max_model_len=512)), REFERENCE)
    measure_answers(server, QUESTIONS, 10, Sitting(tmp_path, tell=lambda *one: told.append(one)))
    assert slow.numbers.count("/v1/chat/completions") == 50
    assert told[0][1].endswith("serve.max model len was not there and is 512")


def test_the_hour_and_the_card_are_no_conditions(slow: Slow) -> None:
    server = Endpoint(slow.url, CHECKPOINT, REFERENCE)
    under = provenance(server, "suite", {"temperature": 0}, Started())
    later = msgspec.structs.replace(under, started="2027-01-01T00:00:00+00:00", seconds=9.0, gpu_uuid=["GPU-2"])
    assert conditions_of(server, later) == conditions_of(server, under)
    assert conditions_of(server, msgspec.structs.replace(under, vllm="1.0")) != conditions_of(server, under)


def test_what_was_not_asked_now_says_nothing_of_the_client_and_a_record_ends_it(slow: Slow, tmp_path: Path) -> None:
    first, again = (measure(slow.url, "texts", tmp_path) for _ in range(2))
    assert isinstance(first, TextLoss)
    assert isinstance(again, TextLoss)
    assert first.client_cpu_share is not None
    assert again.client_cpu_share is None
    (kept,) = (tmp_path / "small" / "nvfp4").iterdir()
    write_record(tmp_path, again)
    assert not kept.exists()
