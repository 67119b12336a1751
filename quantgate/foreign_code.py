"""Python that a data set or a model wrote: what it warns of is its author's business."""

import ast
import warnings


def parsed(code: str) -> ast.Module:
    """Its syntax tree. Raises SyntaxError; ValueError (a NUL byte); RecursionError or MemoryError (too deep for the parser)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\w" and `x is 1`: SyntaxWarnings, which a pytest that makes errors of warnings would raise
        return ast.parse(code)
