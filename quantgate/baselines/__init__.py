"""Approved measurements: where they are kept (folders, stores), their history, who approved them and why."""

from quantgate.baselines.approval import approval_of, approver, is_unchanged, oldest_of, wants_a_reason, with_history
from quantgate.baselines.chain import REVIEW, Baselines, open_baselines
from quantgate.baselines.folder import BaselineFolder
from quantgate.baselines.places import name_of, place_of
from quantgate.baselines.where import absolute, folder_of, is_url, links

__all__ = [
    "REVIEW",
    "BaselineFolder",
    "Baselines",
    "absolute",
    "approval_of",
    "approver",
    "folder_of",
    "is_unchanged",
    "is_url",
    "links",
    "name_of",
    "oldest_of",
    "open_baselines",
    "place_of",
    "wants_a_reason",
    "with_history",
]
