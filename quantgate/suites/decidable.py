"""Questions that have one right answer and need no data set: made here, by a fixed seed, in English and Chinese.

Eight kinds, 50 of each in `decidable-400` and 5 in `decidable-40`. Whoever reads a question can tell the answer without looking anything
up, so what is lost on them was lost by the model. The short facts are of a sort that no year changes.
"""

import datetime
import json
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from quantgate.suites.kinds import Question, QuestionSuite

SEED, EACH, FEW = 20261127, 50, 5
MAX_TOKENS = 512
ENGLISH = "\n\nEnd with one line: Answer: and then the answer alone."
CHINESE = "\n\n最后另起一行写：答案：，后面只写答案。"
Made = tuple[str, str]
"""A question and its answer."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WORDS = ("apple", "river", "stone", "cloud", "lamp", "paper", "horse", "garden", "silver", "window", "bread", "forest", "needle", "carpet")
NAMES = ("Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo", "Iris", "Jon")
FACTS = Path(__file__).parent / "facts.jsonl"


def _arithmetic(draw: random.Random, number: int) -> Made:
    a, b, c = draw.randint(12, 99), draw.randint(12, 99), draw.randint(2, 19)
    asked, answer = draw.choice([(f"{a} × {c} + {b}", a * c + b), (f"({a} + {b}) × {c}", (a + b) * c), (f"{a * c} ÷ {c} - {b}", a - b)])
    return (f"计算：{asked} 等于多少？" if number % 2 else f"What is {asked}?"), str(answer)


def _dates(draw: random.Random, number: int) -> Made:
    day = datetime.date(2000, 1, 1) + datetime.timedelta(draw.randrange(9000))
    ahead = draw.randint(5, 200)
    if number % 2:
        asked = f"{day.isoformat()} is a {WEEKDAYS[day.weekday()]}. Which day of the week is it {ahead} days later?"
        return asked, WEEKDAYS[(day.weekday() + ahead) % 7]
    return f"Which date is {ahead} days after {day.isoformat()}? Write it as YYYY-MM-DD.", (day + datetime.timedelta(ahead)).isoformat()


def _units(draw: random.Random, number: int) -> Made:
    value = draw.randint(2, 90)
    options = [
        (f"How many metres are {value} kilometres and {value} metres?", value * 1000 + value),
        (f"How many minutes are {value} hours and {value % 60} minutes?", value * 60 + value % 60),
        (f"{value} 千克等于多少克？", value * 1000),
        (f"{value} 小时等于多少分钟？", value * 60),
    ]
    asked, answer = options[(number + draw.randrange(2) * 2) % 4]
    return asked, str(answer)


def _order(draw: random.Random, number: int) -> Made:
    names = draw.sample(NAMES, 4)
    told = [f"{one} is taller than {other}." for one, other in pairwise(names)]
    draw.shuffle(told)
    place, wanted = (("tallest", names[0]), ("shortest", names[-1]), ("second tallest", names[1]))[number % 3]
    return f"{' '.join(told)} Who is the {place}?", wanted


def _lists(draw: random.Random, number: int) -> Made:
    words = draw.sample(WORDS, 6)
    listed = ", ".join(words)
    if number % 2:
        return f"Here is a list: {listed}. Which word stands third when it is sorted alphabetically?", sorted(words)[2]
    place = draw.randint(2, 6)
    return f"列表：{listed}。从左数第 {place} 个词是什么？", words[place - 1]


def _age(row: dict[str, Any]) -> int:
    age: int = row["age"]
    return age


def _json(draw: random.Random, number: int) -> Made:
    rows: list[dict[str, Any]] = [
        {"name": name, "age": draw.randint(18, 80), "tags": draw.sample(WORDS, 2)} for name in draw.sample(NAMES, 4)
    ]
    one = draw.choice(rows)
    text = json.dumps(rows)
    asked = (
        (f"What is the age of {one['name']}?", str(one["age"])),
        (f"What is the second tag of {one['name']}?", str(one["tags"][1])),
        (
            "What is the name of the oldest person? If two are equally old, take the first.",
            str(max(rows, key=lambda row: row["age"])["name"]),
        ),
    )[number % 3]
    return f"In this JSON: {text}\n{asked[0]}", asked[1]


def _letters(draw: random.Random, number: int) -> Made:
    if number % 2:
        word = "".join(draw.choices("abcdefghijklmnoprstuvw", k=5))
        return f"Write {word} backwards.", word[::-1]
    word = draw.choice(WORDS) + draw.choice(WORDS)
    letter = draw.choice(word)
    return f"How many times does the letter {letter} stand in {word}?", str(word.count(letter))


def _facts(_: random.Random, number: int) -> Made:
    row = json.loads(FACTS.read_text(encoding="utf-8").splitlines()[number])
    return row["question"], row["answer"]


KINDS: dict[str, Callable[[random.Random, int], Made]] = {
    "arithmetic": _arithmetic, "dates": _dates, "facts": _facts, "json": _json, "letters": _letters, "lists": _lists, "order": _order,
    "units": _units,
}  # fmt: skip


def _made() -> list[Question]:
    """50 of each kind, no question twice."""
    found = []
    for kind, make in KINDS.items():
        draw, seen = random.Random(f"{SEED} {kind}"), dict[str, str]()
        while len(seen) < EACH:
            question, answer = make(draw, len(seen))
            seen.setdefault(question, answer)
        for number, (question, answer) in enumerate(seen.items()):
            asks = CHINESE if any("\u4e00" <= letter <= "\u9fff" for letter in question) else ENGLISH
            found.append(Question(f"{kind}-{number:02}", kind, question + asks, answer))
    return found


def decidable_400(_: Path | None) -> QuestionSuite:
    """400 questions in eight groups, English and Chinese: sums, dates, units, orders, lists, JSON, letters, short facts."""
    return QuestionSuite("decidable-400", _made(), MAX_TOKENS, scorer="exact")


def decidable_40(_: Path | None) -> QuestionSuite:
    """Five of each group of decidable-400, for a first look: too few to decide anything but a collapse."""
    few = [one for one in _made() if int(one.id.rpartition("-")[2]) % (EACH // FEW) == 0]
    return QuestionSuite("decidable-40", few, MAX_TOKENS, scorer="exact")
