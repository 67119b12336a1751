"""Verdicts as sentences."""

import pytest

from quantgate.judgement.comparison import judge_pair
from quantgate.judgement.rule import Others, error
from quantgate.judgement.text import judge_text
from quantgate.judgement.wording import TEXT_UNIT, sentence
from quantgate.records import Verdict
from quantgate.registry import Tolerance
from tests_fixtures.doubles.examples import text_loss, with_provenance
from tests_fixtures.doubles.pairs import judged, pair_of_answers, pair_of_texts


def test_a_baseline_of_another_device_class_is_used_and_named() -> None:
    measured, baseline = pair_of_answers(0, 0, 300)
    got = judged((measured, with_provenance(baseline, device_class="H200 TP1")))
    assert (got.verdict, got.reason) == ("pass", "within tolerance; on 'cpu', against a baseline of device class 'H200 TP1'")


def test_the_sentence_on_answers() -> None:
    # (38 - 18)/1200 = 1.67 points.
    assert sentence(judged(pair_of_answers(38, 18, 1200))) == (
        "pass: reference/nvfp4 reference-questions: 1.67 points worse [0.44, 2.99], tolerance 4.00, "
        "n = 1200 (38 regressed, 18 improved); a real loss, within tolerance"
    )


def test_the_sentence_on_better_answers_turns_the_interval_to_the_word() -> None:
    line = sentence(judged(pair_of_answers(18, 38, 1200)))
    assert "1.67 points better [0.44, 2.99], tolerance 4.00" in line


def test_the_sentence_on_a_fail_names_suite_drop_and_tolerance() -> None:
    line = sentence(judged(pair_of_answers(30, 5, 400), suites=3))
    assert line.startswith("fail: reference/nvfp4 reference-questions: 6.25 points worse [")
    assert "tolerance 4.00, n = 400 (30 regressed, 5 improved); the drop reaches the tolerance" in line


def test_the_sentence_on_text_speaks_of_perplexity_in_per_cent() -> None:
    # exp(0.02) = 1.0202, ln 1.05 is 5 %.
    line = sentence(judge_text(*pair_of_texts(0.02), perplexity_ratio=1.05, others=Others(1)))
    assert line.startswith("pass: reference/nvfp4 reference-text: perplexity +2.02 % [+1.9")
    assert line.endswith("tolerance +5.00 %, n = 20 documents; a real loss, within tolerance")


def test_the_sentence_survives_a_loss_beyond_all_measure() -> None:
    measured, baseline = pair_of_texts(600.0, wobble=500.0)
    assert sentence(judge_text(measured, baseline, perplexity_ratio=1.05, others=Others(1))).startswith("fail: ")


def test_the_sentence_on_what_was_not_measured_is_its_reason() -> None:
    got = error(text_loss("nvfp4"), TEXT_UNIT, "the server died")
    assert got.verdict == "error"
    assert sentence(got) == "error: reference/nvfp4 reference-text: the server died"


@pytest.mark.parametrize(
    ("numerics", "kernels", "told"),
    [
        ("W4A4", ["DecodedNvFp4LinearKernel"], "; W4A4 by DecodedNvFp4LinearKernel; a real loss"),
        (
            "W8A8 and W4A16",
            ["CutlassFP8ScaledMMLinearKernel", "MARLIN"],
            "; W8A8 and W4A16 by CutlassFP8ScaledMMLinearKernel, MARLIN; a real",
        ),
        ("W4A4 as declared", ["NewKernel"], "; W4A4 as declared, by NewKernel; a real loss"),
        ("W4A4 as declared", [], "; W4A4 as declared; a real loss"),
        ("not known", ["NewKernel"], "; numerics not known, by NewKernel; a real loss"),
        ("not recorded", ["SomeKernel"], "(38 regressed, 18 improved); a real loss"),
    ],
)
def test_the_sentence_says_in_how_many_bits_and_by_which_kernels(numerics: str, kernels: list[str], told: str) -> None:
    measured, baseline = pair_of_answers(38, 18, 1200)
    got = judged((with_provenance(measured, numerics=numerics, kernels=kernels), with_provenance(baseline, numerics="W16A16", kernels=[])))
    assert (got.numerics, got.kernels) == (numerics, kernels)
    assert told in sentence(got)


def test_of_bf16_and_since_an_approval_the_sentence_names_no_bits() -> None:
    bf16, _ = pair_of_answers(38, 18, 1200)
    assert "W16A16" not in sentence(judged((with_provenance(bf16, numerics="W16A16"), bf16)))
    before = with_provenance(text_loss("nvfp4"), numerics="W4A4")
    moved = with_provenance(text_loss("nvfp4", (20.1, 31.0, 39.0, 52.0, 58.0, 71.0)), numerics="W4A4")
    got = judge_pair(before, moved, Tolerance())
    assert (got.against, got.numerics) == ("own", "W4A4")
    assert "since its approval: perplexity +" in sentence(got)
    assert "W4A4" not in sentence(got)


def test_a_name_from_elsewhere_steers_no_terminal() -> None:
    judged = Verdict(verdict="error", family="f", checkpoint="c", suite="\x1b[2Jcleared", unit="", reason="group \u202eabc\nis gone")
    assert sentence(judged) == "error: f/c ␛[2Jcleared: group ⟨U+202E⟩abc is gone"
