"""What is asked of a server for a loss, what becomes of an answer that is none, and that one answer serves loss and sample."""

import json
import math
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import MeasurementError, ServerError
from quantgate.measure import turns
from quantgate.measure.journal import Journal
from quantgate.measure.prompt_logprobs import Entry, Positions, Prompt, decoded, score_all
from quantgate.measure.text_loss import LIKELIEST, SAMPLED, document_loss, likeliest, measure_text_loss
from quantgate.measure.turns import FailedRequestError
from quantgate.registry import Checkpoint
from quantgate.server.endpoint import Endpoint
from quantgate.suites import Document, Encoded, TextSuite, encode
from tests_fixtures.doubles import little_vllm
from tests_fixtures.doubles.little_vllm import LittleVllm

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
CHECKPOINT = Checkpoint(name="nvfp4", precision="nvfp4", path=str(REFERENCE), family="small")
LOOKED_AT = 4
"""Requests that go before all others to somebody else's server, to see whether it remembers."""
PROMPTS = [Prompt(f"d{number}", [number, 7, 8], 1) for number in range(40)]


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> Iterator[LittleVllm]:
    monkeypatch.delenv("QUANTGATE_API_KEY", raising=False)
    monkeypatch.setattr(turns, "WAITS_SECONDS", (0.0, 0.0))
    with little_vllm.running() as little:
        yield little


def attached(little: LittleVllm) -> Endpoint:
    return Endpoint(little.url, CHECKPOINT, REFERENCE)


def made(ids: list[int], wanted: int) -> list[Any]:
    """Logprobs that depend on the ids: of place i the own token's is −i − its id / 1000, and `wanted` likelier ones before and behind."""
    found: list[Any] = [None]
    for place, token in enumerate(ids[1:], 1):
        ranks = range(1, wanted + 1)
        others = {str(9000 + rank): {"logprob": -0.1 * rank - place / 64, "rank": rank, "decoded_token": '"'} for rank in ranks}
        own = {str(token): {"logprob": -4.0 * place - token / 1000, "rank": 70, "decoded_token": "\N{SNOWMAN}\\"}}
        found.append(own | others if place % 2 else others | own)
    return found


def first_and_length(prompt: Prompt, positions: Positions | None) -> tuple[str, int]:
    return prompt.id, len(positions or [])


def test_answers_come_in_the_order_of_the_prompts(little: LittleVllm) -> None:
    server = attached(little)
    little.score = lambda ids, _: [None] * (3 + ids[0])
    assert score_all(server, PROMPTS, first_and_length, Journal.of_nothing()) == [(f"d{number}", 3 + number) for number in range(40)]


def test_one_greedy_token_is_asked_for_beside_the_logprobs(little: LittleVllm) -> None:
    score_all(attached(little), [Prompt("d", [5, 6, 7], 4)], first_and_length, Journal.of_nothing())
    wanted = {"model": "small/nvfp4", "prompt": [5, 6, 7], "max_tokens": 1, "temperature": 0, "prompt_logprobs": 4}
    assert json.loads(little.asked["/v1/completions"]) == wanted


@pytest.mark.parametrize("key", ["", "s3cret"])
def test_a_prompt_is_sent_with_the_key_or_with_none(key: str, little: LittleVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTGATE_API_KEY", key)
    little.key = key
    server, seen = attached(little), list[str | None]()

    def answer(_: str, given: str | None, __: bytes) -> tuple[int, str]:
        seen.append(given)
        return 200, '{"choices": [{}]}'

    monkeypatch.setattr(little, "answer", answer)
    assert score_all(server, PROMPTS[:2], first_and_length, Journal.of_nothing()) == [("d0", 0), ("d1", 0)]
    assert seen == [f"Bearer {key}" if key else None] * 2


NAN = '{"error": {"message": "Out of range float values are not JSON compliant: nan", "type": "BadRequestError", "code": 400}}'


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, NAN, "Error code: 400 - Out of range float values are not JSON compliant: nan"),
        (404, '{"object": "error", "message": "no such model"}', "Error code: 404 - no such model"),
        (502, "<html>\n  Bad Gateway </html>", "Error code: 502 - <html> Bad Gateway </html>"),
        (500, "", "Error code: 500"),
        (0, "", "Connection error (Server disconnected)."),
        (200, '{"choices": []}', 'an answer without choices: {"choices": []}'),
        (200, "[1]", "an answer that is no completion (Expected `object`, got `array`): [1]"),
        (200, "", "an answer that is no completion (Expecting value: line 1 column 1 (char 0)):"),
    ],
)
def test_a_request_that_fails_ends_the_measurement_in_a_sentence(status: int, body: str, said: str, little: LittleVllm) -> None:
    server = attached(little)
    little.answers["/v1/completions"] = status, body
    with pytest.raises(MeasurementError) as error:
        score_all(server, PROMPTS, first_and_length, Journal.of_nothing())
    begins = r"small/nvfp4: 1 of 40 requests failed, so nothing was measured: d\d+: "
    assert re.fullmatch(begins + re.escape(said), str(error.value))


