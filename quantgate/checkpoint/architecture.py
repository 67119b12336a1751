"""What config.json says of the layers: of which kind each is, and what a layer does without."""

from typing import Any

from quantgate.checkpoint.source import Source

DRAFTS = ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_layers")
"""How many layers of multi-token prediction stand behind the others."""
SHARED = (".self_attn.k_proj.", ".self_attn.v_proj.", ".self_attn.k_norm.", ".self_attn.v_norm.")
"""What the last layers lack that take keys and values from an earlier one (num_kv_shared_layers)."""
ATTENTION, FEED_FORWARD = (".self_attn.", ".input_layernorm."), (".mlp.", ".post_attention_layernorm.")


def drafts(source: Source) -> int:
    return next((count for key in DRAFTS if isinstance(count := source.setting(key), int) and count), 0)


def layer_kinds(source: Source) -> dict[int, Any]:
    """Layer → its kind, where each has an entry."""
    count = source.setting("num_hidden_layers")
    for key in ("layer_types", "hybrid_override_pattern", "layers_block_type"):
        kinds = source.setting(key)
        if isinstance(kinds, list | str) and len(kinds) == count:
            return dict(enumerate(kinds))
    return {}


def lacks(source: Source, number: int | None, name: str) -> bool:
    """Whether layer `number` does without the tensor: `name` is what stands behind the number, `.self_attn.k_proj.weight`."""
    count, shared = source.setting("num_hidden_layers"), source.setting("num_kv_shared_layers")
    if number is None or not isinstance(count, int):
        return False
    if isinstance(shared, int) and count - shared <= number < count and name.startswith(SHARED):
        return True
    attention, feed_forward = _no_ops(source).get(number, (False, False))
    return (attention and name.startswith(ATTENTION)) or (feed_forward and name.startswith(FEED_FORWARD))


def empty_layers(source: Source) -> set[int]:
    """Layers of which nothing is stored."""
    return {number for number, parts in _no_ops(source).items() if all(parts)}


def _no_ops(source: Source) -> dict[int, tuple[bool, bool]]:
    """Layer → (no attention of its own, no feed-forward of its own), as architecture search leaves them (block_configs)."""
    blocks = source.setting("block_configs")
    if not isinstance(blocks, list):
        return {}
    return {number: (_is_no_op(block, "attention"), _is_no_op(block, "ffn")) for number, block in enumerate(blocks)}


def _is_no_op(block: Any, part: str) -> bool:
    told = block.get(part) if isinstance(block, dict) else None
    return isinstance(told, dict) and bool(told.get("no_op") or told.get("replace_with_linear"))
