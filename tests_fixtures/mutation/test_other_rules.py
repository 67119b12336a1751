"""Other projects' rules on answers of which each verdict is worked out by hand."""

from pathlib import Path

import msgspec
import pytest

from mutation.other_rules import OtherRules, Pairs, Said, nel_compare, nel_gate, other_rules, paired, two_sigma
from mutation.table import RULES, Finding, Row, tables
from quantgate.records import write_record
from tests_fixtures.doubles.examples import answers

ALL_RIGHT = Pairs(n=1000, regressed=0, improved=0)


def rules(right_before: int, right_now: int, n: int) -> OtherRules:
    """So many of n right before and now, the first ones each time; a tolerance of 2 points."""
    before, now = ("+" * right + "-" * (n - right) for right in (right_before, right_now))
    return other_rules(answers(now, "nvfp4"), answers(before), accuracy_points=2.0)


def test_items_pair_by_id_and_not_by_place_and_what_one_side_lacks_does_not_count() -> None:
    before, now = answers("++--+"), answers("+-+-")
    turned = msgspec.structs.replace(now, items=now.items[::-1])
    assert paired(turned, before) == Pairs(n=4, regressed=1, improved=1)


@pytest.mark.parametrize(
    ("rule", "before", "accepted", "rejected"),
    [
        ("vllm_absolute", 50, 42, 41),  # 0.5 - 0.08
        ("vllm_relative", 80, 77, 76),  # |0.77 - 0.8| = 0.03 <= 0.05*0.77 = 0.0385; 0.04 > 0.05*0.76 = 0.038
        ("vllm_relative", 80, 84, 85),  # both ways: 0.04 <= 0.042; 0.05 > 0.0425
        ("vllm_lm_eval", 50, 46, 45),  # 0.5*0.92
        ("sglang", 80, 75, 74),  # 0.8 - 0.05
        ("llm_compressor", 80, 76, 75),  # 0.95; 0.9375 is rounded to 0.94
        ("llm_compressor", 55, 52, 51),  # 0.94545 is rounded to 0.95; 0.927
        ("tensorrt_llm", 80, 69, 68),  # 80 - 1.64485*sqrt(2*50^2/100) = 80 - 11.631 = 68.369
    ],
)
def test_a_rule_on_accuracies_ends_where_its_project_has_it_end(rule: str, before: int, accepted: int, rejected: int) -> None:
    assert getattr(rules(before, accepted, 100), rule) == "accepted"
    assert getattr(rules(before, rejected, 100), rule) == "rejected"


def test_two_sigma_is_unpaired_and_of_the_drop_alone() -> None:
    # 0.5 and 0.36 of 100: sigma = sqrt((0.25 + 0.2304)/99) = 0.06966, 0.14 is 2.010 of it. With 0.37: 0.06986, 0.13 is 1.861.
    assert two_sigma(0.5, 100, 0.36, 100) == "rejected"
    assert two_sigma(0.5, 100, 0.37, 100) == "accepted"
    assert two_sigma(0.36, 100, 0.5, 100) == "accepted"  # better by as much
    assert two_sigma(0.5, 100, 0.5, 100) == "accepted"
    assert two_sigma(1.0, 100, 0.0, 100) == "rejected"  # no spread at all, and a drop
    assert two_sigma(1.0, 100, 1.0, 100) == "accepted"
    # The sizes count each on its own side: sqrt(0.25/24 + 0.2304/99) = 0.1129, 0.14 is 1.24 of it.
    assert two_sigma(0.5, 25, 0.36, 100) == "accepted"


@pytest.mark.parametrize(
    ("max_drop", "said"),
    [
        # 20 of 100 worse: mean 0.2, variance (20 - 100*0.04)/99 = 0.161616, standard error 0.0402015, t(99; 0.975) = 1.984217,
        # so 0.2 -+ 0.0797685 = [0.120231, 0.279769] with six decimals.
        (0.120230, "rejected"),
        (0.120231, "undecided"),
        (0.2, "undecided"),
        (0.279768, "undecided"),
        (0.279769, "accepted"),
    ],
)
def test_nel_gate_rejects_what_lies_beyond_and_accepts_what_lies_below(max_drop: float, said: Said) -> None:
    assert nel_gate(Pairs(n=100, regressed=20, improved=0), max_drop) == said


def test_nel_gate_counts_improvements_against_regressions() -> None:
    # 15 worse, 5 better of 100: mean 0.1, variance (20 - 1)/99 = 0.191919, error 0.0438086, 0.1 -+ 0.086926 = [0.013074, 0.186926].
    pairs = Pairs(n=100, regressed=15, improved=5)
    assert nel_gate(pairs, 0.013) == "rejected"
    assert nel_gate(pairs, 0.0131) == "undecided"
    assert nel_gate(pairs, 0.187) == "accepted"
    assert nel_gate(Pairs(n=100, regressed=0, improved=20), 0.0) == "accepted"


def test_nel_gate_without_spread_or_with_fewer_than_ten_pairs() -> None:
    assert nel_gate(ALL_RIGHT, 0.0) == "accepted"  # [0, 0] is within 0
    assert nel_gate(Pairs(n=10, regressed=10, improved=0), 0.99) == "rejected"  # [1, 1]
    assert nel_gate(Pairs(n=10, regressed=10, improved=0), 1.0) == "accepted"
    assert nel_gate(Pairs(n=9, regressed=9, improved=0), 0.015) == "undecided"
    assert nel_gate(Pairs(n=0, regressed=0, improved=0), 0.015) == "undecided"


