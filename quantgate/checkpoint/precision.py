"""Which precision a checkpoint's files have, beside the one that models.toml declares."""

import re
from collections.abc import Sequence
from pathlib import Path

from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.plan import Unread
from quantgate.checkpoint.schemes import Scheme
from quantgate.checkpoint.source import Source, without_weights
from quantgate.registry import REFERENCE_PRECISION

UNKNOWN = "unknown"
BY_NAME = (
    ("nvfp4", r"nv_?fp4"),
    ("mxfp4", r"mx_?fp4"),
    ("fp8", r"fp8|float8|e4m3"),
    ("int8", r"int8|w8a8|8.?bit"),
    ("int4", r"int4|w4a16|4.?bit"),
)
"""What the name of a format that is not read says; the first that matches."""


def precisions_of(folder: Path) -> set[str]:
    """By its configuration, as in models.toml: several where linears are stored in several ways, UNKNOWN for a format that says nothing.

    Raises ConfigurationError where there is no checkpoint.
    """
    return _precisions(without_weights(folder))


def formats_of(folder: Path) -> str:
    """How its linears are stored, in words. Raises ConfigurationError where there is no checkpoint."""
    source = without_weights(folder)
    return ", ".join(source.plan.labels) or ("unknown" if source.is_quantized else "BF16")


def check_declared(source: Source, declared: str | None, serve_args: Sequence[str] = ()) -> list[Finding]:
    """An error where the files have another precision than is `declared`: every verdict would be about something else.

    BF16 files that the engine quantizes as it loads them (`--quantization` among its arguments) may be declared as anything.
    """
    found = _precisions(source)
    as_loaded = found == {REFERENCE_PRECISION} and any(one.partition("=")[0] in ("--quantization", "-q") for one in serve_args)
    if declared is None or declared in found or UNKNOWN in found or as_loaded:
        return []
    seen = f"files of precision {' and '.join(sorted(found))} ({', '.join(source.plan.labels) or 'nothing is quantized'})"
    meaning = f'models.toml says precision = "{declared}": name the other folder, or write what this one is'
    return [Finding(severity="error", area="structure", check="precision", where="config.json", value=seen, meaning=meaning)]


def _precisions(source: Source) -> set[str]:
    if not source.is_quantized:
        return {REFERENCE_PRECISION}
    schemes = [group.scheme for group in source.plan.groups] + ([source.plan.unread] if source.plan.unread else [])
    return {_of(one) for one in schemes} or {UNKNOWN}


def _of(scheme: Scheme | Unread) -> str:
    if isinstance(scheme, Unread):
        return next((name for name, pattern in BY_NAME if re.search(pattern, scheme.label, re.IGNORECASE)), UNKNOWN)
    if scheme.codes == "fp4":
        return "mxfp4" if scheme.has_power_scales else "nvfp4"
    if scheme.codes == "fp8":
        return "fp8"
    return {8: "int8", 4: "int4"}.get(scheme.bits, UNKNOWN)
