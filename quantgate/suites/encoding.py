"""A text suite as token ids: which of its documents are asked, how they are cut, and from which position they are scored."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from quantgate import fingerprint
from quantgate.suites.kinds import TextSuite


class Encoded(NamedTuple):
    """A document, or a window of one, as token ids; `first` is the first position that is scored, never 0, which nothing predicts."""

    id: str
    ids: list[int]
    cluster: str | None = None
    first: int = 1

    @property
    def scored(self) -> int:
        return max(0, len(self.ids) - self.first)


def encode(suite: TextSuite, tokenizer: Path, max_model_len: int | None = None) -> list[Encoded]:
    """Every document of the suite, encoded once with the tokenizer of the folder `tokenizer` (the BF16 checkpoint's), and cut as the suite
    says; `max_model_len` is that of the server, where it has one."""
    rows = fingerprint.tokenizer(tokenizer).encode_batch([document.text for document in suite.documents])
    found: list[Encoded] = []
    for document, row in zip(suite.documents, rows, strict=True):
        ids = list(row.ids)
        if len(ids) < suite.cut.least:
            continue
        if suite.cut.spare is not None and max_model_len is not None:
            ids = ids[: max_model_len - suite.cut.spare]
        found += _windows(Encoded(document.id, ids, document.cluster), suite.cut.window, suite.cut.stride)
    return found


def _windows(whole: Encoded, window: int | None, stride: int | None) -> Iterator[Encoded]:
    """A document that fits into one window is asked whole."""
    if window is None or len(whole.ids) <= window:
        yield whole
        return
    step, scored = stride or window, 1
    for number, start in enumerate(range(0, len(whole.ids), step)):
        end = min(start + window, len(whole.ids))
        if end - scored > 0 and end > start + 1:
            yield Encoded(f"{whole.id}-{number:04}", whole.ids[start:end], whole.cluster, max(1, scored - start))
        scored = max(scored, end)
        if end == len(whole.ids):
            return
