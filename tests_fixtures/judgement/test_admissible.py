"""What may be judged at all: records that pair, of one suite and one setting, and finite."""

import math

import msgspec
import pytest

from quantgate.judgement.admissible import unfit_to_approve
from quantgate.judgement.rule import Others
from quantgate.judgement.text import judge_text
from tests_fixtures.doubles.examples import MIXED, PROVENANCE, answers, speed, with_provenance
from tests_fixtures.doubles.pairs import judged, outcome_of, pair_of_answers, pair_of_texts, replace_document


def test_a_missing_item_is_an_error_that_names_it() -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    got = judged((msgspec.structs.replace(measured, items=[item for item in measured.items if item.id != "q7"]), baseline))
    assert (got.verdict, got.drop, got.tolerance) == ("error", None, 4.0)
    assert got.reason.startswith("item 'q7' is missing from the measurement (299 items measured, 300 in the baseline)")


def test_an_additional_item_is_an_error_that_names_it() -> None:
    got = judged((answers("+" * 301), answers("+" * 300)))
    assert got.verdict == "error"
    assert got.reason.startswith("item 'q300' is not in the baseline")


@pytest.mark.parametrize("side", ["measurement", "baseline"])
def test_an_item_that_stands_twice_is_an_error(side: str) -> None:
    once = answers("+" * 300)
    twice = msgspec.structs.replace(once, items=[*once.items, once.items[3]])
    got = judged((twice, once) if side == "measurement" else (once, twice))
    assert (got.verdict, got.reason) == ("error", f"item 'q3' stands 2 times in the {side}: measure again")


def test_no_items_at_all_are_an_error() -> None:
    assert judged((answers(""), answers(""))).reason == "the measurement has no items: measure again"


@pytest.mark.parametrize("name", ["suite", "tokenizer", "chat_template"])
def test_a_changed_fingerprint_is_an_error_with_the_old_and_the_new(name: str) -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    got = judged((with_provenance(measured, **{f"{name}_fingerprint": "new"}), with_provenance(baseline, **{f"{name}_fingerprint": "old"})))
    assert got.verdict == "error"
    assert got.reason.startswith(f"the {name.replace('_', ' ')} fingerprint changed from 'old' to 'new'".replace("chat_", "chat "))


def test_changed_sampling_is_an_error_that_names_the_setting() -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    warmer = with_provenance(measured, sampling={**PROVENANCE.sampling, "temperature": 0.7})
    assert judged((warmer, baseline)).reason.startswith("the sampling's temperature changed from 0 to 0.7")
    richer = with_provenance(measured, sampling={**PROVENANCE.sampling, "top_p": 0.9})
    assert judged((richer, baseline)).reason.startswith("the sampling's top_p changed from None to 0.9")


def test_another_suite_is_an_error() -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    assert judged((measured, msgspec.structs.replace(baseline, suite="mmlu"))).reason.startswith("the suite changed from 'mmlu'")


def test_a_new_engine_is_no_error() -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    assert judged((with_provenance(measured, vllm="2", torch="3", checkpoint_fingerprint="c1"), baseline)).verdict == "pass"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_a_number_that_is_none_is_an_error_that_names_the_document(number: float, side: int) -> None:
    pair = list(pair_of_texts(0.0))
    pair[side] = replace_document(pair[side], 4, nll_sum=number)
    got = judge_text(*pair, perplexity_ratio=1.05, others=Others(1))
    assert got.verdict == "error"
    assert got.reason.startswith(f"documents['d4'].nll_sum is {number} in the {('measurement', 'baseline')[side]}")


def test_a_perplexity_that_is_no_number_is_an_error() -> None:
    measured, baseline = pair_of_texts(0.0)
    got = judge_text(msgspec.structs.replace(measured, perplexity=math.nan), baseline, perplexity_ratio=1.05, others=Others(1))
    assert got.reason.startswith("perplexity is nan in the measurement")


def test_another_number_of_tokens_is_an_error_with_both_numbers() -> None:
    measured, baseline = pair_of_texts(0.0)
    got = judge_text(replace_document(measured, 2, tokens=99), baseline, perplexity_ratio=1.05, others=Others(1))
    assert got.reason == "document 'd2' has 99 scored tokens, 100 in the baseline: encode both alike"


def test_a_document_without_tokens_is_an_error() -> None:
    measured, baseline = (replace_document(record, 2, tokens=0) for record in pair_of_texts(0.0))
    assert "'d2' has 0 scored tokens" in judge_text(measured, baseline, perplexity_ratio=1.05, others=Others(1)).reason


@pytest.mark.parametrize("field", [{"cluster": "c"}, {"score": 0.5}])
def test_answers_graded_or_clustered_on_one_side_alone_do_not_compare(field: dict[str, object]) -> None:
    base = answers(MIXED)
    other = msgspec.structs.replace(base, items=[msgspec.structs.replace(item, **field) for item in base.items])
    assert outcome_of(base, other)[0] == outcome_of(other, base)[0] == "error"


def test_a_number_in_a_pair_of_them_is_looked_at_too() -> None:
    one = msgspec.structs.replace(speed([100.0, 101.0]), decode_tps_interval=(99.0, math.nan))
    assert unfit_to_approve(one) == "decode_tps_interval[2] is nan in the measurement: nothing can be concluded from it"
