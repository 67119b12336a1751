"""Is the model whole: every layer of one pattern, the output layer, and beside a base every tensor of it?"""

from collections import Counter, defaultdict
from collections.abc import Iterator

from quantgate.checkpoint import beside
from quantgate.checkpoint.architecture import drafts, empty_layers, lacks, layer_kinds
from quantgate.checkpoint.beside import OUTPUT
from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.names import LAYER, layer_of
from quantgate.checkpoint.source import Source
from quantgate.checkpoint.structure import CACHE_SCALES

UNWRITTEN = "loaders refuse it, or leave memory that was never written"


def check_layout(source: Source) -> Iterator[Finding]:
    """What the checkpoint's own configuration says of the model's shape."""
    names = source.weights.tensors.keys() | source.lost
    yield from _layers(source, names)
    modules = {name.removesuffix(".weight") for name in names}
    has_output = any(module.rpartition(".")[2] in OUTPUT for module in _unquantized_names(source, modules))
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


def _unquantized_names(source: Source, modules: set[str]) -> set[str]:
    return modules | {module.rpartition(".")[0] for module in modules if _is_part(source, module)}


def _is_part(source: Source, name: str) -> bool:
    """Whether the last part is one that only quantized linears have; of what we do not read any is."""
    return source.plan.unread is not None or name.rpartition(".")[2] in source.plan.parts


def _layers(source: Source, names: set[str]) -> Iterator[Finding]:
    """Layers that are counted, and no layer with less than others of its kind (a proper part of another's names)."""
    stacks: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name in names:
        if (found := LAYER.search(name)) and not name.endswith(CACHE_SCALES):
            stacks[name[: found.start(1)]][int(found.group(1))].add(_essence(source, name)[found.end(1) :])
    if not stacks:
        return
    stack, layers = max(stacks.items(), key=lambda one: sum(map(len, one[1].values())))
    promised = source.setting("num_hidden_layers")
    if isinstance(promised, int):
        for number in sorted(set(range(promised)) - layers.keys() - empty_layers(source)):
            yield _error(
                "layer-missing", f"{stack}{number}", f"{promised} layers promised", "num_hidden_layers counts a layer that is not stored"
            )
        extra = sorted(number for number in layers if number >= promised + drafts(source))
        for number in extra:
            yield _error(
                "layer-besides",
                f"{stack}{number}",
                f"{promised} layers promised",
                "more layers than num_hidden_layers says: nobody runs them",
            )
        if drafts(source) and max(layers) < promised and not any("mtp" in other.split(".") for other in names):
            meaning = "no layer that drafts is stored: it serves without, and speculative decoding with it fails"
            yield _warning("mtp-missing", f"{stack}{promised}", f"{drafts(source)} promised for multi-token prediction", meaning)
    yield from _less_than_others(source, stack, layers)


def _essence(source: Source, name: str) -> str:
    """A linear's name, however it is stored: what its tensors are is asked of each linear's own promise."""
    module, _, part = name.rpartition(".")
    return f"{module}.weight" if part != "bias" and _is_part(source, name) else name


def _less_than_others(source: Source, stack: str, layers: dict[int, set[str]]) -> Iterator[Finding]:
    """One layer that lacks what others of its kind have was damaged; several that lack the same are a kind that we do not know."""
    kinds = layer_kinds(source)
    patterns = Counter((kinds.get(number), frozenset(parts)) for number, parts in layers.items())
    lacking: dict[frozenset[str], list[int]] = defaultdict(list)
    for number, parts in sorted(layers.items()):
        alike = [one for (kind, one), count in patterns.most_common() if count > 1 and kind == kinds.get(number)]
        whole = next((one for one in alike if parts < one), None)
        if whole is not None and len(whole - parts) <= len(whole) // 2:
            missing = frozenset(name for name in whole - parts if not lacks(source, number, name))
            if missing:
                lacking[missing].append(number)
    for missing, numbers in lacking.items():
        for name in sorted(missing):
            for number in numbers:
                where = f"{stack}{number}{name}"
                if len(numbers) == 1:
                    yield _error("tensor-missing", where, "other layers have it", UNWRITTEN)
                else:
                    meaning = "layers of another kind, or tensors lost in each of them; with the base after --against this is told apart"
                    yield _warning("layers-differ", where, f"{len(numbers)} layers lack it, others have it", meaning)


def was_untied(source: Source, base: Source) -> bool:
    """Whether a rotation gave the output layer weights of its own, the embedding being rotated and it not, or the other way round."""
    outputs = any(name.rpartition(".")[0].rpartition(".")[2] in OUTPUT for name in source.weights.tensors)
    tied = [one.setting("tie_word_embeddings") for one in (base, source)]
    return source.rewrites == "SpinQuant" and tied == [True, False] and outputs


def check_against_names(source: Source, base: Source) -> Iterator[Finding]:
    """Every tensor of the base is there, as it was or quantized; nothing else is, but what quantization adds."""
    names = source.weights.tensors.keys() | source.lost
    modules = _unquantized_names(source, {name.rpartition(".")[0] for name in names if name.endswith(".weight") or _is_part(source, name)})
    tied = source.setting("tie_word_embeddings") is True
    for name, stored in base.weights.tensors.items():
        module, _, part = name.rpartition(".")
        if name in names or (part == "weight" and module in modules) or (tied and module.rpartition(".")[2] in OUTPUT):
            continue
        if len(stored.shape) == 3 and any(other.startswith((f"{module or name}.", f"{name}_")) for other in names):
            continue  # experts in one tensor, which quantizers take apart
        if beside.is_draft(name):
            continue
        if (found := LAYER.search(name)) and lacks(source, int(found.group(1)), name[found.end(1) :]):
            continue
        yield _error("tensor-missing", name, "the base has it", UNWRITTEN)
    yield from beside.check_drafts(names, base)
    for name in sorted(source.weights.tensors.keys() - base.weights.tensors.keys()):
        module, _, part = name.rpartition(".")
        if part in source.plan.parts or part in CACHE_SCALES or source.plan.is_rotation(module):
            continue
        if f"{module}.weight" in base.weights and (part == "weight" or source.plan.unread is not None):
            continue
        if layer_of(name) is not None and ".experts." in name:
            continue
        if module.rpartition(".")[2] in OUTPUT and (was_untied(source, base) or tied):
            continue
        yield Finding(
            severity="warning", area="structure", check="tensor-not-in-base", where=name, value=source.weights[name].dtype,
            meaning="the base has no such tensor: a leftover of training or of another model",
        )  # fmt: skip


def _warning(check: str, where: str, value: str, meaning: str) -> Finding:
    return Finding(severity="warning", area="structure", check=check, where=where, value=value, meaning=meaning)


def _error(check: str, where: str, value: str, meaning: str) -> Finding:
    return Finding(severity="error", area="structure", check=check, where=where, value=value, meaning=meaning)
