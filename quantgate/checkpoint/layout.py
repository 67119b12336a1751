"""Is the model whole: every layer of one pattern, the output layer, and beside a base every tensor of it?"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from quantgate.checkpoint import beside
from quantgate.checkpoint.beside import OUTPUT
from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.names import LAYER, layer_of
from quantgate.checkpoint.schemes import PARTS
from quantgate.checkpoint.source import Source
from quantgate.checkpoint.structure import CACHE_SCALES


def check_layout(source: Source) -> Iterator[Finding]:
    """What the checkpoint's own configuration says of the model's shape."""
    names = source.weights.tensors.keys() | source.lost
    yield from _layers(source, names)
    modules = {name.removesuffix(".weight") for name in names}
    has_output = any(module.rpartition(".")[2] in OUTPUT for module in _unquantized_names(modules))
    embedding = next((stored for name, stored in source.weights.tensors.items() if name.endswith("embed_tokens.weight")), None)
    if source.setting("tie_word_embeddings") is False and embedding is not None and not has_output:
        yield _error(
            "output-layer-missing",
            "lm_head.weight",
            "tie_word_embeddings is false",
            "no output layer is stored: an engine answers at random",
        )
    wanted = {0: source.setting("vocab_size"), 1: source.setting("hidden_size")}
    for axis, length in wanted.items():
        if embedding is not None and isinstance(length, int) and len(embedding.shape) == 2 and embedding.shape[axis] < length:
            told = f"{list(embedding.shape)}, {'vocab_size' if axis == 0 else 'hidden_size'} {length}"
            yield _error("embedding-shape", embedding.name, told, "the configuration describes another model than the weights")


def _unquantized_names(modules: set[str]) -> set[str]:
    return modules | {module.rpartition(".")[0] for module in modules if module.rpartition(".")[2] in PARTS}


def _layers(source: Source, names: set[str]) -> Iterator[Finding]:
    """Layers that are counted, and no layer with less than others of its kind (a proper part of another's names)."""
    stacks: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in names:
        if (found := LAYER.search(name)) and not name.endswith(CACHE_SCALES):
            stacks[name[: found.start(1)]][int(found.group(1))].add(name[found.end(1) :])
    if not stacks:
        return
    stack, layers = max(stacks.items(), key=lambda one: sum(map(len, one[1].values())))
    promised = source.setting("num_hidden_layers")
    if isinstance(promised, int):
        for number in sorted(set(range(promised)) - layers.keys()):
            yield _error(
                "layer-missing", f"{stack}{number}", f"{promised} layers promised", "num_hidden_layers counts a layer that is not stored"
            )
        extra = sorted(number for number in layers if number >= promised + (source.setting("num_nextn_predict_layers") or 0))
        for number in extra:
            yield _error(
                "layer-besides",
                f"{stack}{number}",
                f"{promised} layers promised",
                "more layers than num_hidden_layers says: nobody runs them",
            )
    patterns = Counter(frozenset(parts) for parts in layers.values())
    for number, parts in sorted(layers.items()):
        whole = next((pattern for pattern, count in patterns.most_common() if count > 1 and parts < pattern), None)
        if whole is not None and len(whole - parts) <= len(whole) // 2:
            for missing in sorted(whole - parts):
                yield _error(
                    "tensor-missing",
                    f"{stack}{number}{missing}",
                    "other layers have it",
                    "loaders refuse it, or leave memory that was never written",
                )


def was_untied(source: Source, base: Source) -> bool:
    """Whether a rotation gave the output layer weights of its own, the embedding being rotated and it not, or the other way round."""
    outputs = any(name.rpartition(".")[0].rpartition(".")[2] in OUTPUT for name in source.weights.tensors)
    tied = [one.setting("tie_word_embeddings") for one in (base, source)]
    return source.rewrites == "SpinQuant" and tied == [True, False] and outputs


def check_against_names(source: Source, base: Source) -> Iterator[Finding]:
    """Every tensor of the base is there, as it was or quantized; nothing else is, but what quantization adds."""
    names = source.weights.tensors.keys() | source.lost
    modules = _unquantized_names({name.rpartition(".")[0] for name in names if name.rpartition(".")[2] in PARTS | {"weight"}})
    tied = source.setting("tie_word_embeddings") is True
    for name, stored in base.weights.tensors.items():
        module, _, part = name.rpartition(".")
        if name in names or (part == "weight" and module in modules) or (tied and module.rpartition(".")[2] in OUTPUT):
            continue
        if len(stored.shape) == 3 and any(other.startswith(f"{module or name}.") for other in names):
            continue  # experts in one tensor, which quantizers take apart
        if beside.is_draft(name):
            continue
        yield _error("tensor-missing", name, "the base has it", "loaders refuse it, or leave memory that was never written")
    yield from beside.check_drafts(names, base)
    for name in sorted(source.weights.tensors.keys() - base.weights.tensors.keys()):
        module, _, part = name.rpartition(".")
        if part in PARTS or part in CACHE_SCALES or (f"{module}.weight" in base.weights and part == "weight"):
            continue
        if layer_of(name) is not None and ".experts." in name:
            continue
        if module.rpartition(".")[2] in OUTPUT and (was_untied(source, base) or tied):
            continue
        yield Finding(
            severity="warning", area="structure", check="tensor-not-in-base", where=name, value=source.weights[name].dtype,
            meaning="the base has no such tensor: a leftover of training or of another model",
        )  # fmt: skip


def _error(check: str, where: str, value: str, meaning: str) -> Finding:
    return Finding(severity="error", area="structure", check=check, where=where, value=value, meaning=meaning)
