"""What people look at: a run's records as a table, and the figures of a load."""

from quantgate.report.load import LoadAsked, LoadResult, show_load
from quantgate.report.table import checkpoint_rows, show_table

__all__ = [
    "LoadAsked",
    "LoadResult",
    "checkpoint_rows",
    "show_load",
    "show_table",
]
