"""What was not looked inside, and how much of the weights that is: a pass says nothing about it."""

from collections import defaultdict
from collections.abc import Iterator, Set

from quantgate.checkpoint.findings import Finding, percent
from quantgate.checkpoint.plan import Unread
from quantgate.checkpoint.source import REFUSED, Source
from quantgate.checkpoint.structure import CODE_DTYPES

FUSED = Unread("experts in one tensor", "their scales and codes were not checked; vLLM decides")


def check_unread(source: Source, looked: Set[str]) -> Iterator[Finding]:
    """One note for each way of storing codes that nothing looked at. `looked`: names of tensors that a check has read."""
    if source.plan.unread is REFUSED:
        return
    by_module: dict[str, list[str]] = defaultdict(list)
    for name in source.weights.tensors:
        by_module[name.rpartition(".")[0]].append(name)
    found: dict[Unread, dict[str, int]] = defaultdict(dict)
    for module, names in by_module.items():
        codes = [name for name in names if source.weights[name].dtype in CODE_DTYPES and name not in looked]
        if not codes:
            continue
        promised = source.plan.of(module)
        if isinstance(promised, Unread):
            found[promised][module] = sum(source.weights[name].size_bytes for name in names)
            continue
        for name in codes:
            if len(source.weights[name].shape) > 2 and not any(name.endswith(f".{part}") for part in source.plan.parts):
                beside = [other for other in names if other.startswith(name) and other not in looked]
                found[FUSED][name] = sum(source.weights[other].size_bytes for other in beside)
    total = sum(stored.size_bytes for stored in source.weights.tensors.values())
    for unread, places in found.items():
        share = sum(places.values()) / total
        first = min(places)
        yield Finding(
            severity="note", area="structure", check="not-looked-inside", where=first,
            value=f"{percent(share)} of the weights are {unread.label}", meaning=unread.meaning, badness=share,
        )  # fmt: skip
