"""What people look at: the page of a run, its records as a table, the figures of a load, the suites that there are, and their history."""

from quantgate.report.figures import FigureRow, figure_rows, show_figures
from quantgate.report.history import history_told, show_history
from quantgate.report.load import LoadAsked, LoadResult, show_load
from quantgate.report.next_step import Places, next_commands
from quantgate.report.plan import show_plan
from quantgate.report.suites import described, every_suite, show_described, show_suites
from quantgate.report.table import checkpoint_rows, show_table
from quantgate.report.writing import write_report

__all__ = [
    "FigureRow",
    "LoadAsked",
    "LoadResult",
    "Places",
    "checkpoint_rows",
    "described",
    "every_suite",
    "figure_rows",
    "history_told",
    "next_commands",
    "show_described",
    "show_figures",
    "show_history",
    "show_load",
    "show_plan",
    "show_suites",
    "show_table",
    "write_report",
]
