"""The embedded family: its texts and questions are right, its model stands near the known floor."""

import ast
import json
import math
import random
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from quantgate import fingerprint
from quantgate.records import Answers, TextLoss, read_measurement
from quantgate.suites import kinds, known
from quantgate.suites.reference import questions, source
from quantgate.suites.reference.words import CHAT_TEMPLATE, build_tokenizer, vocabulary

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "fixtures" / "reference"
BF16 = REFERENCE / "bf16"
SUITES = ROOT / "quantgate" / "suites" / "reference"
BASELINES = ROOT / "baselines" / "cpu" / "reference" / "bf16"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """The one that is shipped, not the one that would be built."""
    return Tokenizer.from_file(str(BF16 / "tokenizer.json"))


@pytest.fixture(scope="module")
def text() -> kinds.TextSuite:
    return known.reference_text(None)


@pytest.fixture(scope="module")
def asked() -> kinds.QuestionSuite:
    return known.reference_questions(None)


@pytest.fixture(scope="module")
def text_baseline() -> TextLoss:
    found = read_measurement(BASELINES / "reference-text.json")
    assert isinstance(found, TextLoss)
    return found


@pytest.fixture(scope="module")
def answer_baseline() -> Answers:
    found = read_measurement(BASELINES / "reference-questions.json")
    assert isinstance(found, Answers)
    return found


def test_the_text_is_long_enough_to_decide_something(text: kinds.TextSuite, tokenizer: Tokenizer) -> None:
    assert len(text.documents) >= 200
    assert len({document.id for document in text.documents}) == len({document.text for document in text.documents}) == len(text.documents)
    assert sum(len(tokenizer.encode(document.text).ids) for document in text.documents) >= 40_000


def test_every_word_of_the_text_is_one_token(text: kinds.TextSuite, tokenizer: Tokenizer) -> None:
    for document in text.documents:
        assert tokenizer.encode(document.text).tokens == [f"Ġ{word}" for word in document.text.split(" ")], document.id


def test_every_word_and_every_digit_of_a_question_is_one_token(asked: kinds.QuestionSuite, tokenizer: Tokenizer) -> None:
    for question in asked.questions:
        words = question.prompt.split(" ")
        # A word takes its space with it; before a number the space is a token of its own, and so is every digit.
        assert len(tokenizer.encode(question.prompt).ids) == sum(1 + len(word) if word.isdigit() else 1 for word in words), question.prompt


def _paragraphs() -> list[str]:
    return [part for part in (ROOT / "LICENSE").read_text(encoding="utf-8").split("\n\n") if part.strip()]


def test_english_text_comes_back_from_the_tokenizer_as_it_was(tokenizer: Tokenizer) -> None:
    paragraphs = _paragraphs()
    assert len(paragraphs) > 30
    for paragraph in [*paragraphs, "naïve “quoted” €5, 日本語, tab\there", "two  spaces\n\n\nand lines"]:
        # Text that begins with a word is given the space that stands before every other word.
        wanted = paragraph if paragraph[0].isspace() else f" {paragraph}"
        assert tokenizer.decode(tokenizer.encode(paragraph).ids) == wanted


def _count(prompt: str) -> int:
    wanted, separator, *listed = prompt.split(" ")
    assert separator == "in"
    return Counter(listed)[wanted]


def _numbers(rest: str) -> list[int]:
    return [int(number) for number in rest.split(" ")]


