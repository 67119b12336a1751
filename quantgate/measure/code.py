"""pass@1: functions written by the model, each run once with the data set's checks, in the sandbox."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from quantgate.measure.answers import answers_of
from quantgate.measure.asking import ask_all, chosen
from quantgate.measure.chats import Reply, chat, sampling_of
from quantgate.measure.thinking import CLOSE, opens_for_them
from quantgate.records import Answer, Answers, Started
from quantgate.sandbox import Ran, completion_of, mbpp_program_of, probe, program_of, run_all
from quantgate.server import Serving
from quantgate.suites import CodeSuite, Task

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class Written(NamedTuple):
    """`code`: what of the answer is run; "" where it never came out of its reasoning, or was empty."""

    task: Task
    reply: Reply
    code: str
    open_think: bool


def measure_code(server: Serving, suite: CodeSuite, again: int = 0, *, unsafe: bool = False) -> Answers:
    """Ask for every function once, greedily, and `again` of them a second time; then run them all.

    Raises ConfigurationError before anything is asked where there is no sandbox that holds, unless `unsafe`.
    """
    if not unsafe:
        probe()
    started = Started()

    async def ask(client: "AsyncOpenAI", task: Task) -> tuple[Task, Reply]:
        return task, await chat(client, server.model, task.id, task.prompt, suite.max_tokens, suite.thinking)

    asked = ask_all(server, suite.tasks, ask)
    asked_again = ask_all(server, chosen(suite.tasks, again, suite.fingerprint), ask)
    opened = opens_for_them(server, [reply.said for _, reply in asked])
    items, repeated = (_graded(suite, [_written(suite, *one, opened=opened) for one in ones], unsafe) for ones in (asked, asked_again))
    sampling = sampling_of(suite.max_tokens, suite.thinking)
    return answers_of(server, suite.name, suite.fingerprint, sampling, started, items, repeated)


def _written(suite: CodeSuite, task: Task, reply: Reply, *, opened: bool) -> Written:
    open_think = reply.said.is_open(opened=opened)
    visible = "" if open_think else reply.said.whole.rpartition(CLOSE)[2].strip("\n")
    prompt = str(task.row["prompt"]) if suite.shape == "humaneval" else ""
    return Written(task, reply, completion_of(visible, task.entry_point, prompt) if visible.strip() else "", open_think)


def _graded(suite: CodeSuite, written: Sequence[Written], unsafe: bool) -> list[Answer]:
    """An answer without code is wrong, and is not run."""
    assemble = program_of if suite.shape == "humaneval" else mbpp_program_of
    run = [one for one in written if one.code]
    ends = dict(zip((one.task.id for one in run), run_all([assemble(one.task.row, one.code) for one in run], unsafe=unsafe), strict=True))
    return [_item(suite, one, ends.get(one.task.id)) for one in written]


def _item(suite: CodeSuite, one: Written, end: Ran | None) -> Answer:
    passed = end is not None and end.outcome == "passed"
    return Answer(
        id=one.task.id,
        group=suite.name,
        correct=passed,
        answer=one.reply.said.whole,
        extracted="no code" if end is None else end.outcome,
        strict=passed,
        flexible=passed,
        parsed=end is not None,
        open_think=one.open_think,
        finish_reason=one.reply.finish_reason,
        completion_tokens=one.reply.completion_tokens,
    )
