"""The source of the reference text: its entropy, its successors, and the true loss of what it says."""

import math
from fractions import Fraction

import numpy as np
import pytest

from quantgate.suites.reference import source
from quantgate.suites.reference.words import QUESTION_WORDS, source_words

HARMONIC = sum(Fraction(1, rank) for rank in range(1, 17))
"""Of the 16 successors of a state, the one of rank r follows with probability 1 / (r · HARMONIC)."""


def test_the_entropy_in_closed_form_is_that_of_a_harmonic_law() -> None:
    by_hand = math.fsum(float(1 / (rank * HARMONIC)) * math.log(rank * HARMONIC) for rank in range(1, 17))
    assert source.entropy_nats() == pytest.approx(by_hand, rel=1e-12)
    assert source.PROBABILITIES.sum() == pytest.approx(1, rel=1e-12)


def test_a_sample_is_as_surprising_as_the_entropy_says() -> None:
    length, documents = 200, 300
    drawn = source.sample(np.random.default_rng(99), documents, length)
    per_word = sum(source.true_nll_sum(words) for words in drawn) / (documents * (length - 1))
    surprises = [(float(1 / (rank * HARMONIC)), math.log(rank * HARMONIC)) for rank in range(1, 17)]
    entropy = math.fsum(p * surprise for p, surprise in surprises)
    variance = math.fsum(p * (surprise - entropy) ** 2 for p, surprise in surprises)
    standard_error = math.sqrt(variance / (documents * (length - 1)))
    assert abs(per_word - source.entropy_nats()) < 3 * standard_error
    assert standard_error < 0.005


def test_the_true_loss_of_three_words_is_worked_out_by_hand() -> None:
    # After word 5 with none before it (class 0) the likeliest, p = 1/Z; after that, with 5 before it (class 5 mod 4 = 1),
    # the least likely, p = 1/(16 Z): ln Z + ln 16 Z in all, the first word given.
    first = 5
    second = int(source.successors()[first, 0, 0])
    third = int(source.successors()[second, 1, 15])
    assert source.true_nll_sum(np.array([first, second, third])) == pytest.approx(math.log(HARMONIC) + math.log(16 * HARMONIC), rel=1e-12)


def test_the_true_loss_of_text_that_the_source_cannot_say_is_refused() -> None:
    impossible = next(word for word in range(640) if word not in source.successors()[5, 0])
    with pytest.raises(ValueError, match="not from the reference source"):
        source.true_nll_sum(np.array([5, impossible]))


def test_the_word_before_the_last_matters() -> None:
    assert all(
        set(source.successors()[word, 0].tolist()) != set(source.successors()[word, other].tolist())
        for word in range(0, 640, 64)
        for other in (1, 2, 3)
    )


def test_every_state_has_sixteen_different_successors() -> None:
    table = np.sort(source.successors(), axis=-1)
    assert table.shape == (640, 4, 16)
    assert (np.diff(table, axis=-1) > 0).all()
    assert (table.min(), table.max()) == (0, 639)


def test_text_and_word_numbers_are_two_ways_to_write_the_same() -> None:
    numbers = np.array([0, 639, 7, 7])
    assert source.as_words(source.as_text(numbers)).tolist() == numbers.tolist()
    assert not set(source_words()) & set(QUESTION_WORDS)
