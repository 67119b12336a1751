"""Truth by hand: what a loss against its base is."""

import math
from typing import Any

import pytest

pytestmark = pytest.mark.thorough  # it imports torch


def loss(nll: list[float], correct: list[bool]) -> Any:
    from mutation.loss import Loss

    return Loss(nll, [10] * len(nll), correct)


def test_a_loss_against_its_base_is_worked_out_by_hand() -> None:
    from mutation.truth import against

    # 30 tokens at 1 nat, then at 1.1: ratio e^0.1, ln 1.05 = 0.04879 tolerated. Two of four right become one of four: 25 points.
    base, measured = loss([10, 10, 10], [True, True, False, False]), loss([10, 11, 12], [True, False, False, False])
    found = against(base, measured, {"perplexity_ratio": 1.05, "accuracy_points": 50.0})
    assert found["perplexity_ratio"] == pytest.approx(math.exp(0.1))
    assert found["accuracy_drop_points"] == 25
    assert found["discordance"] == 0.25
    assert found["multiple"] == pytest.approx(0.1 / math.log(1.05))
    assert found["harmful"]
    # Differences 0, 1, 2: standard deviation 1, so sqrt(3) / 30 a token.
    assert found["ln_ratio_standard_error"] == pytest.approx(math.sqrt(3) / 30)


def test_a_loss_that_is_no_number_is_void_and_harmful() -> None:
    from mutation.truth import against

    void = against(loss([10.0], [True]), loss([math.nan], [False]), {"perplexity_ratio": 1.05, "accuracy_points": 4.0})
    assert void == {"void": True, "harmful": True, "multiple": None}
