"""Approved measurements: where they are kept, their history, who approved them and why."""

from quantgate.baselines.approval import approval_of, approver, is_unchanged, oldest_of, wants_a_reason, with_history
from quantgate.baselines.folder import BaselineFolder, name_of, place_of

__all__ = [
    "BaselineFolder",
    "approval_of",
    "approver",
    "is_unchanged",
    "name_of",
    "oldest_of",
    "place_of",
    "wants_a_reason",
    "with_history",
]
