"""What runs inside the engine's interpreter: it needs that interpreter's vLLM and the standard library, and nothing of ours.

Its modules import each other relatively, since the package is found there by its folder, under its bare name.
"""

from .serve import serve

__all__ = ["serve"]
