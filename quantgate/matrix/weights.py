"""How large a checkpoint's weights are, by what every host can read alike: names in models.toml first, then files that lie beside it.

What a host has by chance (a hub id in its cache, a folder at an absolute path, a checkpoint that was made here) does not count: the cut of
a matrix has to be the same on all of them.
"""

import re
from pathlib import Path

from quantgate.registry import Checkpoint, Family, in_cache

SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.IGNORECASE)
"""`32b`, `0.6B`, `8x7B`, `135M`; of `30B-A3B` the first, which is what has to be loaded."""
MULTIPLE = {"b": 1e9, "m": 1e6}
BYTES = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0, "nvfp4": 0.5625, "mxfp4": 0.53125, "int4": 0.53}
"""A parameter's, with the scales of its block: 4 bits and 8 for each 16 (NVFP4), 8 for each 32 (MXFP4)."""


def weights_bytes(family: Family, checkpoint: Checkpoint, *, here: bool = False) -> int | None:
    """Its own size, by name or file; else as many parameters as another checkpoint of the family has; None where nothing says it.

    `here`: what this host alone has counts too, behind all the rest: for a figure that no other host has to find.
    """
    if (own := _own(family, checkpoint, here=here)) is not None:
        return round(own)
    for other in sorted(family.checkpoint, key=lambda one: one != family.reference()):
        if (found := _own(family, other, here=here)) is not None:
            return round(found / BYTES[other.precision] * BYTES[checkpoint.precision])
    return None


def _own(family: Family, checkpoint: Checkpoint, *, here: bool) -> float | None:
    for name in (checkpoint.written, checkpoint.name, family.name):
        if (parameters := parameters_named(name)) is not None:
            return parameters * BYTES[checkpoint.precision]
    came_along = checkpoint.revision is None and checkpoint.quantize is None and not Path(checkpoint.written).is_absolute()
    folder = Path(checkpoint.path) if came_along else in_cache(checkpoint) if here else None
    sizes = [] if folder is None else [file.stat().st_size for file in folder.glob("*.safetensors")]
    return float(sum(sizes)) if sizes else None


def parameters_named(name: str) -> float | None:
    """What a name says of a model's size, in parameters; the last part of a path that says anything."""
    for part in reversed(re.split(r"[/\\]", name)):
        if found := SIZE.search(part):
            return int(found[1] or 1) * float(found[2]) * MULTIPLE[found[3].lower()]
    return None
