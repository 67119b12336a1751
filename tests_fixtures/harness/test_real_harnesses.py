"""The harnesses themselves, in the environments that uv makes for them, against a server that answers as its questions say."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from quantgate.errors import ConfigurationError, GatedDataError, MeasurementError
from quantgate.harness import measure_harness
from quantgate.measure import Sitting
from quantgate.records import Answer
from quantgate.server import Serving
from quantgate.suites import HarnessSuite
from tests_fixtures.doubles.scripted import Scripted

pytestmark = pytest.mark.thorough
TASKS = Path(__file__).parent / "tasks"
LM_EVAL = HarnessSuite(name="named", harness="lm-eval", task=str(TASKS / "named.yaml"), max_tokens=24, content="x", seed=5)
INSPECT = HarnessSuite(name="named", harness="inspect", task=f"{TASKS / 'named.py'}@named", max_tokens=24, content="x", seed=5)
RIGHT = {"right 0", "right 1", "right 2"}
ASKED = ["right 0", "wrong 0", "right 1", "cut off 0", "reasoning alone 0", "empty 0", "right 2"]


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from quantgate.harness import inspect_tasks, lm_eval

    for module in (lm_eval, inspect_tasks):
        monkeypatch.setattr(module, "CONCURRENCY", 2)
        monkeypatch.setattr(module, "ATTEMPTS", 1)


def question_of(items: list[Answer]) -> dict[str, Answer]:
    """By what was asked: Inspect's ids are that, and lm-eval's end in the document's number."""
    return {item.id if item.id in ASKED else ASKED[int(item.id.rpartition(":")[2])]: item for item in items}


@pytest.mark.parametrize("suite", [LM_EVAL, INSPECT], ids=["lm-eval", "Inspect"])
def test_every_answer_is_counted_as_what_it_is(server: Serving, scripted: Scripted, suite: HarnessSuite, tmp_path: Path) -> None:
    found = measure_harness(server, suite, 2, Sitting(tmp_path))
    assert sorted(body["messages"][-1]["content"] for body in scripted.bodies) == sorted([*ASKED, *ASKED[:2]])
    by_question = question_of(found.items)
    assert {name for name, item in by_question.items() if item.correct} == RIGHT
    assert found.accuracy == 3 / 7
    assert [name for name, item in by_question.items() if item.finish_reason in ("length", "max_tokens")] == [
        "cut off 0",
        "reasoning alone 0",
    ]
    assert {item.completion_tokens for item in found.items} == {24}
    assert by_question["reasoning alone 0"].open_think
    assert {name: item.correct for name, item in question_of(found.again).items()} == {"right 0": True, "wrong 0": False}
    for body in scripted.bodies:
        sent = {name: body[name] for name in ("temperature", "max_tokens", "seed", "top_p", "top_k", "repetition_penalty")}
        assert sent == {"temperature": 0, "max_tokens": 24, "seed": 5, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0}
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"a-secret-key" not in file.read_bytes(), file


@pytest.mark.parametrize("suite", [LM_EVAL, INSPECT], ids=["lm-eval", "Inspect"])
def test_what_came_before_a_failure_is_not_asked_again(server: Serving, scripted: Scripted, suite: HarnessSuite, tmp_path: Path) -> None:
    scripted.instead = {"empty": "HTTP 500"}
    with pytest.raises(MeasurementError, match=r"500|InternalServerError"):
        measure_harness(server, suite, 0, Sitting(tmp_path))
    asked = {body["messages"][-1]["content"] for body in scripted.bodies}
    assert len(asked) >= 6
    scripted.instead = {}
    scripted.bodies.clear()
    found = measure_harness(server, suite, 0, Sitting(tmp_path))
    again, has_to = {body["messages"][-1]["content"] for body in scripted.bodies}, {"empty 0"} | (set(ASKED) - asked)
    assert has_to <= again
    assert len(again - has_to) <= 2  # an answer that was under way when the harness ended is in nobody's hands
    assert (len(found.items), found.accuracy, found.failed) == (7, 3 / 7, {})
    assert {item.completion_tokens for item in found.items} == {24}


@pytest.mark.parametrize("suite", [LM_EVAL, INSPECT], ids=["lm-eval", "Inspect"])
def test_a_task_that_there_is_not_is_named_with_the_nearest(server: Serving, suite: HarnessSuite) -> None:
    asked, near = {"lm-eval": ("gsm8kk", "gsm8k"), "inspect": ("inspect_evals/gsm8kk", "inspect_evals/gsm8k")}[suite.harness]
    with pytest.raises(ConfigurationError, match=rf"has no task {asked} \(did you mean {near}\?\); it has [\d,]+$"):
        measure_harness(server, msgspec.structs.replace(suite, task=asked, content=""))


REAL = {"lm-eval": "gsm8k", "inspect": "inspect_evals/gsm8k"}


@pytest.mark.parametrize("suite", [LM_EVAL, INSPECT], ids=["lm-eval", "Inspect"])
def test_without_a_network_the_cache_and_the_option_are_named(
    server: Serving, suite: HarnessSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        ConfigurationError, match=r"is not in the cache .*, and the hub cannot be reached; connect, or name a folder with --data-dir$"
    ):
        measure_harness(server, msgspec.structs.replace(suite, task=REAL[suite.harness], content=""))


@contextmanager
def gated_hub() -> Iterator[str]:
    """A hub whose every repository wants its terms accepted."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.send_response(403)
            self.send_header("X-Error-Code", "GatedRepo")
            self.send_header("X-Error-Message", "Access to dataset is restricted.")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_POST = _answer  # noqa: N815 (the library's names)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as hub:
        thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{hub.server_address[1]}"
        hub.shutdown()
        thread.join()


@pytest.mark.parametrize("suite", [LM_EVAL, INSPECT], ids=["lm-eval", "Inspect"])
def test_gated_data_say_where_to_ask_and_how_to_log_in(
    server: Serving, suite: HarnessSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with gated_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub)
        with pytest.raises(GatedDataError) as raised:
            measure_harness(server, msgspec.structs.replace(suite, task=REAL[suite.harness], content=""))
    assert f"openai/gsm8k is gated: ask for access on {hub}/datasets/openai/gsm8k, then log in (hf auth login, or HF_TOKEN)" in str(
        raised.value
    )


@pytest.mark.parametrize("suite", [LM_EVAL, INSPECT], ids=["lm-eval", "Inspect"])
def test_a_task_of_its_own_name_reads_local_files(server: Serving, scripted: Scripted, suite: HarnessSuite, tmp_path: Path) -> None:
    rows = [{"question": name, "answer": "So it is.\n#### 42"} for name in ASKED]
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    plain = msgspec.structs.replace(suite, task=REAL[suite.harness], content="", data=tmp_path)
    if suite.harness == "inspect":
        plain = msgspec.structs.replace(plain, args={"fewshot": 0})
    else:
        with pytest.raises(
            ConfigurationError, match=r"it has no split train, only test; put it there in the hub's form, or write fewshot = 0"
        ):
            measure_harness(server, plain)
        plain = msgspec.structs.replace(plain, fewshot=0)
    scripted.named_by = lambda prompt: next((name for name in ASKED if name in prompt), "wrong 0")
    found = measure_harness(server, plain)
    assert (len(found.items), found.accuracy) == (7, 3 / 7)
