"""An approval and its history: who, why, and nothing where nothing has changed."""

import datetime
import subprocess

import msgspec
import pytest

from quantgate.baselines import approval_of, oldest_of, wants_a_reason, with_history
from quantgate.records import Answers, Oldest, Throughput
from tests_fixtures.doubles.examples import MIXED, answers, speed, text_loss
from tests_fixtures.doubles.gated_project import BF16, GATE, GatedProject, read

pytest_plugins = ["pytester"]


def test_an_approval_is_entered_in_the_history_with_its_reason(gated: GatedProject) -> None:
    subprocess.run(["git", "init", "-q", str(gated.root)], check=True)  # noqa: S607
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        subprocess.run(["git", "-C", str(gated.root), "config", key, value], check=True)  # noqa: S607
    gated.test(GATE)
    gated.run("-m", "bf16", "--snapshot-update", "--reason=first").assert_outcomes(passed=1, deselected=1)
    worse = "name, nll_sums=[20.2, 31.3, 39.3, 52.4, 58.3, 71.2])"
    gated.test(GATE.replace("name)", worse))
    result = gated.run("-m", "bf16", "--snapshot-update", "--reason=a new engine")
    history = read(gated.stored[BF16]).history
    assert [(entry.by, entry.reason, round(entry.figure, 2)) for entry in history] == [
        ("Ada <ada@example.org>", "first", 91.53),
        ("Ada <ada@example.org>", "a new engine", 94.16),
    ]
    result.stdout.fnmatch_lines(
        [
            "approved: cpu/reference/bf16/reference-text: perplexity 91.53 -> 94.16; review it with git diff, then commit it",
            "  between the two: pass: reference/bf16 reference-text since *: perplexity +2.87 % *; a real loss, within tolerance",
        ]
    )


LATER = """
import msgspec

def test_it(case, text_suite, gate):
    now = text_loss(case.checkpoint.name)
    provenance = msgspec.structs.replace(now.provenance, started="later", seconds=9.0)
    gate(msgspec.structs.replace(now, provenance=provenance, client_cpu_share=0.5))
"""


def test_what_has_not_changed_is_not_written_again(gated: GatedProject) -> None:
    gated.test(GATE)
    gated.run("--snapshot-update").assert_outcomes(passed=2)
    before = gated.stored
    gated.test(LATER)
    result = gated.run("--snapshot-update")
    assert gated.stored == before
    result.stdout.fnmatch_lines(["unchanged: cpu/reference/nvfp4/reference-text is as it was approved; nothing is written"])


def losing(times: int) -> str:
    """A test whose documents have lost 0.86 % of perplexity so many times."""
    return GATE.replace("name)", f"name, nll_sums=[nll + {times} * 0.0856 + 0.002 * place for place, nll in enumerate({list(NLL)})])")


NLL = (20.0, 31.0, 39.0, 52.0, 58.0, 71.0)


def test_small_steps_stop_at_the_oldest_approval_and_a_reason_starts_anew(gated: GatedProject) -> None:
    """The tolerance of BF16 is 1 %: each step of 0.86 % would pass against the one before, the second not against the first."""
    (gated.root / "models.toml").write_text((gated.root / "models.toml").read_text().replace("bf16 = { perplexity_ratio = 1.05", TENTH))
    for times in (0, 1):
        gated.test(losing(times))
        gated.run("-m", "bf16", "--snapshot-update").assert_outcomes(passed=1, deselected=1)
    gated.test(losing(2))
    before = gated.stored
    result = gated.run("-m", "bf16", "--snapshot-update")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        [
            "fail: reference/bf16 reference-text since its approval: perplexity +1.73 % *"
            "against the oldest approval (20*: 91.5* then, 93.1* now); "
            "cpu/reference/bf16/reference-text is approved only with a --reason"
        ]
    )
    assert gated.stored == before
    gated.run("-m", "bf16", "--snapshot-update", "--reason=new kernels").assert_outcomes(passed=1, deselected=1)
    assert read(gated.stored[BF16]).oldest is None
    gated.test(losing(3))
    gated.run("-m", "bf16", "--snapshot-update").assert_outcomes(passed=1, deselected=1)
    gated.test(losing(4))
    gated.run("-m", "bf16", "--snapshot-update").assert_outcomes(failed=1, deselected=1)


TENTH = "bf16 = { perplexity_ratio = 1.01"


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (
            'msgspec.structs.replace(old, provenance=msgspec.structs.replace(old.provenance, suite_fingerprint="s1"))',
            "*the suite fingerprint*",
        ),
        ('text_loss("bf16", nll_sums=[10.0, 45.0, 30.0, 70.0, 50.0, 80.0])', "*do not decide*"),
        ('text_loss("bf16", nll_sums=[15.0, 26.0, 34.0, 47.0, 53.0, 66.0])', "*better by more than the tolerance*"),
    ],
    ids=["another suite", "inconclusive", "better"],
)
def test_bf16_s_baseline_is_replaced_without_a_reason_only_by_a_pass(gated: GatedProject, now: str, said: str) -> None:
    gated.store(text_loss())
    gated.test(f'import msgspec\nold = text_loss("bf16")\ndef test_it(case, text_suite, gate):\n    gate({now})')
    before = gated.stored
    result = gated.run("-m", "bf16", "--snapshot-update")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines([f"{said}approved only with a --reason"])
    assert gated.stored == before
    gated.run("-m", "bf16", "--snapshot-update", "--reason=meant").assert_outcomes(passed=1, deselected=1)


def test_a_baseline_that_becomes_blind_asks_for_a_reason() -> None:
    old, now = answers(MIXED), answers("+" * 200)
    assert wants_a_reason(now, old, [], []) == [
        "reference/bf16 reference-questions: BF16 gets 100.0% right, so a loss of ability need not show"
    ]
    assert wants_a_reason(now, now, [], []) == []


@pytest.mark.parametrize("graded", [False, True])
def test_the_oldest_answers_come_back_from_what_differs(graded: bool) -> None:
    def made(right: str) -> Answers:
        one = answers(right)
        scores = [0.5 if letter == "-" else 0.9 for letter in right]
        items = [msgspec.structs.replace(item, score=score) for item, score in zip(one.items, scores, strict=True)]
        return msgspec.structs.replace(one, items=items) if graded else one

    entry = approval_of(made("+-"), None, "Ada", datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))
    first = with_history(made("+++-"), None, entry)
    second = with_history(made("++--"), first, entry)
    third = with_history(made("+-+-"), second, entry)
    assert isinstance(second, Answers)
    assert second.oldest == Oldest(
        when=entry.when, by="Ada", figure=first.figure, changed={"q2": 0.9 if graded else 1.0}, tokens_an_answer=2.0
    )
    oldest = oldest_of(third)
    assert isinstance(oldest, Answers)
    assert [item.worth for item in oldest.items] == [item.worth for item in made("+++-").items]


def test_a_speed_is_held_to_its_oldest_approval_too() -> None:
    entry = approval_of(speed([100.0]), None, "Ada", datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))
    first = with_history(speed([100.0, 101.0, 99.0]), None, entry)
    oldest = oldest_of(with_history(speed([96.0, 97.0, 95.0]), first, entry))
    assert isinstance(oldest, Throughput)
    assert [one.decode_tps for one in oldest.rounds] == pytest.approx([100.0, 100 * 97 / 96, 100 * 95 / 96])
