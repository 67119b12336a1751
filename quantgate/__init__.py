"""quantgate: a quantized LLM as code under test. What a notebook wants stands here; everything else in the rooms below.

    >>> import quantgate
    >>> before, now = quantgate.read_record("bf16/reference-text.json"), quantgate.read_record("nvfp4/reference-text.json")
    >>> print(quantgate.sentence(quantgate.compare(before, now, perplexity_ratio=1.05)))

The names come from `quantgate.notebook`, when they are first asked for: importing the package itself costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantgate.notebook import (
        Answer,
        Answers,
        DocumentLoss,
        Finding,
        Measurement,
        Provenance,
        QuantgateError,
        Report,
        TextLoss,
        Throughput,
        Verdict,
        compare,
        inspect,
        read_record,
        sentence,
    )

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Answers",
    "DocumentLoss",
    "Finding",
    "Measurement",
    "Provenance",
    "QuantgateError",
    "Report",
    "TextLoss",
    "Throughput",
    "Verdict",
    "compare",
    "inspect",
    "read_record",
    "sentence",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'quantgate' has no attribute {name!r}; it has {', '.join(__all__)}")
    from quantgate import notebook

    return getattr(notebook, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
