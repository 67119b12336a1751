"""What every reader fills: one run of one model on one suite, item by item, with what each item asked.

Nothing is made up: what a file does not tell is "unknown", an ending that it does not tell is "", tokens that nobody counted are 0. Items
that are errors of the harness are `failed`, and no zeros.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from quantgate import stats
from quantgate.errors import MeasurementError
from quantgate.measure.thinking import CLOSE, OPEN
from quantgate.records import Answer, Answers, Provenance

UNKNOWN = "unknown"
TAIL, SHORT = 300, 100
"""Characters of an answer that are kept, its last: what tells whether it repeats itself; SHORT where neither a tag nor an ending says that
it was cut off. Of 100,000 answers all of the text is too much."""
SHOWN = 80
TAG = "think>"
"""What both tags end in: of most answers one look is enough."""
Settings: TypeAlias = dict[str, float | int | bool | str]
Mean: TypeAlias = Literal["question", "category"]


class Choice(NamedTuple):
    """What the caller chooses where a file holds several: names, the first that is there; `columns`: field → column of a plain file;
    `mean`: which is judged, where there are two."""

    filter: str = ""
    metric: str = ""
    model: str = ""
    suite: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    mean: Mean = "question"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a whole task, as a table has it. `depth`: how deep in a group it stands; `value`: a number, or what stands in its
    place; `stderr`: its standard error; `n`: documents. What is not told is "" or None."""

    task: str
    metric: str
    value: float | int | bool | str
    stderr: float | None = None
    n: int | None = None
    filter: str = ""
    depth: int = 0
    is_group: bool = False
    shots: str = ""
    version: str = ""
    higher_is_better: bool | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What pairs it with another column's."""
        return self.task, self.filter, self.metric


class Asked(NamedTuple):
    """What an item asked: `what` a hash of its content and `how` one of the prompt as it was sent, "" where the file tells none; `shown`:
    how the content begins; `line` of the file, or its place in a list."""

    what: str
    how: str
    shown: str
    line: int


class Said(NamedTuple):
    """What is kept of an answer's text. `tail`: its end; `is_open`: it ends inside its reasoning; `thought`: characters of that, where it
    closes; `closes_only`: it closes a reasoning that it did not open; `is_untagged`: there is a text, and no tag in it."""

    tail: str
    is_open: bool = False
    thought: int | None = None
    closes_only: bool = False
    is_untagged: bool = False

    @property
    def is_blank(self) -> bool:
        return not self.tail or self.tail.isspace()


def said_of(text: str, characters: int = SHORT) -> Said:
    """What is kept of a text: its last `characters`, or TAIL where there is a tag in it."""
    if TAG not in text:
        return Said(text[-characters:], False, None, False, bool(text))
    opens, closes = text.rfind(OPEN), text.rfind(CLOSE)
    if opens < 0 and closes < 0:
        return Said(text[-characters:], is_untagged=True)
    first = text.find(OPEN)
    begins = 0 <= first < closes
    thought = None if closes < 0 or opens > closes else closes - first - len(OPEN) if begins else closes
    return Said(text[-TAIL:], opens > closes, thought, closes >= 0 and not begins)


