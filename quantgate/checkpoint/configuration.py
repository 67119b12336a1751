"""config.json against the base's: the same model, key by key, whatever version of a library wrote it."""

from collections.abc import Iterator
from typing import Any

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
ROPE = ("rope_parameters", "rope_scaling", "rope_theta")
MEANT = (
    *SIZES, "architectures", "model_type", "tie_word_embeddings", "max_position_embeddings", "rms_norm_eps", "layer_norm_eps", "hidden_act",
    "eos_token_id", "bos_token_id", "sliding_window", "use_sliding_window", "attention_bias", "layer_types", "num_experts_per_tok",
    "partial_rotary_factor",
)  # fmt: skip
"""Keys of which every engine computes or stops by; another value is another model."""
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


def check_configuration(source: Source, base: Source) -> Iterator[Finding]:
    now, before = _meaning(source.config), _meaning(base.config)
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if old == new or (key in ABOUT_THE_FILE):
            continue
        value = f"{key} {_told(new)}, the base's {_told(old)}"
        if key == "tie_word_embeddings" and was_untied(source, base):
            meaning = f"{source.rewrites} in the recipe takes embedding and output layer apart on purpose"
            yield _finding("note", f"config-{key}", "config.json", value, meaning)
            continue
        if key in MEANT or key in ("rope", "dtype of the weights"):
            if new is None or old is None:
                trivial = [one for one in (new, old) if one not in (None, False)]
                if not trivial:
                    continue
                meaning = "one of the two leaves it to the library's default, which versions change"
                yield _finding("warning", f"config-{key}", "config.json", value, meaning)
            else:
                meaning = MEANINGS.get(key, "another model than the base: a key lost or changed on the way")
                yield _finding("error", f"config-{key}", "config.json", value, meaning)
        elif key in before and key in now:
            yield _finding("warning", f"config-{key}", "config.json", value, "the base says otherwise: changed on the way")
        elif key in before and before[key] not in (None, False, [], {}):
            yield _finding("note", f"config-{key}", "config.json", value, "left out, so the library's default counts")


def _meaning(config: dict[str, Any]) -> dict[str, Any]:
    """Without keys about the file; the rotary angles under one name, as versions of transformers have three for them."""
    flat = {key: value for key, value in config.items() if key not in ABOUT_THE_FILE and key not in ROPE and key != "text_config"}
    if isinstance(inner := config.get("text_config"), dict):
        flat.update({f"text_config.{key}" if key in flat else key: value for key, value in _meaning(inner).items()})
    rope: dict[str, Any] = {}
    for given in (config.get("rope_scaling"), config.get("rope_parameters")):
        rope.update({("rope_type" if key == "type" else key): value for key, value in (given or {}).items() if value is not None})
    if config.get("rope_theta") is not None:
        rope["rope_theta"] = config["rope_theta"]
    if rope:
        rope.setdefault("rope_type", "default")
        flat["rope"] = {
            key: float(value) if isinstance(value, int) and not isinstance(value, bool) else value for key, value in rope.items()
        }
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
