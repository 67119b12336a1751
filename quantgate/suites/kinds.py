"""What a suite is: texts, questions, functions to be written, another harness's task, or a load. It knows its content, not how that is
measured."""

from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from quantgate import fingerprint


class Document(NamedTuple):
    """`cluster`: what documents that depend on each other have in common: an article, a conversation."""

    id: str
    text: str
    cluster: str | None = None


class Cut(msgspec.Struct, frozen=True):
    """How a document's tokens become what is asked, where that goes by tokens.

    `least`: shorter documents are left out. `spare`: longer ones are cut at max_model_len − `spare`. `window` and `stride`: a document
    is asked in windows of so many tokens, each beginning `stride` behind the one before, and each token is scored once, in the first
    window that has it.
    """

    least: int = 0
    spare: int | None = None
    window: int | None = None
    stride: int | None = None


WHOLE = Cut()


class Question(NamedTuple):
    id: str
    group: str
    prompt: str
    answer: str


class TextSuite(msgspec.Struct, frozen=True):
    """Texts for perplexity."""

    name: str
    documents: list[Document]
    cut: Cut = WHOLE

    @property
    def fingerprint(self) -> str:
        """Of suites that say nothing of clusters or tokens as it was before they could."""
        documents = [one if one.cluster is not None else one[:2] for one in self.documents]
        return fingerprint.of(documents if self.cut == WHOLE else [documents, msgspec.to_builtins(self.cut)])


Scorer = Literal["integer", "number", "choice", "exact", "math"]
"""How an answer is read; `measure/scoring.py` says what each takes for right."""


class QuestionSuite(msgspec.Struct, frozen=True):
    """Questions with one right answer each; at most `max_tokens` are generated for one.

    `thinking`: whether the chat template is to let the model think; None leaves that to the template. `repeats`: how often each
    question is asked, with a seed of its own each time; at a `temperature` of 0 that shows the engine's noise and nothing else.
    """

    name: str
    questions: list[Question]
    max_tokens: int
    scorer: Scorer = "integer"
    thinking: bool | None = None
    repeats: int = 1
    temperature: float = 0.0

    @property
    def fingerprint(self) -> str:
        """Of suites that say nothing of the rest as it was before they could."""
        more: list[dict[str, Any]] = []
        if (self.scorer, self.thinking) != ("integer", None):
            more.append({"scorer": self.scorer, "thinking": self.thinking})
        if (self.repeats, self.temperature) != (1, 0.0):
            more.append({"repeats": self.repeats, "temperature": self.temperature})
        return fingerprint.of([self.questions, self.max_tokens, *more])


class Task(NamedTuple):
    """A function to be written. `row`: the data set's own, with its checks; `entry_point`: the function that they call."""

    id: str
    prompt: str
    entry_point: str
    row: dict[str, Any]


class CodeSuite(msgspec.Struct, frozen=True):
    """Functions to be written, each right if the data set's checks pass (pass@1); `shape`: whose checks they are."""

    name: str
    tasks: list[Task]
    max_tokens: int
    shape: Literal["humaneval", "mbpp"]
    thinking: bool | None = None

    @property
    def fingerprint(self) -> str:
        return fingerprint.of([self.tasks, self.max_tokens, self.shape, self.thinking])


class HarnessSuite(msgspec.Struct, frozen=True, kw_only=True):
    """A task that another harness has, asks and grades: the first `n` of its items (None: all).

    `max_tokens`, `fewshot`: None leaves them to the task. `filter`, `metric`: of names with commas between them, the first that is there
    is the figure that counts; "" where the task has one; `mean`: of LiveBench's two, which is judged. `repeats`: epochs. `args`: of the
    task; `packages`: what the harness's environment needs besides; `content`: a fingerprint of a task that is a file of one's own;
    `data`, `folder`: below which folder data sets are read from files, and in which of its folders the task's own lie, "" where the
    hub's names say it.
    """

    name: str
    harness: Literal["lm-eval", "inspect", "livebench"]
    task: str
    n: int | None = None
    max_tokens: int | None = None
    thinking: bool | None = None
    temperature: float = 0.0
    repeats: int = 1
    seed: int = 0
    fewshot: int | None = None
    filter: str = ""
    metric: str = ""
    chat_template: bool = True
    mean: Literal["question", "category"] = "question"
    args: dict[str, Any] = {}
    packages: tuple[str, ...] = ()
    content: str = ""
    data: Path | None = None
    folder: str = ""

    @property
    def fingerprint(self) -> str:
        """Over all that is declared, but for names and places; what the harness makes of it stands in a measurement's own."""
        declared = {key: getattr(self, key) for key in self.__struct_fields__ if key not in ("name", "data", "folder")}
        if self.content:
            declared["task"] = Path(self.task).name
        return fingerprint.of(declared)


class LoadSuite(msgspec.Struct, frozen=True, omit_defaults=True):
    """A load: `requests` chats a round, `concurrency` at once, each of `prompt_tokens` fresh tokens in and `max_tokens` out.

    The prompt's own text has so many, by the tokenizer of the checkpoint; what the chat template adds comes on top, and so does what
    a vision encoder makes of `image`, a fresh picture before each prompt: width and height in pixels. None: no picture, and nothing
    in the fingerprint.
    """

    name: str
    concurrency: int
    requests: int
    prompt_tokens: int
    max_tokens: int
    rounds: int
    warm_up_rounds: int
    image: tuple[int, int] | None = None

    @property
    def fingerprint(self) -> str:
        return fingerprint.of(msgspec.to_builtins(self))


Suite: TypeAlias = TextSuite | QuestionSuite | CodeSuite | HarnessSuite | LoadSuite
