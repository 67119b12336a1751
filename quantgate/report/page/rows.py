"""The table of verdicts, worst first, and the one sentence that says what to think of the run."""

import math
from collections import Counter
from collections.abc import Sequence

from quantgate.judgement import figure, loss, sentence, wanted
from quantgate.records import Outcome, Verdict
from quantgate.registry import Registry
from quantgate.report.next_step import Places, next_commands
from quantgate.report.page.found import Found, Measured
from quantgate.report.page.values import SINCE, WORST_FIRST, Row, Skipped, Word

ASPECTS = {"": "", "length": ", length", "ttft": ", time to first token"}
SAID = {
    "fail": "{} of {} verdicts fail",
    "error": "{} of {} could not be judged",
    "inconclusive": "nothing fails; {} of {} verdicts are inconclusive",
    "not compared": "nothing was judged",
    "pass": "every verdict passes",
}


def rows(found: Found, places: Places, registry: Registry | None = None) -> list[Row]:
    """A row a verdict; one for a record without any, and for a test that failed before there was one. BF16's, which the others are held
    against, has a row only where it was judged itself."""
    families = {family.name: family for family in registry.family} if registry is not None else {}
    every = []
    for one in found.measured:
        within = places._replace(family=families.get(one.record.family))
        every += [_row(one, judged, within) for judged in one.verdicts] or ([] if one.is_reference else [_unjudged(one)])
    said = [sentence(judged) for one in found.measured for judged in one.verdicts]
    every += [_failed(one) for one in found.outcomes if one.outcome == "failed" and not any(verdict in one.why for verdict in said)]
    return sorted(every, key=_worst_first)


def _worst_first(row: Row) -> tuple[int, float, str, str, str]:
    return WORST_FIRST.index(row.word), -row.forest[0] if row.forest else -math.inf, row.family, row.checkpoint, row.suite


def _row(one: Measured, judged: Verdict, places: Places) -> Row:
    against = one.own if judged.against == "own" else one.baseline
    record = one.record
    return Row(
        word=judged.verdict,
        family=judged.family,
        checkpoint=judged.checkpoint,
        precision=record.precision,
        suite=judged.suite,
        question=SINCE[judged.against] + ASPECTS[judged.aspect],
        baseline=figure(against) if against is not None and not judged.aspect else "",
        now=figure(record) if not judged.aspect else "",
        found=loss(judged),
        wanted=wanted(judged),
        forest=_in_tolerances(judged),
        evidence=_evidence(judged),
        reason=judged.reason,
        commands=next_commands(judged, record, against, places),
    )


def _in_tolerances(judged: Verdict) -> tuple[float, float, float] | None:
    if judged.drop is None or judged.interval is None or not judged.tolerance:
        return None
    drop, low, high = (value / judged.tolerance for value in (judged.drop, *judged.interval))
    return drop, low, high


def _evidence(judged: Verdict) -> str:
    """How many, in how many clusters, and how many of them changed."""
    if not judged.n:
        return ""
    said = f"n = {judged.n:,}" + (f" in {judged.clusters} clusters" if judged.clusters is not None else "")
    if judged.discordant is not None:
        said += f", {judged.discordant.regressed} regressed, {judged.discordant.improved} improved"
    return said


def _unjudged(one: Measured) -> Row:
    record = one.record
    return Row(
        word="not compared",
        family=record.family,
        checkpoint=record.checkpoint,
        precision=record.precision,
        suite=record.suite,
        question="",
        now=figure(record),
        reason="nothing that it could be compared with was approved when it was measured",
    )


def _failed(one: Outcome) -> Row:
    """A server that did not boot, a file that is unsound."""
    name = one.test.rpartition("::")[2].partition("[")[0]
    return Row(
        word="error",
        family=one.family,
        checkpoint=one.checkpoint,
        precision="",
        suite=one.suite or name,
        question="",
        reason=one.why,
    )


def skipped(found: Found) -> list[Skipped]:
    """What was not asked, and why; tests of one reason together."""
    reasons: dict[str, list[str]] = {}
    for one in found.outcomes:
        if one.outcome == "skipped":
            name = f"{one.family}/{one.checkpoint} {one.suite}" if one.checkpoint else one.test
            reasons.setdefault(one.why, []).append(name)
    return [Skipped(what=", ".join(dict.fromkeys(names)), why=why) for why, names in reasons.items()]


def worst_of(found: Sequence[Row]) -> Word:
    """What the whole run came to. Records without verdicts do not make a judged run "not compared"."""
    words = {row.word for row in found}
    judged = words - {"not compared"}
    return next((word for word in WORST_FIRST if word in judged), "not compared")


def counts(found: Sequence[Row]) -> dict[str, int]:
    every = Counter(row.word for row in found)
    return {word: every[word] for word in WORST_FIRST if every[word]}


def headline(found: Sequence[Row]) -> str:
    """How many of how many."""
    word, judged = worst_of(found), [row for row in found if row.word != "not compared"]
    return SAID[word].format(sum(row.word == word for row in judged), len(judged))


def sentence_of(found: Sequence[Row]) -> str:
    """Why: what is worst, in figures."""
    word = worst_of(found)
    of_it = [row for row in found if row.word == word]
    if not of_it or word == "not compared":
        return "No record here has a verdict beside it; approve a baseline, then measure again."
    first = of_it[0]
    why = f"{first.found}, {first.wanted}" if first.found else first.reason.partition(";")[0]
    name = " ".join(filter(None, (f"{first.family}/{first.checkpoint}".strip("/"), first.suite, first.question)))
    if word == "pass":
        return f"The nearest to its tolerance is {name}: {why}."
    if word == "inconclusive":
        why = first.reason.partition(";")[0]
    return f"{name}: {why}."
