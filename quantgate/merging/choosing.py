"""Which record counts for a key: that of the folder that was asked for it; and which a folder holds besides."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quantgate.merging.parts import Found, Key, Part
from quantgate.merging.refusals import SPEED
from quantgate.registry import REFERENCE_PRECISION

Candidates = Mapping[Key, Sequence[tuple[Part, Found]]]


class Chosen(NamedTuple):
    """`asked`: what is judged. `beside`: BF16's speed, which a run measures for its candidates' sake and judges nothing of. `left`: a
    sentence for each folder with records that nobody was asked for."""

    asked: dict[Key, Found]
    beside: dict[Key, Found]
    left: list[str]

    @property
    def all(self) -> dict[Key, Found]:
        return self.asked | self.beside


def matrix_of(parts: Sequence[Part]) -> set[Key]:
    return set().union(*(part.matrix for part in parts))


def candidates(parts: Sequence[Part]) -> dict[Key, list[tuple[Part, Found]]]:
    """By key of the matrix: the records of the folders that were to measure it, else of any that has one."""
    matrix = matrix_of(parts)
    found: dict[Key, list[tuple[Part, Found]]] = {}
    for own in (True, False):
        for key in matrix - found.keys():
            if held := [(part, part.records[key]) for part in parts if key in part.records and (not own or key in part.mine)]:
                found[key] = held
    return found


def choose(parts: Sequence[Part], found: Candidates) -> Chosen:
    """One for each key, of records that are the same where there are several."""
    matrix, beside, left = matrix_of(parts), dict[Key, Found](), list[str]()
    for part in parts:
        unasked = [record for key, record in sorted(part.records.items()) if key not in matrix]
        for record in (one for one in unasked if _is_beside(one)):
            known = beside.get(record.key)
            if known is None or (record.started, record.sha256) > (known.started, known.sha256):
                beside[record.key] = record
        if names := [record.name for record in unasked if not _is_beside(record)]:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            left.append(f"{part.folder} holds {names[0]}{more}, which its run was not asked for: left there")
    return Chosen({key: one[0][1] for key, one in sorted(found.items())}, beside, left)


def _is_beside(record: Found) -> bool:
    return record.kind == SPEED and record.precision == REFERENCE_PRECISION