def test_a_key_that_a_server_repeats_is_not_shown(little: LittleVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTGATE_API_KEY", "s3cret")
    little.key = "s3cret"
    server = attached(little)
    little.answers["/v1/completions"] = 401, '{"error": {"message": "s3cret is no key of ours"}}'
    with pytest.raises(MeasurementError, match=r"Error code: 401 - \*\*\* is no key of ours$"):
        score_all(server, PROMPTS[:1], first_and_length, Journal.of_nothing())


def test_a_server_that_dies_is_told_from_a_request_that_fails(little: LittleVllm) -> None:
    server = attached(little)
    little.answers["/v1/completions"] = 500, "EngineCore died"
    little.health = 503
    with pytest.raises(ServerError, match=r"^small/nvfp4 at \S+ died"):
        score_all(server, PROMPTS[:1], first_and_length, Journal.of_nothing())


def test_a_server_that_dies_over_a_request_ends_it(little: LittleVllm) -> None:
    server = attached(little)
    little.hangs, little.health = True, 503
    with pytest.raises(ServerError, match=r"^small/nvfp4 at \S+ died \(its engine is dead\)"):
        score_all(server, PROMPTS[:1], first_and_length, Journal.of_nothing())


def test_the_first_ctrl_c_ends_the_requests_under_way(little: LittleVllm) -> None:
    def interrupted(*_: object) -> list[Any]:
        os.kill(os.getpid(), signal.SIGINT)
        little.released.wait()
        return []

    server = attached(little)
    little.score = interrupted
    with pytest.raises(KeyboardInterrupt):
        score_all(server, PROMPTS[:1], first_and_length, Journal.of_nothing())


def test_no_request_follows_the_first_that_fails(little: LittleVllm) -> None:
    server, seen = attached(little), little.seen["/v1/completions"]
    little.answers["/v1/completions"] = 400, NAN
    with pytest.raises(MeasurementError):
        score_all(server, [Prompt("d", [1, 2], 1)] * 2000, first_and_length, Journal.of_nothing())
    assert little.seen["/v1/completions"] - seen < 100


def test_what_a_measurement_finds_wrong_is_said_as_it_is(little: LittleVllm) -> None:
    server = attached(little)
    little.score = lambda *_: [None, {"5": {"logprob": -1.0}}]
    with pytest.raises(MeasurementError, match=r"^d: position 1 has no logprob for its own token 9$"):
        score_all(
            server, [Prompt("d", [1, 9], 1)], lambda prompt, came: document_loss(Encoded(prompt.id, prompt.ids), came), Journal.of_nothing()
        )


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_json_does_not_have_is_read_all_the_same(literal: str) -> None:
    (_, entries) = decoded(b'{"choices": [{"prompt_logprobs": [null, {"5": {"logprob": %b}}]}]}' % literal.encode()) or ()
    assert entries is not None
    assert not math.isfinite(entries[5].logprob)


@pytest.mark.parametrize("broken", ['{"a": {"logprob": -1}}', '{"5": {"rank": 1}}', '{"5": {"logprob": null}}', '{"5": -1}', "3"])
def test_entries_of_another_shape_are_no_completion(broken: str) -> None:
    with pytest.raises(FailedRequestError, match="an answer that is no completion "):
        decoded(b'{"choices": [{"prompt_logprobs": [null, %b]}]}' % broken.encode())


def test_what_else_an_answer_says_is_skipped() -> None:
    body = b'{"id": "cmpl-\\u00e9", "choices": [{"index": 0, "text": "\\"}{", "logprobs": null, "prompt_logprobs": [null, '
    body += b'{"5": {"rank": 3, "decoded_token": "}]\\\\", "logprob": -0.30000000000000004}}], "x": [{}]}], "usage": {"a": [1e5]}}'
    assert decoded(body) == [None, {5: Entry(-0.30000000000000004)}]


def test_a_document_of_the_sample_is_asked_once_and_has_loss_and_likeliest_tokens(little: LittleVllm) -> None:
    server = attached(little)
    little.score = made
    suite = TextSuite("s", [Document(f"d{number:02}", "add in " * (number + 2)) for number in range(30)])
    asked = little.seen["/v1/completions"]
    measured = measure_text_loss(server, suite, REFERENCE)
    assert little.seen["/v1/completions"] - asked == 30 + LOOKED_AT
    by_id = {one.id: one for one in encode(suite, REFERENCE)}
    for loss in measured.documents:  # as one that was asked for the likeliest token alone
        ids = by_id[loss.id].ids
        assert loss == document_loss(by_id[loss.id], decoded(json.dumps({"choices": [{"prompt_logprobs": made(ids, 1)}]}).encode()))
    assert len(measured.topk) == SAMPLED
    for one in measured.topk:
        ids = by_id[one.id].ids
        answer = json.dumps({"choices": [{"prompt_logprobs": made(ids, LIKELIEST)}]}).encode()
        assert one == likeliest(by_id[one.id], decoded(answer))
        assert one.tokens[0] == list(range(9001, 9001 + LIKELIEST))
    assert measured.client_cpu_share is not None
    assert 0 < measured.client_cpu_share < 4


@pytest.mark.parametrize("again", [5, 20])
def test_a_second_run_asks_its_documents_and_the_sample_once_more(again: int, little: LittleVllm) -> None:
    server = attached(little)
    little.score = made
    suite = TextSuite("s", [Document(f"d{number:02}", "add in " * (number + 2)) for number in range(30)])
    asked = little.seen["/v1/completions"]
    measured = measure_text_loss(server, suite, REFERENCE, again=again)
    second = little.seen["/v1/completions"] - asked - 30 - LOOKED_AT
    sampled, twice = {one.id for one in measured.topk}, {one.id for one in measured.again}
    assert (len(sampled), len(twice), second) == (SAMPLED, again, len(sampled | twice))
    assert measured.again == [one for one in measured.documents if one.id in twice]
    assert measured.again_divergence is not None
    assert measured.again_divergence.documents == SAMPLED
    assert measured.again_divergence.kl_nats.mean == 0


def test_a_server_that_answers_with_what_it_remembers_is_refused(little: LittleVllm) -> None:
    server, asked = attached(little), list[int]()

    def remembering(ids: list[int], wanted: int) -> list[Any]:
        asked.append(len(ids))
        found = made(ids, wanted)
        if asked.count(len(ids)) > 1:
            found[1] = {str(ids[1]): {"logprob": -40.0}}
        return found

    little.score = remembering
    suite = TextSuite("s", [Document(f"d{number:02}", "add in " * (number + 2)) for number in range(5)])
    with pytest.raises(MeasurementError) as error:
        measure_text_loss(server, suite, REFERENCE)
    assert "small/nvfp4 gives d04 other logprobs when it is asked again in another order (" in str(error.value)
    assert str(error.value).endswith("is prefix caching on? Start the server with --no-enable-prefix-caching")
    assert len(asked) == 3


def test_a_little_noise_is_no_memory(little: LittleVllm) -> None:
    server, asked = attached(little), list[int]()

    def noisy(ids: list[int], wanted: int) -> list[Any]:
        asked.append(len(ids))
        found = made(ids, wanted)
        found[1][str(ids[1])] = {"logprob": -4.0 - 0.01 * len(asked)}
        return found

    little.score = noisy
    suite = TextSuite("s", [Document(f"d{number:02}", "add in " * (number + 2)) for number in range(5)])
    assert len(measure_text_loss(server, suite, REFERENCE).documents) == 5
