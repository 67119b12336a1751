"""Scales of the KV cache: there, in every layer that has a cache, above zero; and a scheme that the engine follows.

What vLLM does with them (`layers/quantization/kv_cache.py`): compressed-tensors' are taken as they are. ModelOpt's begin at -1 for
"none": both below 0 are served as 1, one alone stands for both if it is k_scale, and anything else stops the server.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.names import LAYER
from quantgate.checkpoint.numerics import to_floats
from quantgate.checkpoint.source import Source
from quantgate.checkpoint.structure import CACHE_SCALES

TOWER = re.compile(r"(?:^|\.)(?:visual|vision\w*|vit|audio\w*|image\w*|multi_modal\w*)\.")
"""Parts of a multimodal model that keep no keys and values."""
KEPT_BY = ("k_proj", "qkv_proj", "c_attn", "query_key_value", "kv_b_proj")
"""Linears whose layer has a cache of its own."""
SERVED_AS_1 = "the KV cache is served in FP8 with scales of 1, which cuts off or coarsens keys and values"


def check_cache(source: Source) -> Iterator[Finding]:
    stored = {name: name.rpartition(".")[0] for name in source.weights.tensors if name.endswith(tuple(f".{one}" for one in CACHE_SCALES))}
    modules = sorted(set(stored.values()))
    yield from _scheme(source)
    if not source.plan.has_cache_scales:
        if modules:
            meaning = "scales for a KV cache that the configuration does not ask for"
            yield _finding("warning", "cache-scales-besides", modules[0], f"{len(modules)} modules", meaning)
        return
    of_text = {name: module for name, module in stored.items() if not TOWER.search(name)}
    if not of_text and not source.lost:
        told = f"{len(modules)} modules of a tower have some, which keeps no cache" if modules else "none stored"
        yield _finding("warning", "cache-scales-missing", "config.json", f"an FP8 KV cache with static scales, {told}", SERVED_AS_1)
    elif len(of_text) < len(stored):
        first = min(stored.keys() - of_text.keys())
        meaning = "this part of the model keeps no keys and values: loaders leave them out or stop at the name"
        yield _finding("warning", "cache-scales-in-tower", first, f"{len(stored) - len(of_text)} scales", meaning)
    if of_text:
        yield from _gaps(source, of_text)
        yield from _values(source, sorted(of_text))


def _scheme(source: Source) -> Iterator[Finding]:
    """A scheme that vLLM passes over without a word, as the cache then stays in BF16."""
    raw = source.config.get("quantization_config")
    scheme = raw.get("kv_cache_scheme") if isinstance(raw, dict) and str(raw.get("quant_method")).startswith("modelopt") else None
    if scheme and not (isinstance(scheme, dict) and (scheme.get("type"), scheme.get("num_bits")) == ("float", 8)):
        meaning = 'vLLM reads {"type": "float", "num_bits": 8} alone and ignores this: the cache stays in BF16'
        yield _finding("warning", "cache-scheme", "config.json", f"kv_cache_scheme {str(scheme)[:60]}", meaning)


def _gaps(source: Source, stored: dict[str, str]) -> Iterator[Finding]:
    """Layers with a cache and without scales, where others have them."""
    having, keeping = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for name in source.weights.tensors:
        if (found := LAYER.search(name)) and not TOWER.search(name):
            stack, number = name[: found.start(1)], int(found.group(1))
            if name in stored:
                having[stack].add(number)
            elif name.rpartition(".")[0].rpartition(".")[2] in KEPT_BY:
                keeping[stack].add(number)
    for stack, numbers in having.items():
        without = sorted(keeping[stack] - numbers)
        if without and not source.lost:
            told = f"{len(without)} of {len(keeping[stack])} layers have no scales for the KV cache"
            yield _finding("warning", "cache-scales-missing", f"{stack}{without[0]}", told, f"there {SERVED_AS_1}", len(without))


def _values(source: Source, names: list[str]) -> Iterator[Finding]:
    """Zero and below; NaN is found with the tensors that are no linear's."""
    by_layer: dict[str, dict[str, float]] = defaultdict(dict)
    for name in names:
        values = to_floats(source.weights.read(name), source.weights[name].dtype)
        if np.isfinite(values).all() and values.size:
            layer = name[: found.end()] if (found := LAYER.search(name)) else name.rpartition(".")[0]
            by_layer[layer][name] = float(values.min())
    is_taken_as_it_is = source.plan.method == "compressed-tensors"
    for together in by_layer.values():
        kept = {name: value for name, value in together.items() if name.endswith(("k_scale", "v_scale", "kv_scale"))}
        for name, value in together.items():
            if value > 0:
                continue
            if value == 0 and name in kept:
                meaning = "keys or values are divided by 0" if is_taken_as_it_is else "vLLM asserts that it is above 0 and stops"
                yield _finding("error", "cache-scale-not-positive", name, f"{value:g}", meaning, 2)
            elif is_taken_as_it_is:
                meaning = "it is taken as it is: no calibration writes such a value, and keys or values are coarser for it"
                yield _finding("warning", "cache-scale-not-positive", name, f"{value:g}", meaning, 1)
            elif name not in kept or max(kept.values()) < 0:
                meaning = "vLLM takes it for none and serves a scale of 1" if name in kept else "vLLM takes it for none"
                yield _finding("warning", "cache-scale-not-positive", name, f"{value:g}", meaning, 1)
            else:
                meaning = "vLLM asserts that k_scale is above 0 and stops, or takes the one scale for keys and values"
                severity: Severity = "error" if name.endswith("k_scale") else "warning"
                yield _finding(severity, "cache-scale-not-positive", name, f"{value:g}", meaning, 2)


def _finding(severity: Severity, check: str, where: str, value: str, meaning: str, badness: float = 0.0) -> Finding:
    return Finding(severity=severity, area="scales", check=check, where=where, value=value, meaning=meaning, badness=badness)