class Run:
    """`suite`, `model`: "" where no file tells. `figure`: which filter and metric count, in words. `sent` with the requests, `setup` of
    the task, `told` (fields of a Provenance): what the harness wrote down of itself; {} where it did not. `unit`: what
    the `line` of an item counts; `remark`: what the verdict's line has to say of this run; `ways`: what the harness did
    that no figure shows, in words; `mean`: which is judged."""

    def __init__(self, path: Path, harness: str, *, suite: str = "", model: str = "", figure: str = "", unit: str = "line") -> None:
        self.unit, self.remark = unit, ""
        self.path, self.harness, self.suite, self.model, self.figure = path, harness, suite, model, figure
        self.items: list[Answer] = []
        self.asked: dict[str, Asked] = {}
        self.failed: dict[str, str] = {}
        self.sent: Settings = {}
        self.setup: Settings = {}
        self.told: dict[str, Any] = {}
        self.ways: list[str] = []
        self.mean: Mean = "question"
        self._untagged: list[int] = []
        self._closes = 0

    def add(
        self,
        name: str,
        worth: float,
        asked: Asked,
        *,
        text: str | Said = "",
        extracted: str = "",
        parsed: bool = True,
        strict: bool | None = None,
        flexible: bool | None = None,
        group: str = "",
        cluster: str | None = None,
        ending: str = "",
        tokens: int = 0,
        task: str = "",
    ) -> None:
        """One item of `worth` (0 to 1, `worth_of`). `strict`, `flexible`: None where the harness has one form only."""
        self._once(name, asked)
        right = worth == 1
        said = text if isinstance(text, Said) else said_of(text, TAIL if ending else SHORT)
        if said.is_untagged:
            self._untagged.append(len(self.items))
        self._closes += said.closes_only
        self.items.append(
            Answer(
                id=name,
                group=group,
                correct=right,
                answer=said.tail,
                extracted=extracted[:SHOWN],
                strict=right if strict is None else strict,
                flexible=right if flexible is None else flexible,
                parsed=parsed,
                open_think=said.is_open,
                finish_reason=ending,
                completion_tokens=tokens,
                score=worth if 0 < worth < 1 else None,
                cluster=cluster,
                reasoning_characters=said.thought,
                task=task,
            )
        )

    def fail(self, name: str, why: str, asked: Asked) -> None:
        """An item that is an error of the harness, and no answer."""
        self._once(name, asked)
        self.failed[name] = why

    def at(self, asked: Asked) -> str:
        return f"{self.path}, {self.unit} {asked.line}"

    def _once(self, name: str, asked: Asked) -> None:
        if (first := self.asked.get(name)) is not None:
            raise MeasurementError(f"{self.at(asked)}: item {name!r} stands there again, first in {self.unit} {first.line}")
        self.asked[name] = asked

    def whole(self) -> "Run":
        """With the endings that only all answers together show: where most close a reasoning that they did not open, the prompt opened
        it, and an answer without a tag never came out of it. Raises MeasurementError where there is no item."""
        if not self.items:
            errors = f": all {len(self.failed)} are errors" if self.failed else ""
            raise MeasurementError(f"{self.path} holds no item that was answered{errors}")
        if 2 * self._closes > len(self.items):
            for place in self._untagged:
                self.items[place] = msgspec.structs.replace(self.items[place], open_think=True)
        self._untagged, self._closes = [], 0
        return self

    @property
    def is_graded(self) -> bool:
        return any(item.score is not None for item in self.items)

    @property
    def has_categories(self) -> bool:
        """Whether each item is of a task of a category, so that there is a mean of means."""
        return all(item.task and item.group for item in self.items)

    def record(self, suite: str, checkpoint: str, suite_fingerprint: str) -> Answers:
        """As a measurement, of which nothing is known but what the files told."""
        groups: dict[str, list[float]] = {}
        for item in self.items:
            groups.setdefault(item.group, []).append(item.worth)
        unknown = dict.fromkeys(("vllm", "torch", "transformers", "device_name", "device_class", "started"), UNKNOWN)
        prints = dict.fromkeys((f"{one}_fingerprint" for one in ("checkpoint", "tokenizer", "chat_template")), UNKNOWN)
        empty: dict[str, Any] = {"driver": None, "mig_profile": None, "gpu_uuid": [], "kernels": [], "tensor_parallel": 0, "seed": 0}
        fields = {**unknown, **prints, **empty, "seconds": 0.0, **self.told}
        return Answers(
            family=self.harness,
            checkpoint=checkpoint,
            precision=UNKNOWN,
            suite=suite,
            provenance=Provenance(**fields, sampling={**self.setup, **self.sent}, suite_fingerprint=suite_fingerprint),
            items=self.items,
            accuracy=sum(item.worth for item in self.items) / len(self.items),
            by_group={group: sum(worths) / len(worths) for group, worths in sorted(groups.items())},
            failed=self.failed,
            mean=self.mean,
            category_mean=self._category_mean(),
        )

    def _category_mean(self) -> float | None:
        if not self.has_categories:
            return None
        return stats.nested_mean([item.worth for item in self.items], [(item.group, item.task) for item in self.items])


def worth_of(value: Any, metric: str, where: str) -> float:
    """A metric's value as worth: true and false, or a number from 0 to 1. Raises MeasurementError, naming the metric, for anything else."""
    if isinstance(value, list | dict):
        shown = str(value)[:SHOWN]
        raise MeasurementError(f"{where}: the metric {metric} is no number but {shown}, to be put together over all items: choose another")
    if not isinstance(value, bool | int | float) or not math.isfinite(value):
        raise MeasurementError(f"{where}: the metric {metric} is {value!r}, and no number: choose another, or leave the item out")
    if not 0 <= value <= 1:
        raise MeasurementError(f"{where}: the metric {metric} is {value!r}; what is compared lies between 0 and 1: choose another")
    return float(value)


def chosen_of(names: Sequence[str], wanted: str, noun: str, where: str) -> str:
    """The only one, or the first of those wanted (with commas between them) that is there. Raises MeasurementError that lists what there
    is."""
    asked = [part.strip() for part in wanted.split(",") if part.strip()]
    found = [one for one in asked if one in names] if asked else list(names)
    if not found:
        raise MeasurementError(f"{where} has no {noun} {' or '.join(asked) or 'at all'}; there is {', '.join(names) or 'none'}")
    if not asked and len(found) > 1:
        raise MeasurementError(f"{where} has several {noun}s ({', '.join(names)}): choose one with --{noun}")
    return found[0]
