"""What becomes a baseline: the measurement, its history, and who approved it when and why. Storing it is `fixtures/snapshots.py`'s."""

import datetime
import getpass
import subprocess
from pathlib import Path

import msgspec

from quantgate.records import Approval, Measurement, TextLoss
from quantgate.registry import REFERENCE_PRECISION

GIT_SECONDS = 10.0


def with_history(measured: Measurement, old: Measurement | None, approval: Approval) -> Measurement:
    """The measurement as it is stored: `old`'s history and this approval; likeliest tokens for the reference alone."""
    history = [*(old.history if old is not None else []), approval]
    kept = msgspec.structs.replace(measured, history=history)
    if isinstance(kept, TextLoss) and kept.precision != REFERENCE_PRECISION:
        kept = msgspec.structs.replace(kept, topk=[])  # only BF16's are ever compared with
    return kept


def approval_of(measured: Measurement, reason: str | None, by: str, when: datetime.datetime) -> Approval:
    """The entry for the history."""
    return Approval(
        when=when.isoformat(timespec="seconds"),
        by=by,
        figure=measured.figure,
        vllm=measured.provenance.vllm,
        device_name=measured.provenance.device_name,
        checkpoint_fingerprint=measured.provenance.checkpoint_fingerprint,
        reason=reason,
    )


def is_unchanged(old: Measurement, new: Measurement) -> bool:
    """Whether nothing but the time of the measurement differs, so that there is nothing to approve."""
    return _lasting(old) == _lasting(with_history(new, None, approval_of(new, None, "", datetime.datetime.now(datetime.UTC))))


def _lasting(measured: Measurement) -> Measurement:
    provenance = msgspec.structs.replace(measured.provenance, started="", seconds=0.0, gpu_uuid=[])
    return msgspec.structs.replace(measured, provenance=provenance, history=[])


def approver(folder: Path) -> str:
    """Name and address from git's configuration in `folder`; the login where there is none."""
    found = [_git(folder, key) for key in ("user.name", "user.email")]
    if not any(found):
        return getpass.getuser()
    return " ".join(part for part in (found[0], f"<{found[1]}>" if found[1] else "") if part)


def _git(folder: Path, key: str) -> str:
    try:
        asked = subprocess.run(
            ["git", "-C", str(folder), "config", key],  # noqa: S607 (the user's own git)
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""  # no git here
    return asked.stdout.strip()
