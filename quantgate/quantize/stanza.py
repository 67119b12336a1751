"""A family for models.toml: the base and what was made of it, to be pasted and completed."""

import json
import re
from pathlib import Path

from quantgate.quantize.making import Made
from quantgate.registry import PRECISIONS, REFERENCE_PRECISION


def family_stanza(made: Made) -> str:
    """TOML that the registry reads. The suite is one that says something about every model; which ones count is the user's choice."""
    base = made.manifest.base
    name = _name(made.output)
    if name in (REFERENCE_PRECISION, "all"):
        name += f"-{_precision(made)}"  # taken: the base's own, and the word for every family
    return (
        f'[[family]]\nname = "{_name(base.name)}"\nsuites = ["wikitext2-50"]\n\n'
        f'[[family.checkpoint]]\nname = "bf16"\nprecision = "bf16"\npath = {_quoted(base.name)}\n'
        + (f"revision = {_quoted(base.revision)}\n" if base.revision else "")
        + f'\n[[family.checkpoint]]\nname = "{name}"\nprecision = "{_precision(made)}"\npath = {_quoted(made.output)}\n'
    )


def _precision(made: Made) -> str:
    """The scheme's; of a recipe of the user's own, that of the first format found in the checkpoint."""
    label = (made.precision or next(iter(made.inspection.formats), "")).lower()
    return next((known for known in PRECISIONS if label.startswith(known)), "FILL IN")


def _name(path: str) -> str:
    """The last part, in the characters that a name may have."""
    return re.sub(r"[^\w.+-]", "-", Path(path).name).lstrip(".+-") or "model"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a TOML string, too
