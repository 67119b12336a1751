"""The text source: a Markov source over words whose entropy is known in closed form.

The next word depends on the last word and on the class of the word before it, so a model needs attention to
follow it. Every state has the same 16 probabilities, p(r) ∝ 1/r for r = 1..16, spread over 16 words of its own;
whatever the stationary distribution is, the entropy rate is therefore exactly H(p) (Cover & Thomas, Elements of
Information Theory, theorem 4.2.4: H = Σ_state μ(state) · H(next | state), and every H(next | state) is H(p)).
At the second word of a document, where there is no word before the last, class 0 is taken.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from quantgate.suites.reference.words import SOURCE_WORDS, source_words

CLASSES = 4
SUCCESSORS = 16
PROBABILITIES = 1.0 / np.arange(1, SUCCESSORS + 1) / np.sum(1.0 / np.arange(1, SUCCESSORS + 1))

Words = npt.NDArray[np.int64]


@cache
def successors() -> Words:
    """Successor table, shape (last word 640, class of the word before it 4, rank 16), of word numbers."""
    order = np.argsort(np.random.default_rng(4816).random((SOURCE_WORDS, CLASSES, SOURCE_WORDS)), axis=-1)
    return order[..., :SUCCESSORS]


def entropy_nats() -> float:
    """The entropy rate in nats a word: H(p) = −Σ p ln p."""
    return float(-np.sum(PROBABILITIES * np.log(PROBABILITIES)))


def sample(rng: np.random.Generator, documents: int, length: int) -> Words:
    """Draw `documents` documents of `length` words; shape (documents, length), word numbers."""
    ranks = np.searchsorted(np.cumsum(PROBABILITIES)[:-1], rng.random((documents, length)), side="right")
    words = np.empty((documents, length), dtype=np.int64)
    words[:, 0] = (rng.random(documents) * SOURCE_WORDS).astype(np.int64)
    before = np.zeros(documents, dtype=np.int64)
    for place in range(1, length):
        last = words[:, place - 1]
        words[:, place] = successors()[last, before, ranks[:, place]]
        before = last % CLASSES
    return words


def true_nll_sum(words: Words) -> float:
    """−Σ ln p(word | its past) over one document of word numbers, the first word given; nats.

    Raises ValueError where the source cannot have said this.
    """
    before = np.concatenate([[0], words[:-2] % CLASSES])
    offered = successors()[words[:-1], before]
    place, rank = np.nonzero(offered == words[1:, None])
    if len(place) != len(words) - 1:
        raise ValueError("this text is not from the reference source: a word follows that cannot follow there")
    return float(-np.sum(np.log(PROBABILITIES[rank])))


def as_text(words: Words) -> str:
    """Word numbers as text, one space between words."""
    return " ".join(source_words()[number] for number in words)


def as_words(text: str) -> Words:
    """The inverse of `as_text`; raises KeyError for a word that is not the source's."""
    number = {word: place for place, word in enumerate(source_words())}
    return np.array([number[word] for word in text.split()], dtype=np.int64)
