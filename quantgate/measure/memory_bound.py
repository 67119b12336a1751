"""How fast decoding could be: a step reads the weights once and every sequence's KV cache, and memory gives so much a second.

    bytes a step = weights + concurrency · context · KV bytes a token
    limit (tokens/s) = concurrency · copy bandwidth / bytes a step

Weights without the embedding table where it is not tied, of which a step reads a few rows. The bandwidth is that of a copy
(bytes read + bytes written) on the same device just before. It is a bound from memory alone: computing may bind earlier.
"""

from typing import Any

from quantgate.records import Limit

BF16_BYTES = 2
GIB = 2**30


def kv_bytes_a_token(config: dict[str, Any], kv_dtype_bytes: int = BF16_BYTES) -> int:
    """Keys and values of all layers, from config.json."""
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    return int(2 * config["num_hidden_layers"] * (config.get("num_key_value_heads") or heads) * head_dim * kv_dtype_bytes)


def embedding_bytes(config: dict[str, Any]) -> int:
    """Of a table that is read row by row; 0 where it is the output layer as well."""
    return 0 if config.get("tie_word_embeddings") else int(config["vocab_size"] * config["hidden_size"] * BF16_BYTES)


def memory_bound(
    config: dict[str, Any], *, weights_gib: float, copy_gb_s: float, concurrency: int, context: float, decode_tps: float
) -> Limit:
    """The bound for `concurrency` sequences of `context` tokens on average, and the share of it that `decode_tps` is."""
    weights = max(weights_gib * GIB - embedding_bytes(config), 0.0)
    cache = concurrency * context * kv_bytes_a_token(config)
    bound = concurrency * copy_gb_s * 1e9 / (weights + cache)
    return Limit(weights_gib=weights_gib, kv_gib=cache / GIB, decode_tps=bound, percent=100 * decode_tps / bound)