def test_nel_compare_rejects_a_significant_loss_above_the_tolerance_and_warns_of_a_smaller_one() -> None:
    pairs = Pairs(n=100, regressed=5, improved=0)  # p = 1/32 = 0.03125, a loss of 0.05
    assert nel_compare(pairs, 0.0499) == "rejected"
    assert nel_compare(pairs, 0.05) == "warned"
    assert nel_compare(Pairs(n=100, regressed=7, improved=1), 0.05) == "rejected"  # p = 9/256 = 0.035, a loss of 0.06
    assert nel_compare(Pairs(n=100, regressed=6, improved=1), 0.01) == "undecided"  # p = 8/128 = 0.0625


def test_nel_compare_is_undecided_below_its_number_of_discordant_pairs() -> None:
    # 4 of 4 worse: p = 1/16. (1.4/0.7)^2 = 4 discordant pairs suffice for a tolerance of 0.7.
    assert nel_compare(Pairs(n=100, regressed=4, improved=0), 0.7) == "accepted"
    assert nel_compare(Pairs(n=100, regressed=3, improved=0), 0.7) == "undecided"
    # (1.4/0.05)^2 = 784, the command's default.
    assert nel_compare(Pairs(n=2000, regressed=392, improved=392), 0.05) == "accepted"
    assert nel_compare(Pairs(n=2000, regressed=391, improved=392), 0.05) == "undecided"
    assert nel_compare(Pairs(n=100, regressed=0, improved=20), 0.05) == "undecided"  # better, p = 1: as little decided
    assert nel_compare(ALL_RIGHT, 0.05) == "accepted"


def test_each_of_nemo_s_rules_is_asked_with_its_default_and_with_this_suite_s_tolerance() -> None:
    # 21 of 1000 worse, none better: mean 0.021, variance (21 - 0.441)/999 = 0.0205796, error 0.00453647, t = 1.96234:
    # [0.012098, 0.029902] has 0.015 and 0.02 inside, and lies above 0.01. p = 2^-21; 0.021 is above 0.02, not above 0.05.
    before, now = answers("+" * 1000), answers("-" * 21 + "+" * 979, "nvfp4")
    two, one, three = (other_rules(now, before, accuracy_points=points) for points in (2.0, 1.0, 3.0))
    assert (two.nel_gate, one.nel_gate, three.nel_gate) == ("undecided",) * 3
    assert (two.nel_gate_at_tolerance, one.nel_gate_at_tolerance, three.nel_gate_at_tolerance) == ("undecided", "rejected", "accepted")
    assert (two.nel_compare, two.nel_compare_at_tolerance, three.nel_compare_at_tolerance) == ("warned", "rejected", "warned")


def test_the_table_names_every_rule() -> None:
    assert tuple(RULES) == OtherRules._fields


def row(name: str, verdict: str, accuracy: float | None = 0.8, **others: Said) -> Row:
    findings = [Finding("text", "pass", ""), Finding("answers", verdict, "")]
    said: dict[str, Said] = dict.fromkeys(OtherRules._fields, "accepted")
    return Row(
        name=name,
        kind="harmless",
        source="fp8",
        summary="",
        findings=findings if accuracy is not None else [Finding("boot", "error", "")],
        seconds=1.0,
        accuracy=accuracy,
        others={**said, **others} if accuracy is not None else {},
    )


def table_of(tmp_path: Path, rows: list[Row]) -> dict[str, str]:
    """By rule, the cell of the harmless ones, which are all of these."""
    (tmp_path / "rows").mkdir(exist_ok=True)
    for one in rows:
        (tmp_path / "rows" / f"{one.name}.json").write_bytes(msgspec.json.encode(one))
    truth = tmp_path / "truth.json"
    truth.write_text('{"checkpoints": {}}', encoding="utf-8")
    text = tables(tmp_path, truth, "").text.split("## Other rules, on the same answers\n\n")[1].split("\n\n")[0]
    return {cells[1]: cells[-2] for line in text.splitlines()[2:] if (cells := [cell.strip() for cell in line.split("|")])}


def test_the_table_shows_beside_the_rejected_what_is_neither(tmp_path: Path) -> None:
    rows = [
        row("a", "fail", nel_gate="rejected", nel_compare="warned"),
        row("b", "inconclusive", nel_gate="undecided", nel_compare="undecided"),
        row("c", "pass"),
        row("d", "", accuracy=None),
    ]
    cells = table_of(tmp_path, rows)
    assert cells[RULES["sglang"]] == "1"  # what did not boot
    assert cells[RULES["nel_gate"]] == "2 (1 undecided)"
    assert cells[RULES["nel_compare"]] == "1 (1 warned, 1 undecided)"
    assert cells["this suite, answers alone, against BF16"] == "2 (1 undecided)"
    assert cells["this suite, against BF16"] == "2 (1 undecided)"


def test_a_row_of_before_the_rules_is_not_taken_for_rejected(tmp_path: Path) -> None:
    old = msgspec.structs.replace(row("a", "pass"), others={})
    with pytest.raises(SystemExit, match="a: its row was stored before the rule vllm_absolute; --judge-again fills it in"):
        table_of(tmp_path, [old])


def test_judging_again_asks_the_other_rules_again(tmp_path: Path) -> None:
    from mutation.score import APPROVED, Bench

    own = APPROVED.load("cpu", "reference", "bf16", "reference-questions")
    assert own is not None
    write_record(tmp_path / "records" / "a", own)
    # As an earlier version stored it: a field of that name is unknown now, and no reason to refuse the row.
    stored = msgspec.to_builtins(msgspec.structs.replace(row("a", "fail"), others={})) | {"other_rules": {"vllm_absolute": False}}
    bench = Bench(tmp_path)
    again = bench.judge_again(msgspec.convert(stored, Row))
    assert set(again.others) == set(OtherRules._fields)
    assert set(again.others.values()) == {"accepted"}  # BF16's own answers
    assert bench.judge_again(row("nothing-stored", "fail")).others == {}
