"""Every mutant there is: damage that people really meet, and changes that are none."""

from mutation import file_mutants, harmless_mutants, nvfp4_mutants, nvfp4_scale_mutants, other_mutants
from mutation.mutant import Mutant

CATALOGUE: tuple[Mutant, ...] = (
    *nvfp4_scale_mutants.MUTANTS,
    *nvfp4_mutants.MUTANTS,
    *other_mutants.MUTANTS,
    *file_mutants.MUTANTS,
    *harmless_mutants.MUTANTS,
)
