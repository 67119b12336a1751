"""The code in a model's answer, as a text that can stand right behind the prompt.

Models answer a function's beginning in four ways, and a quantized one may answer in another way than its original (the published case: an
answer's form changed, its content did not). All four count, so that pass@1 measures code and not manners:

- a fenced block, alone or among prose: usual in chats. The last one that defines the function is the answer, as the last number of a sum
  is: drafts come before it. A block after it that only calls the function is an example. A fence that never closes is an answer cut off,
  and what is there of it is tried;
- the whole function again, without a fence: from its first line of code to the last line with which it still parses. Prose goes;
- the function's body, indented: what a base model continues with. It ends where the first line at the margin begins, because base models go
  on with the next function, an example or a class (the stop words of the HumanEval paper: class, def, #, if, print);
- the same body without its indentation, or without that of its first line, which chat templates and `strip` take away.

What a model thought (`<think>…</think>`) is not its answer; take it off before. Nothing is repaired: what does not parse fails as it is.
"""

import re
import textwrap

from quantgate.foreign_code import parsed

FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
CODE_LINE = re.compile(r"^(?:@|def |async def |class |import |from \w[\w.]* import )", re.MULTILINE)
MARGIN = re.compile(r"^(?=[^\s)\]}])", re.MULTILINE)


def completion_of(answer: str, entry_point: str, prompt: str = "") -> str:
    """Return what is to stand behind `prompt`; a whole function follows two line breaks and replaces the one that the prompt begins.

    Without a prompt (MBPP) there is no body to continue: the answer's code, or else the answer as it is.
    """
    text = answer.replace("\r\n", "\n")
    blocks = [textwrap.dedent(match[2]) if CODE_LINE.search(textwrap.dedent(match[2])) else match[2] for match in FENCE.finditer(text)]
    whole = [block for block in blocks if defines(block, entry_point)]
    if whole:
        return "\n\n" + whole[-1]
    if not blocks and defines(text, entry_point):
        return "\n\n" + _without_prose(text)
    code = blocks[-1] if blocks else text
    return _body(code, prompt) if prompt else code


def defines(code: str, entry_point: str) -> bool:
    """Whether a line at the margin begins the function, parsable or not."""
    return re.search(rf"^(?:async )?def {re.escape(entry_point)}\b", code, re.MULTILINE) is not None


def _without_prose(text: str) -> str:
    begin = CODE_LINE.search(text)
    lines = text[begin.start() if begin else 0 :].splitlines()
    for end in range(len(lines), 0, -1):
        code = "\n".join(lines[:end])
        if _parses(code):
            return code + "\n"
    return text


def _body(code: str, prompt: str) -> str:
    lines = code.strip("\n")
    first_indented = "    " + lines.lstrip(" ")
    for body in (_to_margin(lines), _to_margin(first_indented), textwrap.indent(textwrap.dedent(lines), "    ")):
        if body.strip() and _parses(prompt + body):
            return body + "\n"
    return code


def _to_margin(body: str) -> str:
    end = MARGIN.search(body)
    return body[: end.start()] if end else body


def _parses(code: str) -> bool:
    try:
        parsed(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # ValueError: a NUL byte; the last two: nested too deeply for the parser
        return False
    return True
