"""What pairing is worth: the same questions of the same two checkpoints, judged item by item and as two separate accuracies."""

import random

import msgspec

from quantgate import stats
from quantgate.judgement import judge_answers, judge_answers_unpaired
from quantgate.records import Answers, Verdict

QUESTIONS = 600
SEED = 600


def paired_and_unpaired(baseline: Answers, measured: Answers, accuracy_points: float) -> str:
    """A Markdown table: QUESTIONS of the questions at random, both rules, the items that each needs for this tolerance."""
    kept = {baseline.items[place].id for place in random.Random(SEED).sample(range(len(baseline.items)), QUESTIONS)}
    before, now = _only(baseline, kept), _only(measured, kept)
    paired = judge_answers(now, before, accuracy_points=accuracy_points)
    # Under other names: what pairs is not compared unpaired.
    strangers = msgspec.structs.replace(now, items=[msgspec.structs.replace(item, id=f"other {item.id}") for item in now.items])
    unpaired = judge_answers_unpaired(strangers, before, accuracy_points=accuracy_points)
    share = (before.accuracy + now.accuracy) / 2
    spread = 2 * share * (1 - share)  # the variance that takes the place of the discordance where items do not pair
    assert paired.discordant is not None
    discordance = (paired.discordant.regressed + paired.discordant.improved) / QUESTIONS
    lines = [
        f"| | interval of the drop, {QUESTIONS} questions | verdict | items for {accuracy_points:g} points (80 %) |",
        "| --- | --- | --- | --- |",
        _line(f"paired (discordance {100 * discordance:.1f} %)", paired, stats.n_needed(accuracy_points / 100, discordance)),
        _line("unpaired", unpaired, stats.n_needed(accuracy_points / 100, spread)),
    ]
    return "\n".join(lines)


def _line(name: str, judged: Verdict, needed: int) -> str:
    low, high = judged.interval or (float("nan"), float("nan"))
    return f"| {name} | {judged.drop:.2f} [{low:.2f}, {high:.2f}] | {judged.verdict} | {needed} |"


def _only(measured: Answers, kept: set[str]) -> Answers:
    items = [item for item in measured.items if item.id in kept]
    return msgspec.structs.replace(measured, items=items, again=[], accuracy=sum(item.correct for item in items) / len(items))
