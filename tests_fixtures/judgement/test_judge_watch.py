"""What the judge of a case has watched: both of its verdicts, under the tolerances and among the suites that they will be judged with."""

from collections.abc import Mapping

import msgspec
import pytest

from quantgate.judgement import Case, Judge
from quantgate.judgement.watch import Watch
from quantgate.records import Answers, Measurement
from quantgate.registry import Checkpoint, Family, Tolerance
from tests_fixtures.doubles.stopped import SEED, SUITE, ask, candidate, record_of, suite_of

BASE = suite_of(1000)
IDS = [item.id for item in BASE.items]
GOOD = Tolerance(accuracy_points=5.0)


class Stored:
    """Approved measurements in memory, by checkpoint."""

    def __init__(self, by_checkpoint: Mapping[str, Measurement]) -> None:
        self.by_checkpoint = by_checkpoint

    def load(self, device_class: str, family: str, checkpoint: str, suite: str) -> Measurement | None:
        assert (device_class, family, suite) == ("cpu", "reference", SUITE)
        return self.by_checkpoint.get(checkpoint)

    def device_classes(self) -> list[str]:
        return ["cpu"]


def judge(approved: Mapping[str, Measurement], checkpoint: str = "nvfp4", tolerance: Tolerance = GOOD, suites: int = 1) -> Judge:
    checkpoints = [Checkpoint(name=name, precision=name, path=name, family="reference") for name in ("bf16", "nvfp4")]
    family = Family(name="reference", checkpoint=checkpoints, suites=[SUITE, *(f"s{place}" for place in range(suites - 1))])
    one = next(one for one in checkpoints if one.name == checkpoint)
    return Judge(Case(family, one, SUITE, tolerance, GOOD), Stored(approved), {}, lambda _: None)


def watched(found: Watch | str) -> Watch:
    assert isinstance(found, Watch), found
    return found


def own(wrong_every: int) -> Answers:
    return record_of(list(candidate(BASE, wrong_every).values()), None)


def test_the_verdict_against_bf16_ends_a_suite_that_was_never_approved() -> None:
    _, stopped = ask(watched(judge({"bf16": BASE}).watch("cpu", IDS, SEED)), candidate(BASE))
    assert stopped is not None
    assert (stopped.verdict, stopped.accuracy_points, stopped.suites) == ("pass", 5.0, 1)


def test_the_verdict_since_its_approval_has_to_be_certain_too() -> None:
    approved = {"bf16": BASE, "nvfp4": own(wrong_every=20)}  # a gain of four points since, near BF16's tolerance of five
    assert ask(watched(judge(approved).watch("cpu", IDS, SEED)), candidate(BASE))[1] is None
    approved["nvfp4"] = own(wrong_every=0)
    assert ask(watched(judge(approved).watch("cpu", IDS, SEED)), candidate(BASE))[1] is not None


def test_its_verdicts_are_then_those_that_the_judge_gives() -> None:
    whose = judge({"bf16": BASE, "nvfp4": own(wrong_every=6)}, suites=3)
    items, stopped = ask(watched(whose.watch("cpu", IDS, SEED)), candidate(BASE, wrong_every=6))
    assert stopped is not None
    assert stopped.suites == 3
    measured = record_of(items, stopped)
    found = [*whose.quality(measured), *whose.drift(measured)]
    assert [one if isinstance(one, str) else (one.verdict, one.against) for one in found] == [("fail", "bf16"), ("pass", "own")]


def test_proven_asks_for_more() -> None:
    now = candidate(BASE, wrong_every=8)
    plain = ask(watched(judge({"bf16": BASE}).watch("cpu", IDS, SEED)), now)[1]
    strict = Tolerance(accuracy_points=5.0, fail_when="proven")
    proven = ask(watched(judge({"bf16": BASE}, tolerance=strict).watch("cpu", IDS, SEED)), now)[1]
    assert plain is not None
    assert proven is not None
    assert plain.asked < proven.asked


@pytest.mark.parametrize(
    ("whose", "said"),
    [
        (judge({"bf16": BASE}, "bf16"), "bf16 is what the others are judged by"),
        (judge({}), "no approved BF16 baseline for reference/bf16/reference-questions"),
        (judge({"bf16": msgspec.structs.replace(BASE, items=BASE.items[1:])}), "its items are not those of the baseline"),
        (judge({"bf16": BASE}, tolerance=Tolerance()), "there is no tolerance for its answers below 100 points"),
    ],
)
def test_why_a_suite_is_not_watched_is_a_sentence(whose: Judge, said: str) -> None:
    assert str(whose.watch("cpu", IDS, SEED)).startswith(said)
