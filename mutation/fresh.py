"""Suites that nobody has seen, drawn from the generators under new seeds: an unharmed checkpoint must not fail on them."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import msgspec
import numpy as np

from mutation.mutant import REFERENCE
from mutation.sample import distinct
from mutation.table import Fresh
from quantgate.devices import Slot
from quantgate.judgement import Others, judge_answers, judge_text
from quantgate.measure import measure_answers, measure_text_loss
from quantgate.records import Answers, TextLoss, Verdict, write_whole
from quantgate.registry import Tolerance
from quantgate.server import Server
from quantgate.suites import Document, Question, QuestionSuite, TextSuite
from quantgate.suites.reference import questions, source
from quantgate.suites.reference.make_suites import LONGEST, SHORTEST

FRESH_SUITES = 20
DOCUMENTS, QUESTIONS = 128, 600
FIRST_SEED = 77_000
TESTED = ("fp8", "nvfp4")


def text_suite(seed: int) -> TextSuite:
    """DOCUMENTS documents from the reference family's source."""
    lengths = np.linspace(SHORTEST, LONGEST, DOCUMENTS).round().astype(int)
    drawn = source.sample(np.random.default_rng(seed), DOCUMENTS, LONGEST)
    texts = [source.as_text(words[:length]) for words, length in zip(drawn, lengths, strict=True)]
    return TextSuite(f"fresh-text-{seed}", [Document(f"text-{number:03}", text) for number, text in enumerate(texts)])


def question_suite(seed: int) -> QuestionSuite:
    """QUESTIONS questions in the suite's groups and levels, held out of training, none of them in the shipped suite."""
    rng, asked = random.Random(seed), list[Question]()
    seen = {question.prompt for question in questions.suite_questions()}
    per_group = QUESTIONS // len(questions.SUITE)
    for group, levels in questions.SUITE.items():
        for number, level in enumerate(levels):
            share = len(range(number, per_group, len(levels)))
            found = distinct(rng, group, level, share, seen)
            asked += [Question(f"{group}-{level}-{place:04}", group, one.prompt, one.answer) for place, one in enumerate(found)]
    return QuestionSuite(f"fresh-questions-{seed}", asked, max_tokens=24)


def fresh_suites(
    serve: Callable[[str, Path, Slot, Path], Server], tolerances: Mapping[str, Tolerance], slots: Sequence[Slot], rows: Path, wanted: int
) -> None:
    """Judge the unharmed checkpoints on `wanted` new suites, BF16 measured on each beside them; three boots in all.

    `serve` boots the checkpoint of a name from a folder, on a slot, with a log.
    """
    missing = [seed for seed in range(FIRST_SEED, FIRST_SEED + wanted) if not (rows / f"{seed}.json").exists()]
    if not missing:
        return
    names = ("bf16", *TESTED)
    logs = rows.parent / "logs"
    servers = [serve(name, REFERENCE / name, slot, logs / f"fresh-{name}.log") for name, slot in zip(names, cycle(slots), strict=False)]
    try:
        for server in servers:
            server.wait_until_ready()
        with ThreadPoolExecutor(len(servers)) as pool:
            for seed in missing:
                started = time.monotonic()
                texts = list(pool.map(lambda server, s=seed: measure_text_loss(server, text_suite(s), REFERENCE / "bf16"), servers))
                asked = list(pool.map(lambda server, s=seed: measure_answers(server, question_suite(s)), servers))
                row = Fresh(seed=seed, verdicts={name: _judge(tolerances[name], name, texts, asked) for name in TESTED})
                write_whole(rows / f"{seed}.json", msgspec.json.format(msgspec.json.encode(row)) + b"\n")
                said = ", ".join(f"{name} {one.verdict}" for name, both in row.verdicts.items() for one in both)
                print(f"fresh suite {seed}: {said} ({time.monotonic() - started:.0f} s)", flush=True)
    finally:
        for server in servers:
            server.stop()


def _judge(tolerance: Tolerance, name: str, texts: Sequence[TextLoss], asked: Sequence[Answers]) -> tuple[Verdict, Verdict]:
    assert tolerance.perplexity_ratio is not None
    assert tolerance.accuracy_points is not None
    place = 1 + TESTED.index(name)
    return (
        judge_text(texts[place], texts[0], perplexity_ratio=tolerance.perplexity_ratio, others=Others(2)),
        judge_answers(asked[place], asked[0], accuracy_points=tolerance.accuracy_points, others=Others(2)),
    )
