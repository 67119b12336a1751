"""What the configuration promises of each module: a scheme, that it is not looked inside, or that it stays as it is."""

import re
from functools import cache
from typing import Literal, NamedTuple

from quantgate.checkpoint.matching import class_of, is_class, is_quantizable, names, unused
from quantgate.checkpoint.names import canonical, is_expert
from quantgate.checkpoint.schemes import PARTS, Scheme

NOT_LINEAR = re.compile(r"(?:\w*embed|\w*embeddings?|embed_tokens\w*|wte|wpe|\w*norm\w*|ln_\w+|rotary_emb|conv1d)$", re.IGNORECASE)
"""Last part of modules with a matrix that are no linear layers."""


class RefusedError(Exception):
    """A configuration that vLLM refuses at once: what it says (one sentence), and the rule that it breaks."""

    def __init__(self, value: str, rule: str) -> None:
        super().__init__(value)
        self.rule = rule


class Unread(NamedTuple):
    """A way of storing weights that we do not read: what it is called, and what is known of it."""

    label: str
    meaning: str = "structure and scales not checked; vLLM decides"


class Group(NamedTuple):
    """`targets`: classes, names and patterns; `trees`: names of modules with all that lies below them. `only`: of these the
    routed experts, or all others."""

    targets: tuple[str, ...]
    scheme: Scheme | Unread
    only: Literal["", "experts", "others"] = ""
    trees: frozenset[str] = frozenset()

    def covers(self, module: str, method: str, *, by_class: bool) -> bool:
        if self.only and is_expert(module) != (self.only == "experts"):
            return False
        if by_class:
            kind = class_of(module).lower()
            return any(target.lower() in kind for target in self.targets if is_class(target))
        if self.trees and not self.trees.isdisjoint(_trees(canonical(module))):
            return True
        return names(tuple(target for target in self.targets if not is_class(target)), method).hold(module)


class Plan(NamedTuple):
    """`method`: whose rules of matching hold. No groups: nothing is quantized. `rewrites`: a method that changes the weights first;
    `iterates`: one that rounds each weight for its neighbours' errors. `unread`: the whole of it is in a form that we do not read.
    `follows_files`: an engine takes for unquantized what is stored so. `rotations`: tensors of online rotations, by their last parts."""

    groups: tuple[Group, ...] = ()
    ignore: tuple[str, ...] = ()
    method: str = "none"
    has_cache_scales: bool = False
    rewrites: str = ""
    iterates: str = ""
    unread: Unread | None = None
    follows_files: bool = False
    rotations: tuple[str, ...] = ()

    def is_ignored(self, module: str) -> bool:
        return bool(self.ignore) and names(self.ignore, self.method).hold(module)

    def is_rotation(self, module: str) -> bool:
        return module.rpartition(".")[2] in self.rotations

    def of(self, module: str) -> Scheme | Unread | None:
        """Names and patterns come before class names, as compressed-tensors resolves a module that two groups target."""
        if self.unread is not None:
            return self.unread
        if not self.groups or self.is_rotation(module) or not is_quantizable(module, self.method) or self.is_ignored(module):
            return None
        for by_class in (False, True):
            for group in self.groups:
                if group.covers(module, self.method, by_class=by_class):
                    return group.scheme
        return None

    def scheme_of(self, module: str) -> Scheme | None:
        return found if isinstance(found := self.of(module), Scheme) else None

    def unused(self, modules: list[str]) -> list[str]:
        """Ignore patterns that match none of the modules (linears, whether stored or tied)."""
        return unused(self.ignore, self.method, modules)

    @property
    def labels(self) -> list[str]:
        return list(dict.fromkeys([*([self.unread.label] if self.unread else []), *(group.scheme.label for group in self.groups)]))

    @property
    def parts(self) -> frozenset[str]:
        """Last parts of names that only quantized linears have, whatever this plan calls them."""
        return _parts(self.groups)


def _trees(module: str) -> list[str]:
    """The module and all that it lies in."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


@cache
def _names(schemes: tuple[Scheme, ...]) -> frozenset[str]:
    named = {name for one in schemes for name in (one.weight, one.scale, one.global_scale, one.input_scale) if name}
    return PARTS | named - {"weight"}


def _parts(groups: tuple[Group, ...]) -> frozenset[str]:
    return _names(tuple(dict.fromkeys(group.scheme for group in groups if isinstance(group.scheme, Scheme))))


def is_linear(module: str, dimensions: int) -> bool:
    """Would a model build a linear layer for this matrix? By name, as files do not tell classes."""
    return dimensions == 2 and NOT_LINEAR.match(module.rpartition(".")[2]) is None
