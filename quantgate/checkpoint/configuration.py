"""config.json against the base's: the same model, key by key, whatever version of a library wrote it."""

from collections.abc import Iterator
from typing import Any

from quantgate.checkpoint import rotary
from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.layout import was_untied
from quantgate.checkpoint.source import Source

SIZES = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size",
    "num_experts", "num_local_experts", "n_routed_experts", "moe_intermediate_size",
)  # fmt: skip
ABOUT_THE_FILE = (
    "transformers_version",
    "_name_or_path",
    "quantization_config",
    "compression_config",
    "use_cache",
    "auto_map",
    "torch_dtype",
    "dtype",
    "_attn_implementation",
)
"""Keys that say how the file was made, or that engines set for themselves."""
MEANT = (
    *SIZES, "architectures", "model_type", "tie_word_embeddings", "max_position_embeddings", "rms_norm_eps", "layer_norm_eps", "hidden_act",
    "eos_token_id", "bos_token_id", "sliding_window", "use_sliding_window", "attention_bias", "layer_types", "num_experts_per_tok",
)  # fmt: skip
"""Keys of which every engine computes or stops by; another value is another model."""
FILLED_IN = ("layer_types", "attention_bias", "use_sliding_window", "hidden_act")
"""Of these, those that a newer version works out by itself and writes down where the base has nothing."""
MEANINGS = {
    "tie_word_embeddings": "whether the output layer is the embedding: the wrong one is missing, or counts",
    "max_position_embeddings": "longer texts are refused, or answered beyond what was trained",
    "eos_token_id": "answers end too early or never",
}


def is_other_model(source: Source, base: Source) -> Finding | None:
    """One finding if the base is of another size: then nothing else is worth comparing."""
    apart = [key for key in SIZES if None not in (source.setting(key), base.setting(key)) and source.setting(key) != base.setting(key)]
    told = ", ".join(f"{key} {source.setting(key)} and {base.setting(key)}" for key in apart)
    if not apart and source.weights.tensors.keys().isdisjoint(base.weights.tensors):
        told = f"no tensor of one name ({next(iter(source.weights.tensors))}, {next(iter(base.weights.tensors))})"
    if not told:
        return None
    meaning = "this is not the checkpoint's original, so nothing else was compared with it; name the right one after --against"
    return _finding("error", "other-model", "config.json", told, meaning)


HALVES = {"float16", "bfloat16"}
IN_HALF = "the engine computes in the other: usual for GPTQ and AWQ; where activations pass 65,504 float16 overflows"


def check_configuration(source: Source, base: Source) -> Iterator[Finding]:
    yield from _rotary(source, base)
    now, before = _meaning(source.config), _meaning(base.config)
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if _same(old, new):
            continue
        value = f"{key} {_told(new)}, the base's {_told(old)}"
        if key == "tie_word_embeddings" and was_untied(source, base):
            meaning = f"{source.rewrites} in the recipe takes embedding and output layer apart on purpose"
            yield _finding("note", f"config-{key}", "config.json", value, meaning)
            continue
        if key in MEANT or key == "dtype of the weights":
            if new is None or old is None:
                trivial = [one for one in (new, old) if one not in (None, False)]
                if not trivial:
                    continue
                filled = key in FILLED_IN and old is None  # a key that newer versions write out
                meaning = "one of the two leaves it to the library's default, which versions change"
                yield _finding("note" if filled else "warning", f"config-{key}", "config.json", value, meaning)
            elif {new, old} == HALVES:
                yield _finding("warning", "config-dtype", "config.json", value, IN_HALF)
            else:
                meaning = MEANINGS.get(key, "another model than the base: a key lost or changed on the way")
                yield _finding("error", f"config-{key}", "config.json", value, meaning)
        elif key in before and key in now:
            yield _finding("warning", f"config-{key}", "config.json", value, "the base says otherwise: changed on the way")
        elif key in before and before[key] not in (None, False, [], {}):
            yield _finding("note", f"config-{key}", "config.json", value, "left out, so the library's default counts")


def _rotary(source: Source, base: Source) -> Iterator[Finding]:
    """The angles that each configuration makes, of the text model where there is one inside."""
    now, before = (rotary.angles(_text_model(one.config)) for one in (source, base))
    found = rotary.apart(now, before)
    if found is None:
        return
    new, old = found
    value = f"{_told(new)}, the base's {_told(old)}"
    if not now or not before or new.endswith(" unset") or old.endswith(" unset"):
        meaning = "one of the two leaves it to the library's default, which versions change"
        yield _finding("warning", "config-rope", "config.json", value, meaning)
    else:
        meaning = "rotary angles of another model than the base: a key lost or changed on the way"
        yield _finding("error", "config-rope", "config.json", value, meaning)


def _text_model(config: dict[str, Any]) -> dict[str, Any]:
    inner = config.get("text_config")
    return config | inner if isinstance(inner, dict) else config


def _same(old: Any, new: Any) -> bool:
    """Equal; of nested settings (a vision tower's), those that both spell out, as versions of a library write more or fewer."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(_same(old[key], new[key]) for key in old.keys() & new.keys() - {*ABOUT_THE_FILE, *rotary.KEYS})
    return bool(old == new)


def _meaning(config: dict[str, Any]) -> dict[str, Any]:
    """Without keys about the file and the rotary angles; what a library works out itself filled in."""
    flat = {key: value for key, value in config.items() if key not in (*ABOUT_THE_FILE, *rotary.KEYS, "text_config")}
    if isinstance(inner := config.get("text_config"), dict):
        flat.update({f"text_config.{key}" if key in flat else key: value for key, value in _meaning(inner).items()})
    if not flat.get("use_sliding_window", not str(flat.get("model_type")).startswith(("qwen2", "qwen3"))):
        flat["sliding_window"] = None  # Qwen2Config and its heirs take it for unset
    heads = flat.get("num_attention_heads")
    if isinstance(heads, int) and heads > 0:
        flat.setdefault("num_key_value_heads", heads)
        if isinstance(width := flat.get("hidden_size"), int):
            flat.setdefault("head_dim", width // heads)
    dtype = config.get("dtype", config.get("torch_dtype"))
    if isinstance(dtype, str):
        flat["dtype of the weights"] = dtype.removeprefix("torch.")
    return flat


def _told(value: Any) -> str:
    text = "unset" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _finding(severity: Severity, check: str, where: str, value: str, meaning: str) -> Finding:
    return Finding(
        severity=severity,
        area="companions" if check.startswith("config-") else "structure",
        check=check,
        where=where,
        value=value,
        meaning=meaning,
    )
