"""The questions made here: always the same ones, each with the answer that its own text implies."""

import datetime
import json
import re
from collections import Counter

import pytest

from quantgate.measure.scoring import score
from quantgate.suites import Question
from quantgate.suites.decidable import CHINESE, ENGLISH, WEEKDAYS, decidable_40, decidable_400

ALL = decidable_400(None).questions


def of(kind: str) -> list[tuple[str, str]]:
    """Question without its instruction, and answer."""
    return [(one.prompt.removesuffix(ENGLISH).removesuffix(CHINESE), one.answer) for one in ALL if one.group == kind]


def test_there_are_50_of_each_of_eight_kinds_none_twice_and_five_of_each_for_a_first_look() -> None:
    assert Counter(one.group for one in ALL) == dict.fromkeys(
        ("arithmetic", "dates", "facts", "json", "letters", "lists", "order", "units"), 50
    )
    assert len({one.prompt for one in ALL}) == len({one.id for one in ALL}) == 400
    few = decidable_40(None).questions
    assert set(Counter(one.group for one in few).values()) == {5}
    assert set(few) <= set(ALL)


def test_they_are_the_same_everywhere() -> None:
    assert decidable_400(None).fingerprint == "44ae77e712b6ddd6"


def test_each_asks_for_its_answer_in_its_own_language() -> None:
    chinese = [one for one in ALL if one.prompt.endswith(CHINESE)]
    assert 90 < len(chinese) < 200
    assert all(re.search("[\u4e00-\u9fff]", one.prompt.removesuffix(CHINESE)) for one in chinese)


@pytest.mark.parametrize("question", ALL[::7], ids=lambda one: one.id)
def test_the_right_answer_in_the_form_asked_for_is_right(question: Question) -> None:
    marked = "答案：" if question.prompt.endswith(CHINESE) else "Answer: "
    assert score("exact", f"Let me see.\n{marked}{question.answer}", question.answer).correct
    assert not score("exact", f"{marked}{question.answer}x", question.answer).correct


def test_sums_are_right() -> None:
    for asked, answer in of("arithmetic"):
        said = re.sub(r"[^-+*/()\d ]", "", asked.replace("×", "*").replace("÷", "/")).strip()
        assert eval(said, {"__builtins__": {}}) == int(answer)  # noqa: S307 (digits and signs alone)


def test_dates_are_right() -> None:
    for asked, answer in of("dates"):
        day = datetime.date.fromisoformat(re.findall(r"\d{4}-\d\d-\d\d", asked)[0])
        later = day + datetime.timedelta(int(re.findall(r"(\d+) days", asked)[0]))
        assert answer == (later.isoformat() if asked.startswith("Which date") else WEEKDAYS[later.weekday()])


def test_the_rest_follows_from_the_text() -> None:
    for asked, answer in of("lists"):
        words = re.findall(r"[a-z]+(?=,|\.|。)", asked.partition(": ")[2] or asked.partition("：")[2])
        place = re.search(r"第 (\d) 个", asked)
        assert answer == (words[int(place[1]) - 1] if place else sorted(words)[2])
    for asked, answer in of("json"):
        rows = json.loads(asked.partition(": ")[2].partition("\n")[0])
        named = next((row for row in rows if f" {row['name']}?" in asked), None)
        oldest = max(rows, key=lambda row: row["age"])["name"]
        assert answer == (oldest if named is None else named["tags"][1] if "tag" in asked.rpartition("\n")[2] else str(named["age"]))
    for asked, answer in of("letters"):
        found = re.search(r"letter (.) stand in (\w+)", asked)
        assert answer == (str(found[2].count(found[1])) if found else asked.split()[1][::-1])
