"""A unit of the matrix: one checkpoint with all its selected suites, what it takes and where that is known from."""

from collections.abc import Iterable, Sequence

import msgspec

from quantgate.history import Line
from quantgate.matrix.cost import Source, costs, suites_of
from quantgate.matrix.weights import weights_bytes
from quantgate.registry import REFERENCE_PRECISION, Family, Registry
from quantgate.suites import Catalogue


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds` of all suites, `boot_seconds` of the boot and all else beside them; from the history where all suites are in it."""

    seconds: float
    boot_seconds: float
    source: Source
    weights_bytes: int | None

    @property
    def total(self) -> float:
        return self.seconds + self.boot_seconds


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """`devices` that its server takes; `is_reference`: the family's BF16, by which the others are judged."""

    family: str
    checkpoint: str
    precision: str
    suites: tuple[str, ...]
    devices: int
    cost: Cost
    is_reference: bool

    @property
    def keys(self) -> list[str]:
        """What its records are of: "family/checkpoint:suite"."""
        return [f"{self.family}/{self.checkpoint}:{suite}" for suite in self.suites]


def units(
    registry: Registry,
    families: Sequence[Family],
    catalogue: Catalogue,
    lines: Iterable[Line],
    tensor_parallel: int | None = None,
    device_class: str | None = None,
    checkpoints: Sequence[str] | None = None,
    *,
    here: bool = False,
) -> list[Unit]:
    """Every checkpoint of which something can be asked, in the families' order; `checkpoints`: these names alone. `device_class` and `here`
    as `costs` takes them: without, the same on hosts of any class."""
    by_suite = costs(registry, families, catalogue, lines, tensor_parallel, device_class, here=here)
    found = []
    for family in families:
        for one in family.checkpoint:
            asked = suites_of(family, one, catalogue)
            if not asked or (checkpoints is not None and one.name not in checkpoints):
                continue
            each = [by_suite[family.name, one.name, name] for name in asked]
            cost = Cost(
                seconds=sum(cost.seconds or 0.0 for cost in each),
                boot_seconds=max(cost.boot_seconds or 0.0 for cost in each),
                source="history" if all(cost.source == "history" for cost in each) else "estimate",
                weights_bytes=weights_bytes(family, one, here=here),
            )
            found.append(
                Unit(
                    family=family.name,
                    checkpoint=one.name,
                    precision=one.precision,
                    suites=tuple(asked),
                    devices=tensor_parallel or one.serve.tensor_parallel,
                    cost=cost,
                    is_reference=one.precision == REFERENCE_PRECISION,
                )
            )
    return found
