"""Acceptance: what a checkpoint that works says, and what is made of one that does not."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from quantgate import fingerprint
from quantgate.errors import MeasurementError
from quantgate.measure.acceptance import PROMPTS, SPRINKLED, generate, sprinkle
from quantgate.registry import Checkpoint, Serve

if TYPE_CHECKING:
    import httpx

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
Answer = Callable[[dict[str, Any]], tuple[int, str]]


class Served:
    """A server whose answers are a function of what it is asked."""

    model, folder = "small/nvfp4", REFERENCE
    checkpoint = Checkpoint(name="nvfp4", precision="nvfp4", path=str(REFERENCE), family="small", serve=Serve(max_model_len=64))

    def __init__(self, answer: Answer) -> None:
        self.answer, self.asked, self.confirmed = answer, list[dict[str, Any]](), 0

    def client(self) -> "httpx.Client":
        import httpx

        def handle(request: "httpx.Request") -> "httpx.Response":
            self.asked.append(json.loads(request.content))
            status, text = self.answer(self.asked[-1])
            return httpx.Response(status, text=text)

        return httpx.Client(base_url="http://server", transport=httpx.MockTransport(handle))

    def confirm_alive(self) -> None:
        self.confirmed += 1


def served(answer: Answer) -> Any:
    return Served(answer)


def choice(**told: Any) -> tuple[int, str]:
    return 200, json.dumps({"choices": [told]})


def says(tokens: list[str], logprobs: list[float], reason: str = "length") -> Answer:
    return lambda _: choice(logprobs={"tokens": tokens, "token_logprobs": logprobs}, finish_reason=reason)


def every_position(logprob: float, at: int = -1) -> Answer:
    """prompt_logprobs for whatever was asked: −1 everywhere, and `logprob` at one position; the likeliest token beside the own."""

    def answer(body: dict[str, Any]) -> tuple[int, str]:
        entries = [None, *({str(token): {"logprob": -1.0}, "-1": {"logprob": -0.1}} for token in body["prompt"][1:])]
        if at > 0:
            entries[at] = {str(body["prompt"][at]): {"logprob": logprob}}
        return choice(prompt_logprobs=entries)

    return answer


def test_greedy_answers_are_kept_with_their_logprobs() -> None:
    server = served(says([" Par", "is"], [-0.5, 0.0], "stop"))
    found = generate(server)
    assert [one.prompt for one in found] == list(PROMPTS)
    assert (found[0].tokens, found[0].logprobs, found[0].finish_reason) == ([" Par", "is"], [-0.5, 0.0], "stop")
    assert {one["temperature"] for one in server.asked} == {0}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (says([], [], "stop"), r"^small/nvfp4 answers 'The capital of France is' with no token at all \(finish_reason stop\)$"),
        (says(["a", "b"], [-1.0, math.nan]), r"^small/nvfp4: the logprob of token 2 of its answer to 'The capital .*' is nan$"),
        (says(["a"], [0.5]), r"the logprob of token 1 of its answer to .* is 0.5$"),
        (lambda _: (400, "Out of range float values are not JSON compliant: nan"), r"answers 400: its logprobs are not finite; check "),
        (lambda _: (500, "EngineCore died"), r"answers 500: EngineCore died$"),
    ],
)
def test_an_answer_that_is_none_is_one_sentence(answer: Answer, said: str) -> None:
    with pytest.raises(MeasurementError, match=said):
        generate(served(answer))


def test_tokens_from_the_whole_vocabulary_are_asked_for_within_the_context() -> None:
    server = served(every_position(-1.0))
    assert sprinkle(server) == SPRINKLED * 62
    size = fingerprint.tokenizer(REFERENCE).get_vocab_size(with_added_tokens=True)
    asked = [token for one in server.asked for token in one["prompt"]]
    assert {len(one["prompt"]) for one in server.asked} == {63}
    assert min(asked) < 0.05 * size
    assert 0.95 * size < max(asked) < size
    assert len({tuple(one["prompt"]) for one in server.asked}) == SPRINKLED
    again = served(every_position(-1.0))
    sprinkle(again)
    assert again.asked == server.asked


@pytest.mark.parametrize("logprob", [math.inf, -math.inf, math.nan, 0.1])
def test_one_position_that_is_no_logprob_is_found(logprob: float) -> None:
    with pytest.raises(MeasurementError, match=rf"the logprob of token 7 of prompt 1 of 8, drawn from the whole vocabulary is {logprob}$"):
        sprinkle(served(every_position(logprob, at=7)))


def test_a_server_that_died_is_told_from_a_bad_answer() -> None:
    import httpx

    def gone(_: dict[str, Any]) -> tuple[int, str]:
        raise httpx.ReadError("gone")

    server = served(gone)
    with pytest.raises(MeasurementError, match=r"^small/nvfp4 did not answer \(ReadError\)$"):
        sprinkle(server)
    assert server.confirmed == 1
