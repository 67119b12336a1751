"""What has no room in a context, and what has."""

import pytest

from quantgate.suites import SUITES, Cut, Document, QuestionSuite, TextSuite, why_no_room

WINDOWS = TextSuite("windows", [Document("a", "text")], Cut(window=2048, stride=1024))
ANSWERS = QuestionSuite("answers", [], 512)


@pytest.mark.parametrize(
    ("suite", "longest", "said"),
    [
        (WINDOWS, 2048, "windows asks windows of 2,048 tokens, and a/b is served with max_model_len 2,048: raise that above 2,048"),
        (WINDOWS, 2049, None),
        (TextSuite("whole", WINDOWS.documents), 16, None),
        (ANSWERS, 512, "answers lets an answer have 512 tokens, and a/b is served with max_model_len 512, prompt included: raise that, or"),
        (ANSWERS, 513, None),
        (SUITES["decode-16x64"][1](None), 16, None),
        (ANSWERS, None, None),
    ],
)
def test_what_has_no_room_is_said(suite: object, longest: int | None, said: str | None) -> None:
    found = why_no_room(suite, longest, "a/b")  # type: ignore[arg-type] # each is one of the kinds
    assert found == said or (said is not None and found is not None and found.startswith(said))
