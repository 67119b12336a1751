"""What stands beside the model, and without which it serves: heads that draft, and a copy of a tied embedding."""

import re
from collections.abc import Iterator, Set

import numpy as np

from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.schemes import FLOATS
from quantgate.checkpoint.source import Source
from quantgate.checkpoint.storage import Stored, row_blocks

OUTPUT = ("lm_head", "embed_out", "output")
DRAFT = re.compile(r"(?:^|\.)(?:mtp|mtp_\w+|nextn|eagle\w*|medusa\w*|draft\w*)\.")


def is_draft(name: str) -> bool:
    """A head for multi-token prediction or speculation: vLLM's text models leave these tensors out (`hf_to_vllm_mapper`)."""
    return DRAFT.search(name) is not None


def check_drafts(names: Set[str], base: Source) -> Iterator[Finding]:
    """Heads of the base that were not exported."""
    missing = sorted(name for name in base.weights.tensors if is_draft(name) and name not in names)
    modules = {name.rpartition(".")[0] for name in names}
    missing = [name for name in missing if name.rpartition(".")[0] not in modules]
    if missing:
        meaning = "the model serves without it; speculative decoding with its own draft head does not start"
        yield Finding(
            severity="warning", area="structure", check="draft-missing", where=missing[0],
            value=f"{len(missing)} tensors of the base's draft head are not there", meaning=meaning, badness=len(missing),
        )  # fmt: skip


def check_copy(source: Source) -> Iterator[Finding]:
    """A tied model that stores its output layer besides: nothing where it is the embedding, byte for byte."""
    if source.setting("tie_word_embeddings") is not True:
        return
    weights = source.weights
    embedding = next((one for name, one in weights.tensors.items() if name.endswith("embed_tokens.weight")), None)
    copies = [
        one for name, one in weights.tensors.items()
        if name.removesuffix(".weight").rpartition(".")[2] in OUTPUT and one.dtype in FLOATS
    ]  # fmt: skip
    for copy in copies:
        if embedding is None or _are_equal(source, copy, embedding):
            continue
        meaning = "engines take the embedding for the output layer and never read this: one of the two is not what was trained"
        yield Finding(
            severity="warning", area="structure", check="tied-copy-differs", where=copy.name, value=f"another than {embedding.name}",
            meaning=meaning,
        )  # fmt: skip


def _are_equal(source: Source, one: Stored, other: Stored) -> bool:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    blocks = row_blocks(one.rows, one.size_bytes // max(1, one.rows))
    return all(np.array_equal(source.weights.read(one.name, *block), source.weights.read(other.name, *block)) for block in blocks)
