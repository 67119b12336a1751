"""What vLLM itself warns of that concerns the checkpoint: scales that differ between fused parts, values that it had to make up,
weights that it did not load, layers that are computed otherwise than the checkpoint promises.

Told by what a line says, not by where it stands: files move from version to version, and the words of an accuracy that suffers do not.
Most of what vLLM warns of (free ports, tuning files, deprecated options) concerns nobody who asks about a checkpoint.
"""

import re
import textwrap

LONGEST_WARNING = 240
WARNING = re.compile(r"(?m)^(?:\([^()\n]* pid=\d+\) )?WARNING \S+ \S+ \[?[\w./]+:\d+\] *(.*\S)")
"""As vLLM's logger writes it, with the process before it or without."""
ABOUT = re.compile(
    r"(?i)\baccura(?:cy|te)\b|\bcorrectness\b|incorrect results|\blossy\b|losslessly|\buncalibrated\b"  # of the answers
    r"|_scales?\b|\b(?:weight|input|activation|act|block|global|cache|kv|null) (?:global )?(?:scale|scaling)|scaling factor\b"
    r"|must match|that are not equal|received no checkpoint value|not loaded\b|unknown checkpoint weight|embeddings are tied"  # of weights
    r"|native support for FP|native (?:FP4|MXFP4)|weight-only|simulated weight|dequantize"  # of how they are computed with
    r"|quantization \([^)]*\) is ignored|Skipping CompressedTensors config group|emulation mode|M[oO]E backend supports activation"
    r"|falling back to (?:MXFP4|BF16|unoptimized AWQ|Moe WNA16|Transformers implementation)"
)
NOT_ABOUT = re.compile(
    r"(?i)experimental|environment variable|prometheus|metrics|page cache|prefetch|tensorizer|async scheduling|request ids?\b"
    r"|chat[- ]template|batch invariance|officially support|LongRoPE|Config file not found|Language .* is not natively supported"
    r"|sinks ignored|kv-sharing|--linear-backend"
)
ONE_OF_MANY = re.compile(r"'[^']*'|\S+\.\d+\.\S+|(?<!\S)-?\d[\d.]*(?!\S)")
"""A name in quotes, a tensor's or a layer's name, a number."""


def warnings(text: str) -> list[str]:
    """Each warning about the checkpoint once, in the log's order and words; lines that differ in a layer's name or a number are one."""
    found: dict[str, str] = {}
    for said in (" ".join(one[1].split()) for one in WARNING.finditer(text)):
        if ABOUT.search(said) and not NOT_ABOUT.search(said):
            found.setdefault(ONE_OF_MANY.sub("#", said), textwrap.shorten(said, LONGEST_WARNING, placeholder=" …"))
    return list(found.values())
