"""Which suites there are: their names in models.toml, and what each asks."""

import json
from collections.abc import Callable
from pathlib import Path

from quantgate.suites.code import humaneval, mbpp
from quantgate.suites.decidable import decidable_40, decidable_400
from quantgate.suites.kinds import CodeSuite, Document, LoadSuite, Question, QuestionSuite, Suite, TextSuite
from quantgate.suites.questions import aime24, gpqa, gsm8k, math500, mmlu_pro
from quantgate.suites.texts import ultrachat, wikitext2, wikitext2_50, wikitext2_sliding

REFERENCE = Path(__file__).parent / "reference"
PROSE = Path(__file__).parent / "prose.jsonl"


def _rows(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def reference_text(_: Path | None) -> TextSuite:
    """256 documents of the reference family's source; the floor of their perplexity is known."""
    return TextSuite("reference-text", [Document(row["id"], row["text"]) for row in _rows(REFERENCE / "text.jsonl")])


def reference_questions(_: Path | None) -> QuestionSuite:
    """1,200 questions in five groups: sums, products, remainders, medians, counts."""
    asked = [Question(row["id"], row["group"], row["prompt"], row["answer"]) for row in _rows(REFERENCE / "questions.jsonl")]
    return QuestionSuite("reference-questions", asked, max_tokens=24)


def decode_16x64(_: Path | None) -> LoadSuite:
    """64 requests, 16 at once, 16 tokens in and 16 out: one to three seconds a round on a CPU."""
    return LoadSuite("decode-16x64", concurrency=16, requests=64, prompt_tokens=16, max_tokens=16, rounds=10, warm_up_rounds=1)


def decode_256(concurrency: int, requests: int, name: str | None = None) -> Callable[[Path | None], LoadSuite]:
    """128 tokens in and 256 out, three rounds: for models of a size that people serve."""
    name = name or f"decode-{concurrency}x256"
    return lambda _: LoadSuite(
        name, concurrency=concurrency, requests=requests, prompt_tokens=128, max_tokens=256, rounds=3, warm_up_rounds=1
    )


def decode_16x256_image(_: Path | None) -> LoadSuite:
    """As decode-16x256, with a picture of 448x448 pixels before each prompt, which Qwen2.5-VL makes 256 tokens of."""
    return LoadSuite(
        "decode-16x256-image", concurrency=16, requests=32, prompt_tokens=128, max_tokens=256, rounds=3, warm_up_rounds=1, image=(448, 448)
    )


def decode_1x16(_: Path | None) -> LoadSuite:
    """One chat at a time, 128 tokens in and 16 out: for weights that lie in the host's memory, where a token takes seconds."""
    return LoadSuite("decode-1x16", concurrency=1, requests=1, prompt_tokens=128, max_tokens=16, rounds=3, warm_up_rounds=1)


def prose_48(_: Path | None) -> TextSuite:
    """48 paragraphs of English, each on a subject of its own, written for this project with a language model's help in November 2026:
    text that no model has been trained on before, for machines that reach no data set. About 6,600 tokens."""
    return TextSuite("prose-48", [Document(row["id"], row["text"]) for row in _rows(PROSE)])


SUITES: dict[str, tuple[type[Suite], Callable[[Path | None], Suite]]] = {
    "reference-text": (TextSuite, reference_text),
    "reference-questions": (QuestionSuite, reference_questions),
    "decode-16x64": (LoadSuite, decode_16x64),
    "decode-1x16": (LoadSuite, decode_1x16),
    "decode-16x256": (LoadSuite, decode_256(16, 32)),
    "decode-16x256-64": (LoadSuite, decode_256(16, 64, "decode-16x256-64")),
    "decode-16x256-image": (LoadSuite, decode_16x256_image),
    "decode-64x256": (LoadSuite, decode_256(64, 128)),
    "decode-256x256": (LoadSuite, decode_256(256, 512)),
    "aime24": (QuestionSuite, aime24),
    "decidable-40": (QuestionSuite, decidable_40),
    "decidable-400": (QuestionSuite, decidable_400),
    "gpqa": (QuestionSuite, gpqa),
    "gsm8k": (QuestionSuite, gsm8k),
    "humaneval": (CodeSuite, humaneval),
    "math500": (QuestionSuite, math500),
    "mbpp": (CodeSuite, mbpp),
    "mmlu_pro": (QuestionSuite, mmlu_pro),
    "prose-48": (TextSuite, prose_48),
    "ultrachat": (TextSuite, ultrachat),
    "wikitext2": (TextSuite, wikitext2),
    "wikitext2-50": (TextSuite, wikitext2_50),
    "wikitext2-sliding": (TextSuite, wikitext2_sliding),
}
"""Name in models.toml → kind (known without reading anything) and loader (given --data-dir)."""
