"""Which of pytest's tests are the matrix: those with the marker of a precision, which the harness's own tests have not."""

import argparse
from collections.abc import Sequence

from quantgate.registry.models import PRECISIONS

MATRIX = " or ".join(PRECISIONS)


def marked(more: Sequence[str]) -> list[str]:
    """A user's arguments for pytest, with a `-m` that takes nothing from beyond the matrix: of theirs pytest would take the last alone."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("-m", dest="expression")
    try:
        found, others = parser.parse_known_args(list(more))
    except argparse.ArgumentError:  # a -m without its expression: pytest says so
        return ["-m", MATRIX, *more]
    return ["-m", f"({MATRIX}) and ({found.expression})" if found.expression else MATRIX, *others]
