"""The quantized linears that a checkpoint without weights would have: what config.json promises of a layer, by its sizes."""

from typing import NamedTuple

from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.source import Source
from quantgate.checkpoint.storage import Weights


class Sizes(NamedTuple):
    hidden: int
    between: int
    queries: int
    keys: int


def promised_linears(source: Source) -> list[Linear]:
    """Of the first layer, as all layers are alike in what can be spread; none where the sizes are not told or a form is not read."""
    sizes = _sizes(source)
    if sizes is None:
        return []
    experts = source.setting("moe_intermediate_size")
    shapes = _attention(sizes) | _feed_forward("mlp", sizes.hidden, sizes.between)
    if isinstance(experts, int):
        shapes |= _feed_forward("mlp.experts.0", sizes.hidden, experts)
    named = {f"model.layers.0.{name}": shape for name, shape in shapes.items()}
    return [
        Linear(name, scheme, Weights({}), rows, width)
        for name, (rows, width) in named.items()
        if (scheme := source.plan.scheme_of(name)) is not None
    ]


def _sizes(source: Source) -> Sizes | None:
    hidden, between, heads = (source.setting(key) for key in ("hidden_size", "intermediate_size", "num_attention_heads"))
    if not (isinstance(hidden, int) and isinstance(between, int) and isinstance(heads, int) and heads):
        return None
    shared, wide = source.setting("num_key_value_heads") or heads, source.setting("head_dim") or hidden // heads
    return Sizes(hidden, between, heads * wide, shared * wide)


def _attention(sizes: Sizes) -> dict[str, tuple[int, int]]:
    """(rows, width) by name."""
    into = {"q_proj": sizes.queries, "k_proj": sizes.keys, "v_proj": sizes.keys}
    return {f"self_attn.{name}": (rows, sizes.hidden) for name, rows in into.items()} | {"self_attn.o_proj": (sizes.hidden, sizes.queries)}


def _feed_forward(where: str, hidden: int, between: int) -> dict[str, tuple[int, int]]:
    return {f"{where}.gate_proj": (between, hidden), f"{where}.up_proj": (between, hidden), f"{where}.down_proj": (hidden, between)}
