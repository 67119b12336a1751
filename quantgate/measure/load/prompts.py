"""Prompts of an exact number of tokens, fresh for every request, no two with a beginning in common.

They are made of words that are one token each, alone and after a space, so that a chat template may strip the text and
nothing changes; every prompt is encoded again, and counted. No two begin alike, because a server that keeps the keys and
values of what it has read would skip the part in common, and look faster than it is.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from quantgate import fingerprint
from quantgate.errors import MeasurementError
from quantgate.suites.reference.words import source_words

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORDS_WANTED, BATCH = 4096, 4096
LEAST_WORDS = 2
TRIES = 50


class Prompts:
    """An endless supply; the same seed gives the same ones. Without a tokenizer a length counts words, not tokens."""

    def __init__(self, seed: int, tokenizer: Path | None = None) -> None:
        """`tokenizer`: the checkpoint's folder.

        Raises ConfigurationError where it has no tokenizer.json, MeasurementError where no words in that are one token each.
        """
        self._random = random.Random(seed)
        self._tokenizer = None if tokenizer is None else fingerprint.tokenizer(tokenizer)
        words = list(source_words()) if self._tokenizer is None else single_token_words(self._tokenizer)
        if len(words) < LEAST_WORDS:
            raise MeasurementError(
                f"the tokenizer in {tokenizer} has {len(words)} words that are one token each, so prompts of an exact length cannot "
                "be made of them: use another checkpoint's tokenizer"
            )
        self._random.shuffle(words)
        self._words = words
        self._made = 0

    def take(self, count: int, length: int) -> list[str]:
        """The next `count` prompts of `length` tokens each; raises MeasurementError where there are not so many that differ."""
        return [self._one(length) for _ in range(count)]

    def _one(self, length: int) -> str:
        beginning = self._beginning(length)
        for _ in range(TRIES):
            text = " ".join(beginning + self._random.choices(self._words, k=length - len(beginning)))
            if self._tokenizer is None or len(encoded(self._tokenizer, text)) == length:
                return text
        found = len(encoded(self._tokenizer, text)) if self._tokenizer else length
        raise MeasurementError(f"no prompt of {length} tokens came out of {TRIES} tries, the last of {found}: use another tokenizer")

    def _beginning(self, length: int) -> list[str]:
        """Words that no other prompt begins with: one while there are fresh ones, then two, three, …

        The n-th of those with k words is n written with the words as digits, its last digit first: neighbours differ in
        their first word even then.
        """
        number, size, words = self._made, len(self._words), 1
        while number >= size**words:
            number -= size**words
            words += 1
        if length < words:
            raise MeasurementError(
                f"{self._made + 1} prompts of {length} token{'s' * (length != 1)} cannot all begin differently, "
                f"there are {size} words: make them longer, or ask for fewer"
            )
        self._made += 1
        digits = []
        for _ in range(words):
            number, digit = divmod(number, size)
            digits.append(self._words[digit])
        return digits


def single_token_words(tokenizer: "Tokenizer") -> list[str]:
    """Up to WORDS_WANTED words that are one token at the beginning of a text and after a space, in the order of a fixed shuffle."""
    ids = list(range(tokenizer.get_vocab_size(with_added_tokens=False)))
    random.Random(len(ids)).shuffle(ids)  # not the first ones: rare words stand at the end of a vocabulary
    found: dict[str, None] = {}
    for start in range(0, len(ids), BATCH):
        decoded = tokenizer.decode_batch([[token] for token in ids[start : start + BATCH]])
        words = list(dict.fromkeys(word for text in decoded if (word := text.strip()).isalpha()))
        alone = tokenizer.encode_batch(words, add_special_tokens=False)
        twice = tokenizer.encode_batch([f"{word} {word}" for word in words], add_special_tokens=False)
        pairs = zip(words, alone, twice, strict=True)
        found |= dict.fromkeys(word for word, one, two in pairs if len(one.ids) == 1 and len(two.ids) == 2)
        if len(found) >= WORDS_WANTED:
            break
    return list(found)[:WORDS_WANTED]


def encoded(tokenizer: "Tokenizer", text: str) -> list[int]:
    """The text's own tokens, without what a post-processor puts around them."""
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def arrivals_ns(requests: int, rate: float, seed: int) -> list[int]:
    """When each request comes due, in nanoseconds after the start: a Poisson process, gaps of −ln(U) / rate seconds."""
    return list(_accumulated(random.Random(seed), requests, rate))


def _accumulated(draws: random.Random, requests: int, rate: float) -> Iterator[int]:
    at_seconds = 0.0
    for _ in range(requests):
        at_seconds += draws.expovariate(rate)
        yield int(at_seconds * 1e9)
