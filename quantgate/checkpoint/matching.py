"""Does a name in a configuration mean this module? Each of vLLM's quantization methods has rules of its own.

compressed-tensors: whole names and `re:` (compressed_tensors/utils.py), ignore lists spelled as the model's name map spells
them; ModelOpt: parts of names and wildcards (modelopt.py, is_layer_excluded), layers by whole names or a parent's; fp8: whole
names (quant_utils.py, is_layer_skipped); AWQ: parts of names; GPTQ: regular expressions (gptq_utils.py).
"""

import re
from collections.abc import Sequence
from fnmatch import translate
from functools import lru_cache

from quantgate.checkpoint.names import canonical, is_expert, longest_spellings, spellings

EMBEDDING = re.compile(r"(?:embed|embeddings?|embed_tokens\w*|word_embeddings|wte)$", re.IGNORECASE)
OUTPUT = ("lm_head", "embed_out", "output", "head")
NEVER = ("eh_proj", "weights_proj", "mtp_linear_proj", "custom_text_proj", "patch_embedding", "merging_layer", "centroids", "conv1d")
"""Last parts of modules that vLLM's models build without a quantization configuration (nn.Linear, or quant_config=None)."""
TOWERS = ("vision_tower", "vision_model", "vit_large_projector")
"""Parts of names that vLLM's ModelOpt path leaves alone, listed or not."""
IN_PART = ("modelopt", "modelopt-mixed", "awq")
REGULAR = ("compressed-tensors", "gptq")


def class_of(module: str) -> str:
    """The name of the class that vLLM builds, as far as a name tells it."""
    last = module.rpartition(".")[2]
    if EMBEDDING.match(last) and not is_expert(module):
        return "VocabParallelEmbedding"
    return "ParallelLMHead" if last in OUTPUT else "LinearBase"


def is_quantizable(module: str, method: str) -> bool:
    """Whether vLLM would ever build this module quantized under this method."""
    last, kind = module.rpartition(".")[2], class_of(module)
    if last in NEVER or module.endswith("shared_head.head"):
        return False
    if method == "compressed-tensors":
        return True  # its targets name classes
    if method == "modelopt":
        return kind != "VocabParallelEmbedding" and not any(tower in module for tower in TOWERS)
    return kind == "LinearBase" or (method in ("modelopt-mixed", "gptq") and kind == "ParallelLMHead")


def is_class(target: str) -> bool:
    return re.fullmatch(r"[A-Z]\w*", target) is not None


class Names:
    """A list of names and patterns under one method's rules, asked for many modules."""

    def __init__(self, patterns: Sequence[str], method: str) -> None:
        self._method = method
        self._whole = {canonical(one) for one in patterns} | set(patterns)
        self._parts = [_root(one) for one in patterns] if method in IN_PART else []
        self._experts = [one for one in patterns if "experts" in one] if method == "fp8" else []
        self._regular = [found for one in patterns if (found := _compiled(one, method)) is not None]
        self._known: dict[str, bool] = {}

    def hold(self, module: str) -> bool:
        if module not in self._known:
            self._known[module] = self._find(module)
        return self._known[module]

    def _find(self, module: str) -> bool:
        names = spellings(module)
        if not self._whole.isdisjoint(names):
            return True
        if self._parts and any(map("\n".join(longest_spellings(module)).__contains__, self._parts)):
            return True
        if self._experts and is_expert(module):  # skipped together: vLLM asks whether their layer's name is part of an entry
            layer = canonical(module).partition(".experts")[0] + ".experts"
            if any(layer in one for one in self._experts):
                return True
        return any(pattern.match(name) is not None for pattern in self._regular for name in names)


@lru_cache(maxsize=64)
def names(patterns: tuple[str, ...], method: str) -> Names:
    return Names(patterns, method)


def unused(patterns: Sequence[str], method: str, modules: Sequence[str]) -> list[str]:
    """Patterns that mean none of the modules."""
    spelled = {name for module in modules for name in spellings(module)}
    text = "\n".join(name for module in modules for name in longest_spellings(module)) if method in IN_PART else ""
    return [one for one in patterns if not _is_used(one, method, spelled, text)]


def _is_used(pattern: str, method: str, spelled: set[str], text: str) -> bool:
    if pattern in spelled or canonical(pattern) in spelled or (text and _root(pattern) in text):
        return True
    compiled = _compiled(pattern, method)
    return compiled is not None and any(compiled.match(name) is not None for name in spelled)


def _root(pattern: str) -> str:
    """`tree*` means the tree's root and what lies below it."""
    return pattern[:-1] if pattern.endswith("*") and not pattern.endswith(".*") else pattern


def _compiled(pattern: str, method: str) -> "re.Pattern[str] | None":
    if method in REGULAR:
        text = pattern.removeprefix("re:") if method == "gptq" or pattern.startswith("re:") else None
    else:
        text = translate(pattern) if method in IN_PART and re.search(r"[*?\[]", pattern) else None
    try:
        return re.compile(text) if text is not None else None
    except re.error:
        return None
