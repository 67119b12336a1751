"""What lm-eval did by itself or was told to, and no figure shows: where answers end, how long they may be, the template, examples, BOS.

Each is a sentence for the verdict's line, and a setting where two sides must agree in it. It is read from what lm-eval wrote: the first
request in the samples, the results file of the same time, and a log that lies beside them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from quantgate.measure.adopt.lm_eval_results import Results, number_of, sent_with, text_of
from quantgate.measure.adopt.run import Settings

TOKENS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
BOS = ("<|begin_of_text|>", "<bos>", "<s>", "<｜begin▁of▁sentence｜>", "<|startoftext|>", "[BOS]")  # noqa: RUF001 (a token of DeepSeek's)
SKIPS_A_SECOND_BOS = (0, 4, 10)
"""The first lm-eval whose models look whether a prompt begins with BOS before they put one there."""
BY_ITSELF = ("hf", "vllm", "hf-auto", "sglang")
"""Kinds of models that lm-eval tokenizes for."""
OVER_AN_API = "local-completions"
"""Tokenizes too, and never looks."""
LOG_BYTES = 1 << 22
LOGGED = {
    re.compile(rb"(?i)(?:double|duplicate|two|2) (?:leading )?BOS|more than one BOS"): "the log tells of a double BOS",
    re.compile(rb"(?i)instruct variant but chat template is not applied"): "the log says that an instruct model got no chat template",
    re.compile(rb"(?i)truncat\w+ (?:context|prompt|input|from the left)|left.truncat|exceed\w* (?:the )?max(?:imum)? (?:model )?length"): (
        "the log tells of prompts that were cut to fit"
    ),
}


OF_A_TASK = {
    "No `until` specified": "the log says that no until was asked for, and lm-eval set its own",
    "No `generation_kwargs` specified": "the log says that the task names no settings, and got lm-eval's",
}
"""Behind the task's name and a colon."""


class Ways(NamedTuple):
    """`settings`: what both sides must agree in; `said`: for the line."""

    settings: Settings
    said: list[str]


def ways_of(task: str, told: Results, arguments: Any, folder: Path) -> Ways:
    """Of one task; `arguments`: of its first request; a log is looked for in `folder`."""
    prompt, sent = text_of(arguments), sent_with(arguments)
    is_generated = "until" in sent or any(name in sent for name in TOKENS)
    settings: Settings = {}
    said = [*_ends(sent), *(_tokens(task, told, sent) if is_generated else ()), *_asked(task, told, prompt)]
    if (double := _double_bos(told, prompt)) is not None:
        settings["bos"], found = double
        said.append(found)
    for log in sorted(folder.glob("*.log")):
        found_in_log = _logged(log, task)
        settings |= {"bos": "twice, by the log"} if any("BOS" in one for one in found_in_log) else {}
        said += found_in_log
    return Ways(settings, list(dict.fromkeys(said)))


def _ends(sent: Mapping[str, Any]) -> Iterator[str]:
    """A blank line that ends an answer; lm-eval's own where a task names nothing."""
    until = str(sent.get("until", ""))
    if until == '["\\n\\n"]':
        yield 'answers end at their first blank line (until "\\n\\n", which lm-eval sets where a task names none)'
    elif '"\\n\\n"' in until:
        yield 'answers end at their first blank line ("\\n\\n" in until)'


def _tokens(task: str, told: Results, sent: Mapping[str, Any]) -> Iterator[str]:
    """Room for an answer that is not what somebody stated; the first of these that states one."""
    given = next((sent[name] for name in TOKENS if name in sent), None)
    stated = (
        ("gen_kwargs", number_of(told.gen_kwargs, TOKENS)),
        ("the task", number_of(told.generation_kwargs(task), TOKENS)),
        ("the model's arguments", number_of(told.model_args, TOKENS)),
    )
    if given is None:
        of_model = stated[2][1]
        yield (
            f"max_gen_toks {of_model} of the model's arguments"
            if of_model is not None
            else "no max_gen_toks was sent: lm-eval's own default"
        )
    elif (other := next(((who, one) for who, one in stated if one is not None and one != given), None)) is not None:
        yield f"max_gen_toks {given} was sent, where {other[0]} declared {other[1]}"


def _asked(task: str, told: Results, prompt: str | Sequence[int]) -> Iterator[str]:
    """Template, examples, system instruction."""
    is_chat = isinstance(prompt, str) and prompt.lstrip().startswith(('[{"role"', "[{'role'"))
    if is_chat:
        yield "sent as messages, under the server's own chat template"
    elif told.is_without_template:
        yield "no chat template was applied"
    shots = told.setup(task).get("num_fewshot")
    if isinstance(shots, int) and shots > 0 and (is_chat or not told.is_without_template) and told.fewshot_as_multiturn is not None:
        yield f"{shots} examples {'as turns of their own' if told.fewshot_as_multiturn else 'in one turn'}"
    if told.system_instruction_sha or told.system_instruction:
        yield "under a system instruction"


def _double_bos(told: Results, prompt: str | Sequence[int]) -> tuple[str, str] | None:
    """As a setting and in words, where a prompt begins with BOS and gets another, or has two."""
    if not isinstance(prompt, str):
        is_double = len(prompt) > 1 and prompt[0] == prompt[1]
        return ("twice", f"a double BOS (the prompts begin with the token {prompt[0]} twice)") if is_double else None
    bos = next((one for one in (told.bos, *BOS) if one and prompt.startswith(one)), None)
    if bos is None:
        return None
    if prompt.removeprefix(bos).lstrip().startswith(bos):
        return "twice", f"a double BOS (the prompts begin with {bos} twice)"
    adds, asks = (str(told.model_args.get(name, "")).casefold() for name in ("add_bos_token", "tokenized_requests"))
    never_looks = told.kind == OVER_AN_API and asks != "false"
    if adds == "true" and (never_looks or (told.kind in BY_ITSELF and (told.version or SKIPS_A_SECOND_BOS) < SKIPS_A_SECOND_BOS)):
        return "twice", f"a double BOS (the prompts begin with {bos}, and add_bos_token puts another before it)"
    if told.kind == OVER_AN_API and asks == "false":
        return "in the text", f"BOS may stand twice (the prompts begin with {bos} as text, and a server adds its own)"
    return None


def _logged(log: Path, task: str) -> list[str]:
    with log.open("rb") as file:
        content = file.read(LOG_BYTES)
    found = [said for line, said in OF_A_TASK.items() if f" {task}: {line}".encode() in content]
    return found + [said for pattern, said in LOGGED.items() if pattern.search(content) is not None]
