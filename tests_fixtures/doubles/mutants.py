"""Mutants of the catalogue by name."""

from mutation.catalogue import CATALOGUE
from mutation.mutant import Mutant

DOWN = "model.layers.3.mlp.down_proj"
"""The linear that several mutants damage."""


def named(name: str) -> Mutant:
    """The mutant of this name."""
    return next(mutant for mutant in CATALOGUE if mutant.name == name)
