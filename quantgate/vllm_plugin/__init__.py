"""vLLM's plugin for its CPU build, and NVFP4 in plain torch. vLLM's own processes import this room, and nothing else of ours.

Its modules are its face: `cpu` is the entry point, `fp4` the arithmetic.
"""

__all__ = ["cpu", "fp4"]
