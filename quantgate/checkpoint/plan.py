"""What the configuration promises of each module: a scheme, or that it stays as it is."""

import re
from fnmatch import fnmatchcase
from typing import NamedTuple

from quantgate.checkpoint.schemes import Scheme

NOT_LINEAR = re.compile(r"(?:embed|embeddings?|embed_tokens|wte|wpe|\w*norm\w*|patch_embed|pos_embed|rotary_emb|conv1d)$", re.IGNORECASE)
"""Last part of modules with a matrix that are no linear layers."""


class Group(NamedTuple):
    targets: list[str]
    scheme: Scheme


class Plan(NamedTuple):
    """`method`: whose rules of matching hold. No groups: nothing is quantized. `rewrites`: a method that changes the weights first."""

    groups: tuple[Group, ...] = ()
    ignore: tuple[str, ...] = ()
    method: str = "none"
    has_cache_scales: bool = False
    rewrites: str = ""

    def is_ignored(self, module: str) -> bool:
        return any(matches(module, pattern, self.method) for pattern in self.ignore)

    def scheme_of(self, module: str) -> Scheme | None:
        """Names and patterns come before class names, as compressed-tensors resolves a module that two groups target."""
        if self.is_ignored(module):
            return None
        for named in (True, False):
            for group in self.groups:
                if any((target == "Linear") != named and matches(module, target, self.method) for target in group.targets):
                    return group.scheme
        return None

    def unused(self, modules: list[str]) -> list[str]:
        """Ignore patterns that match none of the modules (linears, whether stored or tied)."""
        return [pattern for pattern in self.ignore if not any(matches(module, pattern, self.method) for module in modules)]

    @property
    def labels(self) -> list[str]:
        return list(dict.fromkeys(group.scheme.label for group in self.groups))


def is_linear(module: str, dimensions: int) -> bool:
    """Would a model build a linear layer for this matrix? By name, as files do not tell classes."""
    return dimensions == 2 and NOT_LINEAR.match(module.rpartition(".")[2]) is None


def matches(module: str, pattern: str, method: str) -> bool:
    """compressed-tensors: a whole name, `re:` and a pattern from its start, or the class Linear; ModelOpt: wildcards and
    whole subtrees; fp8: a name, the end of one, or a subtree."""
    if pattern == "Linear":
        return True
    if method == "compressed-tensors":
        if not pattern.startswith("re:"):
            return module == pattern
        try:
            return re.match(pattern.removeprefix("re:"), module) is not None
        except re.error:
            return False
    below = module == pattern or module.startswith(f"{pattern}.")
    if method == "modelopt":
        return below or fnmatchcase(module, pattern) or module.endswith(f".{pattern}")
    return below or f".{pattern}." in f".{module}."
