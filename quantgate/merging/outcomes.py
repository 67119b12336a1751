"""How the tests of all parts ended, once their records are judged again: a verdict answers for its test, the rest stays as it was."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from quantgate.judgement import sentence
from quantgate.merging.judging import Judged
from quantgate.merging.parts import Found, Key, Part, said
from quantgate.records import VERDICT, Outcome, Verdict

CPU = "cpu"
BY_A_VERDICT = ("fail:", "error:", "inconclusive:")
"""How a line begins that a verdict has put there."""


class Settled(NamedTuple):
    """`outcomes`: by test; `failed`: a sentence for each that fails and that no verdict answers for; `skipped`: how many."""

    outcomes: list[Outcome]
    failed: list[str]
    skipped: int


def settle(parts: Sequence[Part], judged: Mapping[Key, Judged], records: Mapping[Key, Found], inconclusive: str) -> Settled:
    """One end for each test: the last of them, as its verdicts have it now."""
    last: dict[str, tuple[str, bytes, Part, Outcome]] = {}
    for part in parts:
        for one in part.outcomes:
            entry = (one.at, msgspec.json.encode(one), part, one)
            if one.test not in last or entry[:2] > last[one.test][:2]:
                last[one.test] = entry
    settled = Settled([], [], 0)
    skipped = 0
    for _, (_, _, part, one) in sorted(last.items()):
        key = (one.family, one.checkpoint, one.suite)
        now = _settled(part, one, judged.get(key), records.get(key), inconclusive)
        settled.outcomes.append(now)
        skipped += now.outcome == "skipped"
        by_verdict = key in judged and (judged[key].why_not is not None or now.why.startswith(BY_A_VERDICT))
        if now.outcome == "failed" and not by_verdict and not _is_answered(now, records.get(key)):
            settled.failed.append(f"failed: {said(key).rstrip()}: {next(iter(now.why.splitlines()), 'no reason was kept')}")
    return settled._replace(skipped=skipped)


def _settled(part: Part, one: Outcome, judged: Judged | None, record: Found | None, inconclusive: str) -> Outcome:
    if judged is not None and judged.verdicts and _is_of_a_verdict(part, one, record):
        bad = [sentence(verdict) for verdict, _, _ in judged.verdicts if fails(verdict, inconclusive)]
        return msgspec.structs.replace(one, outcome="failed" if bad else "passed", why="\n".join(dict.fromkeys(bad)))
    if one.outcome == "skipped" and part.shard is not None and part.shard.must_run:
        return msgspec.structs.replace(one, outcome="failed", why=f"--must-run: {one.why}")
    return one


def fails(verdict: Verdict, inconclusive: str) -> bool:
    """As pytest's gate has it."""
    return verdict.verdict in ("fail", "error") or (verdict.verdict == "inconclusive" and inconclusive == "fail")


def _is_of_a_verdict(part: Part, one: Outcome, record: Found | None) -> bool:
    """Whether the test ended as its verdicts said, or for want of one, and not for something else that went wrong in it."""
    if one.outcome != "failed" or one.why.startswith(BY_A_VERDICT):
        return True
    place = part.folder / one.family / one.checkpoint
    return record is not None and not any((place / f"{one.suite}{ending}{VERDICT}").exists() for ending in ("", ".drift"))


def _is_answered(one: Outcome, record: Found | None) -> bool:
    """Whether a record was made after it: the boot that failed at first did not when it was tried again."""
    return record is not None and record.started > one.at


def holes(parts: Sequence[Part], records: Mapping[Key, Found], outcomes: Iterable[Outcome], is_idle: Callable[[Key], bool]) -> list[str]:
    """A sentence for each part of which something has neither a record nor an end; `is_idle`: nobody could judge it on a CPU, where a run
    leaves it out."""
    known = records.keys() | {(one.family, one.checkpoint, one.suite) for one in outcomes}
    found = []
    for part in parts:
        on_cpu = part.shard is not None and part.shard.device_class == CPU
        if missing := sorted(key for key in part.mine - known if not (on_cpu and is_idle(key))):
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            code = f", which ended with exit code {part.shard.exit_code}," if part.shard is not None and part.shard.exit_code else ""
            found.append(f"{said(missing[0])}{more} was asked of {part.name}{code} and has neither a record nor an end: run it again")
    return found
