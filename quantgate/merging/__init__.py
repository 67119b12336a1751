"""The parts of one matrix, measured on many hosts, made one whole: records, verdicts, history, page, exit code."""

from quantgate.merging.run import Merged, merge
from quantgate.merging.telling import told

__all__ = ["Merged", "merge", "told"]
