"""pass@1: functions written by the model, each run once with the data set's checks, in the sandbox."""

from collections.abc import Sequence
from typing import NamedTuple

from quantgate.measure.answers import answers_of
from quantgate.measure.chats import SEED, Asked, Reply, ask_chats, sampling_of
from quantgate.measure.journal import NOT_KEPT, Journal, Sitting
from quantgate.measure.progress import Progress
from quantgate.measure.provenance import provenance
from quantgate.measure.thinking import opens_for_them
from quantgate.records import Answer, Answers, Started
from quantgate.sandbox import Ran, completion_of, mbpp_program_of, probe, program_of, run_all
from quantgate.server import Serving
from quantgate.suites import CodeSuite, Task


class Written(NamedTuple):
    """`code`: what of the answer is run; "" where it never came out of its reasoning, or was empty. `opened`: the prompt had begun that."""

    task: Task
    reply: Reply
    code: str
    opened: bool


def measure_code(server: Serving, suite: CodeSuite, again: int = 0, sitting: Sitting = NOT_KEPT, *, unsafe: bool = False) -> Answers:
    """Ask for every function once, greedily, and `again` of them a second time, without those that `sitting` has kept; then run them all.

    Raises ConfigurationError before anything is asked where there is no sandbox that holds, unless `unsafe`.
    """
    if not unsafe:
        probe()
    under = provenance(server, suite.fingerprint, sampling_of(suite.max_tokens, suite.thinking), Started(), seed=SEED)
    with sitting.journal(server, suite.name, under, Reply) as journal:
        rounds = ask_chats(server, suite, [Asked(task.id, task.prompt) for task in suite.tasks], journal, again)
        opened = opens_for_them(server, [reply.said for reply in rounds[0].got.values()])
        by_id = {task.id: task for task in suite.tasks}
        items, repeated = (
            _graded(suite, [_written(suite, by_id[name], reply, opened=opened) for name, reply in came.got.items()], journal, unsafe)
            for came in rounds
        )
    return answers_of(server, suite.name, journal.stamped(under), items, repeated, rounds[0].failed)


def _written(suite: CodeSuite, task: Task, reply: Reply, *, opened: bool) -> Written:
    visible = reply.said.visible(opened=opened).strip("\n")
    prompt = str(task.row["prompt"]) if suite.shape == "humaneval" else ""
    return Written(task, reply, completion_of(visible, task.entry_point, prompt) if visible.strip() else "", opened)


def _graded(suite: CodeSuite, written: Sequence[Written], journal: Journal[Reply], unsafe: bool) -> list[Answer]:
    """An answer without code is wrong, and is not run."""
    assemble = program_of if suite.shape == "humaneval" else mbpp_program_of
    run = [one for one in written if one.code]
    progress = Progress(f"{journal.name}: running programs", journal.say, len(run), 0)

    def ended() -> None:
        progress.came(0)
        progress.look()

    programs = [assemble(one.task.row, one.code) for one in run]
    ends = dict(zip((one.task.id for one in run), run_all(programs, unsafe=unsafe, ended=ended), strict=True))
    progress.end()
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
        open_think=one.reply.said.is_open(opened=one.opened),
        finish_reason=one.reply.finish_reason,
        completion_tokens=one.reply.completion_tokens,
        reasoning_characters=one.reply.said.thought(opened=one.opened),
        prompt=one.task.prompt,
    )
