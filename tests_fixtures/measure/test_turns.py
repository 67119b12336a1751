"""Many requests: which are sent again, how many may fail, when it is enough."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from quantgate.errors import MeasurementError, ServerError
from quantgate.measure import turns
from quantgate.measure.journal import Journal
from quantgate.measure.turns import Came, FailedRequestError, in_turns, is_passing


class Item(NamedTuple):
    id: str


ITEMS = [Item(f"q{number}") for number in range(400)]
PASSING, FOR_GOOD = FailedRequestError("Error code: 500", passing=True), FailedRequestError("Error code: 400 - too long")


class Script:
    """`fails`: id → what its requests raise, one after the other; then it answers. `asked` counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(turns, "WAITS_SECONDS", (0.0, 0.001))
        self.fails: dict[str, list[Exception]] = {}
        self.asked: Counter[str] = Counter()
        self.told: list[tuple[str, str]] = []
        self.server: Any = SimpleNamespace(model="small/fp8", api_key="", confirm_alive=lambda: None)
        self.journal: Journal[str] = Journal(None, "small/fp8 gsm8k", {}, str, tell=lambda *one: self.told.append(one))

    async def ask(self, item: Item) -> str:
        self.asked[item.id] += 1
        await asyncio.sleep(0)
        if fails := self.fails.get(item.id):
            raise fails.pop(0)
        return item.id.upper()

    def run(self, items: Sequence[Item] = ITEMS, **more: Any) -> Came[str]:
        came: Came[str] = asyncio.run(in_turns(self.server, items, self.ask, self.journal, **more))
        return came


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return Script(monkeypatch)


def test_a_request_that_may_pass_is_sent_three_times_at_most(script: Script) -> None:
    script.fails = {"q3": [PASSING, PASSING]}
    came = script.run()
    assert came.got == {item.id: item.id.upper() for item in ITEMS}
    assert came.failed == {}
    assert list(came.got) == [item.id for item in ITEMS]
    assert script.asked["q3"] == 3
    assert script.told == [("warning", "small/fp8 gsm8k: 1 requests were sent again (q3: Error code: 500)")]


def test_then_it_has_failed_and_is_named(script: Script) -> None:
    script.fails = {"q3": [PASSING] * 9}
    came = script.run()
    assert came.failed == {"q3": "Error code: 500"}
    assert "q3" not in came.got
    assert len(came.got) == 399
    assert script.asked["q3"] == 3


def test_one_that_would_fail_again_is_not_sent_again(script: Script) -> None:
    script.fails = {"q3": [FOR_GOOD] * 9}
    assert script.run().failed == {"q3": "Error code: 400 - too long"}
    assert script.asked["q3"] == 1
    assert script.told == []


def test_two_of_400_may_fail_and_three_may_not(script: Script) -> None:
    script.fails = {name: [FOR_GOOD] for name in ("q3", "q7")}
    assert set(script.run().failed) == {"q3", "q7"}
    again = Script.__new__(Script)
    again.__dict__ |= script.__dict__ | {"journal": Journal.of_nothing()}
    again.fails = {name: [FOR_GOOD] for name in ("q3", "q7", "q11")}
    with pytest.raises(MeasurementError) as error:
        again.run()
    assert str(error.value) == (
        "small/fp8: 3 of 400 requests failed, and 0.5% may, so nothing was measured: "
        "q3: Error code: 400 - too long; q7: Error code: 400 - too long; q11: Error code: 400 - too long"
    )


def test_where_none_may_fail_the_first_ends_it(script: Script) -> None:
    script.fails = {"q3": [FOR_GOOD]}
    with pytest.raises(MeasurementError, match=r"^small/fp8: 1 of 400 requests failed, so nothing was measured: q3: Error code: 400"):
        script.run(most_failed=0)
    assert len(script.asked) < 100


def test_what_came_before_is_kept(script: Script) -> None:
    script.fails = {"q40": [FOR_GOOD]}
    with pytest.raises(MeasurementError):
        script.run(most_failed=0)
    kept = set(script.journal.known("first"))
    assert len(kept) >= 8
    before = script.asked.copy()
    assert len(script.run(most_failed=0).got) == 400
    assert all(script.asked[name] == before[name] for name in kept)


def test_a_server_that_died_is_what_is_said(script: Script) -> None:
    def dead() -> None:
        raise ServerError("died")

    script.server.confirm_alive = dead
    script.fails = {item.id: [FOR_GOOD] for item in ITEMS}
    with pytest.raises(ServerError, match="died"):
        script.run()


def test_a_finding_of_the_measurement_itself_ends_it(script: Script) -> None:
    script.fails = {"q3": [MeasurementError("position 7 is nan")]}
    with pytest.raises(MeasurementError, match=r"^position 7 is nan$"):
        script.run()


def test_of_two_ends_at_once_one_is_said(script: Script) -> None:
    script.fails = {"q0": [FOR_GOOD], "q1": [MeasurementError("position 7 is nan")]}
    with pytest.raises(MeasurementError, match=r"^position 7 is nan$"):
        script.run(most_failed=0)


def test_a_key_is_not_shown(script: Script) -> None:
    script.server.api_key = "s3cret"
    script.fails = {"q3": [FailedRequestError("s3cret is no key")], "q4": [FailedRequestError("s3cret, later", passing=True)]}
    assert script.run().failed == {"q3": "*** is no key"}
    assert script.told == [("warning", "small/fp8 gsm8k: 1 requests were sent again (q4: ***, later)")]


def test_it_ends_when_an_unbroken_row_is_enough(script: Script) -> None:
    rows: list[list[str]] = []
    script.fails = {"q5": [PASSING], "q300": [FOR_GOOD]}

    def enough(row: Sequence[str]) -> bool:
        rows.append(list(row))
        return len(row) >= 60

    came = script.run(enough=enough)
    assert list(came.got) == [item.id for item in ITEMS[: len(came.got)]]
    assert 60 <= len(came.got) < 400
    assert len(script.asked) < 400
    assert all(row == [item.id.upper() for item in ITEMS][: len(row)] for row in rows)
    assert sorted(rows, key=len) == rows
    assert len(rows[-1]) == len(came.got)


def test_behind_one_that_failed_nothing_is_enough(script: Script) -> None:
    script.fails = {"q1": [FOR_GOOD]}
    came = script.run(enough=lambda row: len(row) >= 2)
    assert (len(came.got), set(came.failed)) == (399, {"q1"})


def test_what_was_kept_may_be_enough(script: Script) -> None:
    script.run(ITEMS[:200])
    script.asked.clear()
    came = script.run(enough=lambda row: len(row) == 200)
    assert list(came.got) == [item.id for item in ITEMS[:200]]
    assert not script.asked


def test_the_words_of_a_failure_are_one_line_of_bounded_length() -> None:
    assert str(FailedRequestError("a\n b" + "c" * 500)) == "a b" + "c" * 197


@pytest.mark.parametrize(
    ("status", "passes"), [(400, False), (401, False), (404, False), (408, True), (429, True), (499, False), (500, True), (503, True)]
)
def test_which_answers_of_a_server_may_pass(status: int, passes: bool) -> None:
    assert is_passing(status) == passes
