"""What became of every suite, night after night: a line each, beside the baselines; and since when a figure is another."""

from quantgate.history.changes import Change, Moved, changes, locate
from quantgate.history.file import FILE, Read, append, files, history_file, read
from quantgate.history.line import BROKEN, Line, Versions, line_of, line_without_a_record
from quantgate.history.series import Series, series_of

__all__ = [
    "BROKEN",
    "FILE",
    "Change",
    "Line",
    "Moved",
    "Read",
    "Series",
    "Versions",
    "append",
    "changes",
    "files",
    "history_file",
    "line_of",
    "line_without_a_record",
    "locate",
    "read",
    "series_of",
]
