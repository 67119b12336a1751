"""Is this checkpoint what it claims to be? Everything that files alone can tell; and, in a process of its own, an engine's loader.

storage → shards                        (bytes of named tensors, block by block; the folder's shards against its index)
schemes, matching → plan → dialects, integer_dialects → source   (what the configuration promises of which module)
declared                                (in how many bits it asks to be computed)
numerics → decode → yardstick           (codes and scales as numbers; what the format costs at best)
structure, layout, refusals, spreading, blocks, scales, codes, fidelity, configuration, companions, size, unread → inspection
                                        (the checks, and all of them in one report)
show                                    (the report for people)
engine                                  (an engine's own loader, asked in a process of its own)
"""

from quantgate.checkpoint.declared import declared_numerics
from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.encoding import Tensor, bf16, encode
from quantgate.checkpoint.engine import LIMIT_SECONDS, Engine, as_served, tell, with_engine
from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.inputs import BEFORE, PLAIN_NORMS
from quantgate.checkpoint.inspection import inspect_checkpoint
from quantgate.checkpoint.numerics import FP4_MAX, FP8_MAX, Floats, to_floats
from quantgate.checkpoint.plan import is_linear
from quantgate.checkpoint.precision import UNKNOWN, formats_of, precisions_of
from quantgate.checkpoint.report import Report
from quantgate.checkpoint.schemes import nvfp4
from quantgate.checkpoint.shards import read_shards
from quantgate.checkpoint.show import show_report
from quantgate.checkpoint.source import Source, open_source
from quantgate.checkpoint.spreading import why_not_spread
from quantgate.checkpoint.storage import row_blocks
from quantgate.checkpoint.structure import check_linears

__all__ = [
    "BEFORE",
    "FP4_MAX",
    "FP8_MAX",
    "LIMIT_SECONDS",
    "PLAIN_NORMS",
    "UNKNOWN",
    "Engine",
    "Finding",
    "Floats",
    "Linear",
    "Report",
    "Severity",
    "Source",
    "Tensor",
    "as_served",
    "bf16",
    "check_linears",
    "declared_numerics",
    "encode",
    "formats_of",
    "inspect_checkpoint",
    "is_linear",
    "nvfp4",
    "open_source",
    "precisions_of",
    "read_shards",
    "row_blocks",
    "show_report",
    "tell",
    "to_floats",
    "why_not_spread",
    "with_engine",
]