def _middle(numbers: list[int]) -> int:
    assert len(numbers) % 2 == 1
    return sorted(numbers)[len(numbers) // 2]


def _left_over(left: int, right: int) -> int:
    return left - right * (left // right)


RECOMPUTED: dict[str, Callable[[str], int]] = {
    "add": lambda rest: sum(_numbers(rest)),
    "multiply": lambda rest: math.prod(_numbers(rest)),
    "remainder": lambda rest: _left_over(*_numbers(rest)),
    "median": lambda rest: _middle(_numbers(rest)),
    "count": _count,
}


def test_every_stored_answer_is_right(asked: kinds.QuestionSuite) -> None:
    for question in asked.questions:
        word, _, rest = question.prompt.partition(" ")
        assert word == question.group
        assert question.answer == str(RECOMPUTED[word](rest)), question.prompt


def test_the_questions_are_many_unique_and_of_several_kinds(asked: kinds.QuestionSuite) -> None:
    by_group = Counter(question.group for question in asked.questions)
    assert len(asked.questions) >= 600
    assert len(by_group) >= 5
    assert min(by_group.values()) >= 100
    assert len({question.prompt for question in asked.questions}) == len({question.id for question in asked.questions}) == 1200


def test_no_answer_is_longer_than_what_is_generated(asked: kinds.QuestionSuite, tokenizer: Tokenizer) -> None:
    longest = max(len(tokenizer.encode(question.answer).ids) for question in asked.questions)
    assert longest + 1 <= asked.max_tokens  # and the end token


def test_every_question_of_the_suite_is_held_out(asked: kinds.QuestionSuite) -> None:
    assert [question.prompt for question in asked.questions if not questions.held_out(question.prompt)] == []


def test_training_never_sees_a_question_of_the_suite(asked: kinds.QuestionSuite) -> None:
    reserved = {question.prompt for question in asked.questions}
    endless = questions.training_questions(random.Random(11))
    drawn = [next(endless) for _ in range(4000)]
    assert {question.group for question in drawn} == set(questions.GROUPS)
    assert [question.prompt for question in drawn if question.prompt in reserved or questions.held_out(question.prompt)] == []


def test_calibration_never_shows_a_question_or_a_text_of_the_suites(asked: kinds.QuestionSuite, text: kinds.TextSuite) -> None:
    rows = [json.loads(line)["text"] for line in (SUITES / "calibration.jsonl").read_text(encoding="utf-8").splitlines()]
    shown = {row.removeprefix("<|user|>").partition("<|end|>")[0] for row in rows if row.startswith("<|user|>")}
    assert len(shown) > 200
    assert not shown & {question.prompt for question in asked.questions}
    assert not any(map(questions.held_out, shown))
    beginnings = {" ".join(document.text.split()[:20]) for document in text.documents}
    assert not beginnings & {" ".join(row.split()[:20]) for row in rows}


def test_the_shipped_tokenizers_are_the_one_that_is_built() -> None:
    built = json.loads(build_tokenizer().to_str())
    for checkpoint in ("bf16", "fp8", "nvfp4"):
        shipped = json.loads((REFERENCE / checkpoint / "tokenizer.json").read_text(encoding="utf-8"))
        # Saving adds a post-processor, which must do nothing: it puts no token before, between or after texts.
        assert shipped.pop("post_processor")["special_tokens"] == {}
        assert shipped == {key: value for key, value in built.items() if key != "post_processor"}, checkpoint


def _rendered(messages: list[dict[str, str]], *, add_generation_prompt: bool) -> str:
    template = (BF16 / "chat_template.jinja").read_text(encoding="utf-8")
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(messages=messages, add_generation_prompt=add_generation_prompt)


def _forms_in_training() -> tuple[str, str]:
    """What `train.encode` encodes for {item.prompt} and {item.answer}, read from its source, because importing it takes torch."""
    tree = ast.parse((REFERENCE / "train.py").read_text(encoding="utf-8"))
    encode = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "encode")
    asked, said = (ast.unparse(node)[2:-1] for node in ast.walk(encode) if isinstance(node, ast.JoinedStr))
    return asked, said


def test_the_chat_template_renders_what_training_saw(asked: kinds.QuestionSuite, tokenizer: Tokenizer) -> None:
    asked_form, said_form = _forms_in_training()
    for question in asked.questions[::50]:
        messages = [{"role": "user", "content": question.prompt}]
        prompt = _rendered(messages, add_generation_prompt=True)
        assert prompt == asked_form.replace("{item.prompt}", question.prompt) == f"<|user|>{question.prompt}<|end|><|assistant|>"
        messages.append({"role": "assistant", "content": question.answer})
        answered = _rendered(messages, add_generation_prompt=False)
        trained = [
            token
            for part in (prompt, said_form.replace("{item.answer}", question.answer))
            for token in tokenizer.encode(part, add_special_tokens=False).ids
        ]
        assert tokenizer.encode(answered).ids == trained, question.prompt


def test_every_checkpoint_has_the_same_chat_template() -> None:
    for checkpoint in ("bf16", "fp8", "nvfp4"):
        assert (REFERENCE / checkpoint / "chat_template.jinja").read_text(encoding="utf-8") == CHAT_TEMPLATE


def _tensors(file: Path) -> dict[str, Any]:
    """Name → dtype, shape, offsets: safetensors' header, 8 bytes of length and then JSON."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(length))
    return {name: tensor for name, tensor in header.items() if name != "__metadata__"}


def test_the_model_is_small_and_every_linear_is_a_multiple_of_128_wide() -> None:
    file = BF16 / "model.safetensors"
    tensors = _tensors(file)
    assert file.stat().st_size <= 16 * 2**20
    assert {tensor["dtype"] for tensor in tensors.values()} == {"BF16"}
    assert 4_000_000 <= sum(math.prod(tensor["shape"]) for tensor in tensors.values()) <= 8_000_000
    linears = {name: tensor["shape"] for name, tensor in tensors.items() if name.endswith("_proj.weight")}
    assert len(linears) == 6 * 7  # q, k, v, o, gate, up, down in six layers
    assert [name for name, shape in linears.items() if any(width % 128 for width in shape)] == []


def test_the_model_s_vocabulary_holds_every_token() -> None:
    config = json.loads((BF16 / "config.json").read_text(encoding="utf-8"))
    assert (
        max(vocabulary().values()) < config["vocab_size"] == _tensors(BF16 / "model.safetensors")["model.embed_tokens.weight"]["shape"][0]
    )
    assert config["eos_token_id"] == vocabulary()["<|end|>"]


def test_the_approved_perplexity_stands_within_5_per_cent_of_the_floor(text_baseline: TextLoss) -> None:
    assert 1 < text_baseline.perplexity / math.exp(source.entropy_nats()) < 1.05


def test_the_model_does_not_know_more_than_the_source_that_wrote_the_text(text: kinds.TextSuite, text_baseline: TextLoss) -> None:
    floor = {document.id: source.true_nll_sum(source.as_words(document.text)) for document in text.documents}
    assert [document.id for document in text_baseline.documents] == list(floor)
    assert [document.tokens for document in text_baseline.documents] == [len(one.text.split()) - 1 for one in text.documents]
    lost = np.array([document.nll_sum - floor[document.id] for document in text_baseline.documents])
    assert lost.mean() > -3 * lost.std(ddof=1) / math.sqrt(len(lost))


def test_the_approved_perplexity_is_not_that_of_the_likeliest_tokens(text_baseline: TextLoss) -> None:
    assert text_baseline.top1_perplexity < 0.5 * text_baseline.perplexity


def test_the_approved_answers_stand_neither_at_the_floor_nor_at_the_ceiling(answer_baseline: Answers) -> None:
    right = [item.correct for item in answer_baseline.items]
    assert len(right) == 1200
    assert answer_baseline.accuracy == sum(right) / len(right)
    assert 0.75 <= answer_baseline.accuracy <= 0.92
    assert {group: share for group, share in answer_baseline.by_group.items() if not 0 < share < 1} == {}


def test_the_baselines_are_of_the_suites_and_the_weights_that_are_shipped(
    text_baseline: TextLoss, answer_baseline: Answers, text: kinds.TextSuite, asked: kinds.QuestionSuite
) -> None:
    assert text_baseline.provenance.suite_fingerprint == text.fingerprint
    assert answer_baseline.provenance.suite_fingerprint == asked.fingerprint
    for baseline in (text_baseline, answer_baseline):
        assert baseline.provenance.checkpoint_fingerprint == fingerprint.of_checkpoint(BF16)
        assert baseline.provenance.tokenizer_fingerprint == fingerprint.of_tokenizer(BF16)
        assert baseline.provenance.chat_template_fingerprint == fingerprint.of_chat_template(BF16)
