"""What becomes a baseline: the measurement, its history, and who approved it when and why. Storing it is `fixtures/snapshots.py`'s.

A baseline remembers the oldest approval that it still answers for: the last one with a reason, or the first. What replaces it without
a reason is judged against that one too, since twelve steps of one per cent are one of twelve.
"""

import datetime
import getpass
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from quantgate.judgement import blind, sentence
from quantgate.records import Answer, Answers, Approval, Measurement, Oldest, TextLoss, Verdict
from quantgate.registry import REFERENCE_PRECISION

GIT_SECONDS = 10.0


def with_history(measured: Measurement, old: Measurement | None, approval: Approval) -> Measurement:
    """The measurement as it is stored: `old`'s history and this approval, and what it still answers for; likeliest tokens for the
    reference alone."""
    history = [*(old.history if old is not None else []), approval]
    kept = msgspec.structs.replace(measured, history=history, oldest=_answers_for(measured, old, approval))
    if isinstance(kept, TextLoss) and kept.precision != REFERENCE_PRECISION:
        kept = msgspec.structs.replace(kept, topk=[])  # only BF16's are ever compared with
    if isinstance(kept, Answers):
        kept = msgspec.structs.replace(kept, items=_without_prompts(kept.items), again=_without_prompts(kept.again))
    return kept


def _without_prompts(items: Sequence[Answer]) -> list[Answer]:
    """A baseline is read by people, and its suite's fingerprint vouches for what was asked."""
    return [msgspec.structs.replace(item, prompt=None) for item in items]


def _answers_for(measured: Measurement, old: Measurement | None, approval: Approval) -> Oldest | None:
    """The oldest approval that stands behind this one; None where it is the first, or has a reason, and stands for itself."""
    if old is None or approval.reason is not None:
        return None
    first = oldest_of(old)
    if old.oldest is not None:
        when, by, figure = old.oldest.when, old.oldest.by, old.oldest.figure
    elif old.history:
        when, by, figure = old.history[-1].when, old.history[-1].by, old.figure
    else:
        when, by, figure = old.provenance.started, "nobody", old.figure
    now, before = _values(measured), _values(first)
    return Oldest(
        when=when,
        by=by,
        figure=figure,
        changed={name: value for name, value in before.items() if now.get(name) != value},
        tokens_an_answer=_tokens_an_answer(first) if isinstance(first, Answers) else None,
    )


def _tokens_an_answer(measured: Answers) -> float:
    return sum(item.completion_tokens for item in measured.items) / len(measured.items)


def oldest_of(baseline: Measurement) -> Measurement:
    """The oldest approval that the baseline answers for, as a measurement to compare with; the baseline itself where it is that."""
    oldest = baseline.oldest
    if oldest is None:
        return baseline
    if isinstance(baseline, TextLoss):
        documents = [msgspec.structs.replace(one, nll_sum=oldest.changed.get(one.id, one.nll_sum)) for one in baseline.documents]
        return msgspec.structs.replace(baseline, documents=documents, topk=[], again=[])
    if isinstance(baseline, Answers):
        items, mean = [], _tokens_an_answer(baseline)
        # Its lengths were not kept one by one: as if each answer had changed as their mean did.
        scale = oldest.tokens_an_answer / mean if oldest.tokens_an_answer and mean > 0 else 1.0
        for item in baseline.items:
            worth = oldest.changed.get(item.id, item.worth)
            graded = {} if item.score is None else {"score": worth}
            right = worth == 1 if item.score is None else item.correct
            tokens = max(1, round(item.completion_tokens * scale))
            items.append(msgspec.structs.replace(item, correct=right, completion_tokens=tokens, **graded))
        return msgspec.structs.replace(baseline, items=items, again=[])
    scale = oldest.figure / baseline.figure
    rounds = [msgspec.structs.replace(one, decode_tps=one.decode_tps * scale) for one in baseline.rounds]
    return msgspec.structs.replace(baseline, rounds=rounds)


def _values(measured: Measurement) -> dict[str, float]:
    """By id, what is compared of each document or item; a speed has none."""
    if isinstance(measured, TextLoss):
        return {one.id: one.nll_sum for one in measured.documents}
    return {one.id: one.worth for one in measured.items} if isinstance(measured, Answers) else {}


def wants_a_reason(
    measured: Measurement, old: Measurement, between: Sequence[Verdict | str], since_oldest: Sequence[Verdict | str]
) -> list[str]:
    """Why this measurement replaces `old` only with a reason; nothing where it may without.

    `between`: the verdicts against `old`; `since_oldest`: against the oldest approval. BF16's baseline is what all others are judged by:
    everything but a pass asks for a reason. Of the rest, a fail, and what cannot be judged.
    """
    is_reference = measured.precision == REFERENCE_PRECISION
    found = [_said(one) for one in between if _asks(one, strict=is_reference)]
    if old.oldest is not None:
        whose = f"{old.oldest.when[:10]} by {old.oldest.by}: {old.oldest.figure:.5g} then, {measured.figure:.5g} now"
        found += [f"{_said(one)}; against the oldest approval ({whose})" for one in since_oldest if _asks(one, strict=is_reference)]
    if is_reference and isinstance(measured, Answers) and isinstance(old, Answers) and blind(old) is None and (why := blind(measured)):
        found.append(f"{measured.family}/{measured.checkpoint} {measured.suite}: {why}")
    return found


def _asks(judged: Verdict | str, *, strict: bool) -> bool:
    if isinstance(judged, str):
        return strict
    return judged.verdict != "pass" if strict else judged.verdict in ("fail", "error")


def _said(judged: Verdict | str) -> str:
    return judged if isinstance(judged, str) else sentence(judged)


def approval_of(measured: Measurement, reason: str | None, by: str, when: datetime.datetime, discordance: float | None = None) -> Approval:
    """The entry for the history."""
    return Approval(
        when=when.isoformat(timespec="seconds"),
        by=by,
        figure=measured.figure,
        vllm=measured.provenance.vllm,
        device_name=measured.provenance.device_name,
        checkpoint_fingerprint=measured.provenance.checkpoint_fingerprint,
        reason=reason,
        discordance=discordance,
    )


def is_unchanged(old: Measurement, new: Measurement) -> bool:
    """Whether nothing but the time of the measurement, and what it cost the client, differs, so that there is nothing to approve."""
    return _lasting(old) == _lasting(with_history(new, None, approval_of(new, None, "", datetime.datetime.now(datetime.UTC))))


def _lasting(measured: Measurement) -> Measurement:
    provenance = msgspec.structs.replace(measured.provenance, started="", seconds=0.0, gpu_uuid=[])
    if isinstance(measured, TextLoss):
        measured = msgspec.structs.replace(measured, client_cpu_share=None)
    return msgspec.structs.replace(measured, provenance=provenance, history=[], oldest=None)


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
