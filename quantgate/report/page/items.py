"""What happened to single answers: by group, one by one where they flipped, and how long they became."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from quantgate.judgement import loss, loss_of
from quantgate.records import Answer, Answers
from quantgate.report.page.asked import Asked
from quantgate.report.page.found import Measured
from quantgate.report.page.values import Flip, Group, Groups, Length, Side

ENDED = {"stop": "stopped by itself", "length": "cut off by length", "": "not recorded"}


def _paired(measured: Sequence[Measured]) -> Iterator[tuple[Measured, Answers, Answers]]:
    """Answers of a checkpoint and of its baseline, where both are there."""
    for one in measured:
        if one.has_news and isinstance(one.record, Answers) and isinstance(one.baseline, Answers):
            yield one, one.record, one.baseline


def groups(measured: Sequence[Measured]) -> list[Groups]:
    """Where there are two groups or more; largest drop first. Of items that both sides have."""
    found = []
    for _, record, base in _paired(measured):
        before = {item.id: item.worth for item in base.items}
        by_group: dict[str, list[Answer]] = defaultdict(list)
        for item in record.items:
            if item.id in before:
                by_group[item.group].append(item)
        if len(by_group) > 1:
            rows = [_group(name, items, before) for name, items in by_group.items()]
            found.append(Groups(checkpoint=record.checkpoint, suite=record.suite, groups=sorted(rows, key=lambda one: -one.drop)))
    return found


def _group(name: str, items: list[Answer], before: dict[str, float]) -> Group:
    lost = loss_of(items, before).estimate
    was, now = (100 * sum(values) / len(items) for values in ([before[item.id] for item in items], [item.worth for item in items]))
    low, high = (max(-100.0, min(100.0, end)) for end in lost.interval)
    return Group(name=name or "without a name", n=len(items), before=was, now=now, drop=lost.value, low=low, high=high)


def flips(measured: Sequence[Measured], asked: Asked) -> list[Flip]:
    """Every item that is worth something else than it was; what got worse first."""
    found = []
    for _, record, base in _paired(measured):
        before = {item.id: item for item in base.items}
        for item in record.items:
            old = before.get(item.id)
            if old is not None and item.worth != old.worth:
                found.append(
                    Flip(
                        checkpoint=record.checkpoint,
                        suite=record.suite,
                        id=item.id,
                        group=item.group,
                        direction="regressed" if item.worth < old.worth else "improved",
                        prompt=asked.prompt(record, item),
                        before=_side(old),
                        now=_side(item),
                    )
                )
    return sorted(found, key=lambda one: one.direction != "regressed")


def _side(item: Answer) -> Side:
    ended = "still reasoning when it ended" if item.open_think else ENDED.get(item.finish_reason, item.finish_reason)
    tokens = f", {item.completion_tokens:,} tokens" if item.completion_tokens else ""
    return Side(answer=item.answer, extracted=item.extracted if item.parsed else "", worth=item.worth, ended=f"{ended}{tokens}")


def lengths(measured: Sequence[Measured]) -> list[Length]:
    """Of every suite of answers; `ratio` is that of the verdict on length, where it was judged."""
    found = []
    for one, record, base in _paired(measured):
        judged = next((verdict for verdict in one.verdicts if verdict.aspect == "length"), None)
        cut_before, thinking_before, unread_before = _ends(base)
        cut, thinking, unread = _ends(record)
        found.append(
            Length(
                checkpoint=record.checkpoint,
                suite=record.suite,
                n=len(record.items),
                tokens_before=_mean(base),
                tokens=_mean(record),
                ratio=loss(judged) if judged is not None else "",
                cut_before=cut_before,
                cut=cut,
                thinking_before=thinking_before,
                thinking=thinking,
                unread_before=unread_before,
                unread=unread,
            )
        )
    return found


def _mean(record: Answers) -> float:
    return sum(item.completion_tokens for item in record.items) / max(1, len(record.items))


def _ends(record: Answers) -> tuple[int, int, int]:
    """Cut off, ended in their reasoning, not to be read."""
    items = record.items
    return (
        sum(item.finish_reason == "length" for item in items),
        sum(item.open_think for item in items),
        sum(not item.parsed for item in items),
    )
