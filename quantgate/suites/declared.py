"""Suites of a team's own, as `[[suite]]` of models.toml declares them: a part of a known one, a file, or another harness's task."""

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from quantgate.errors import ConfigurationError, nearest
from quantgate.registry import DeclaredSuite
from quantgate.suites import harnesses
from quantgate.suites.code import MAX_TOKENS as CODE_TOKENS
from quantgate.suites.code import task_of, why_no_task
from quantgate.suites.kinds import CodeSuite, Document, HarnessSuite, LoadSuite, Question, QuestionSuite, Scorer, Suite, TextSuite
from quantgate.suites.known import SUITES

Catalogue = Mapping[str, tuple[type[Suite], Callable[[Path | None], Suite]]]
"""Name → kind (known without reading anything) and loader (given --data-dir)."""
FILE = "file:"
KINDS: dict[str, type[Suite]] = {"text": TextSuite, "answers": QuestionSuite, "code": CodeSuite}
MAX_TOKENS = 512
Item = TypeVar("Item")


def catalogue(declared: Sequence[DeclaredSuite], models: Path) -> Catalogue:
    """Every suite that a family of `models` (models.toml) may name. Raises ConfigurationError for a declaration that cannot be meant."""
    return {**SUITES, **{one.name: (_kind(one, models), _loader(one, models)) for one in declared}}


def _kind(one: DeclaredSuite, models: Path) -> type[Suite]:
    where = f"{models}: suite {one.name}"
    if one.name in SUITES:
        raise ConfigurationError(f"{where} has the name of a suite that there is; give it another one")
    if harnesses.parts_of(one.source) is not None:
        harnesses.check(one, where)
        return HarnessSuite
    harnesses.refuse_keys(one, where)
    if one.source.startswith(FILE):
        if one.kind is None:
            raise ConfigurationError(f'{where}: a file may hold anything; write kind = "text", kind = "answers" or kind = "code"')
        found = KINDS[one.kind]
    elif one.source in SUITES:
        found = SUITES[one.source][0]
        if found not in KINDS.values():
            raise ConfigurationError(f"{where}: from = {one.source!r} is a load, which has no part; name it as it is in a family's suites")
        if one.kind is not None and KINDS[one.kind] is not found:
            raise ConfigurationError(f"{where}: kind is {one.kind!r}, and {one.source} is none; leave kind out")
    else:
        known = ", ".join(name for name, (kind, _) in SUITES.items() if kind in KINDS.values())
        raise ConfigurationError(
            f"{where}: from = {one.source!r} is no suite{harnesses.misnamed(one.source) or nearest(one.source, SUITES)}; name file:PATH, "
            f"a task as {', '.join(f'{name}:TASK' for name in harnesses.TAKES)}, or one of {known}"
        )
    if found is TextSuite and (one.max_tokens is not None or one.thinking is not None):
        raise ConfigurationError(f"{where}: max_tokens and thinking are for answers, and it is a text; leave them out")
    if found is not QuestionSuite and (one.repeats is not None or one.temperature is not None):
        raise ConfigurationError(f"{where}: repeats and temperature are for questions, and it has none; leave them out")
    return found


def _loader(one: DeclaredSuite, models: Path) -> Callable[[Path | None], Suite]:
    if harnesses.parts_of(one.source) is not None:
        return harnesses.loader(one, models)

    def load(data: Path | None) -> Suite:
        if one.source.startswith(FILE):
            file = (data or models.parent) / one.source.removeprefix(FILE)
            read: dict[str | None, Callable[[DeclaredSuite, Path], Suite]] = {"text": _text, "answers": _questions, "code": _code}
            whole = read[one.kind](one, file)
        else:
            whole = SUITES[one.source][1](data)
        return _part(one, whole)

    load.__doc__ = f"From {one.source}, as {models.name} declares."
    return load


def _part(one: DeclaredSuite, whole: Suite) -> Suite:
    """`n` of its items, drawn by `seed` and in their order, under the name of its own."""
    if isinstance(whole, TextSuite):
        return msgspec.structs.replace(whole, name=one.name, documents=_drawn(whole.documents, one))
    if isinstance(whole, LoadSuite | HarnessSuite):
        raise TypeError(f"{whole.name} has no part")
    said = {name: value for name in ("max_tokens", "thinking") if (value := getattr(one, name)) is not None}
    if isinstance(whole, CodeSuite):
        return msgspec.structs.replace(whole, name=one.name, tasks=_drawn(whole.tasks, one), **said)
    said |= {name: value for name in ("repeats", "temperature") if (value := getattr(one, name)) is not None}
    return msgspec.structs.replace(whole, name=one.name, questions=_drawn(whole.questions, one), **said)


def _drawn(items: list[Item], one: DeclaredSuite) -> list[Item]:
    if one.n is None:
        return items
    if one.n > len(items):
        raise ConfigurationError(f"suite {one.name}: n is {one.n}, and {one.source} has {len(items)}; ask for fewer, or leave n out")
    return [items[place] for place in sorted(random.Random(one.seed).sample(range(len(items)), one.n))]


def _text(one: DeclaredSuite, file: Path) -> TextSuite:
    """A row a document in JSON lines (`text`, and `id`, `cluster` where there are any); of another file, a paragraph."""
    if file.suffix == ".jsonl":
        rows = [_needs(row, "text", one, file, number) for number, row in enumerate(_rows(one, file), 1)]
        documents = [Document(str(row.get("id", f"row-{number}")), row["text"], row.get("cluster")) for number, row in enumerate(rows, 1)]
    else:
        paragraphs = [part.strip() for part in re.split(r"\n\s*\n", _content(one, file)) if part.strip()]
        documents = [Document(f"paragraph-{number}", part) for number, part in enumerate(paragraphs, 1)]
    return TextSuite(one.name, _unlike(documents, one, file))


def _questions(one: DeclaredSuite, file: Path) -> QuestionSuite:
    """JSON lines with `question` and `answer`, and `id`, `group` where there are any."""
    asked = []
    for number, row in enumerate(_rows(one, file), 1):
        _needs(row, "question", one, file, number)
        _needs(row, "answer", one, file, number)
        asked.append(
            Question(str(row.get("id", f"row-{number}")), str(row.get("group", "all")), row["question"], str(row["answer"]).strip())
        )
    return QuestionSuite(one.name, _unlike(asked, one, file), MAX_TOKENS, scorer_for([question.answer for question in asked]))


def _code(one: DeclaredSuite, file: Path) -> CodeSuite:
    """JSON lines in HumanEval's shape: `task_id`, `prompt`, `entry_point`, `test`, and `canonical_solution` where there is one."""
    tasks = []
    for number, row in enumerate(_rows(one, file), 1):
        if (why := why_no_task(row)) is not None:
            raise ConfigurationError(f"suite {one.name}: {file}, row {number} {why}")
        tasks.append(task_of(row))
    return CodeSuite(one.name, _unlike(tasks, one, file), CODE_TOKENS, "humaneval")


def scorer_for(answers: Sequence[str]) -> Scorer:
    """By what all right answers are: integers, numbers, letters of a choice, or words."""
    if all(re.fullmatch(r"-?\d+", one) for one in answers):
        return "integer"
    if all(re.fullmatch(r"-?\d[\d,]*(\.\d+)?", one) for one in answers):
        return "number"
    return "choice" if all(re.fullmatch(r"[A-J]", one) for one in answers) else "exact"


def _content(one: DeclaredSuite, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise ConfigurationError(
            f"suite {one.name}: {file} cannot be read: {why}; paths lie below --data-dir, else beside models.toml"
        ) from None


def _rows(one: DeclaredSuite, file: Path) -> list[dict[str, Any]]:
    found = []
    for number, line in enumerate(_content(one, file).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ConfigurationError(f"suite {one.name}: {file}, line {number}: no JSON ({error})") from None
        if not isinstance(row, dict):
            raise ConfigurationError(f"suite {one.name}: {file}, line {number}: a row is an object with keys, and this is {line[:40]}")
        found.append(row)
    return found


def _needs(row: dict[str, Any], key: str, one: DeclaredSuite, file: Path, number: int) -> dict[str, Any]:
    value = row.get(key)
    if value in (None, "") or not (isinstance(value, str) or key == "answer"):
        has = ", ".join(row) or "nothing"
        raise ConfigurationError(f"suite {one.name}: {file}, row {number} has no {key}{' that is a text' * bool(value)}; it has {has}")
    return row


def _unlike(items: list[Item], one: DeclaredSuite, file: Path) -> list[Item]:
    """Raises ConfigurationError where there is nothing, or two have one id: they could not be paired."""
    if not items:
        raise ConfigurationError(f"suite {one.name}: {file} is empty; there is nothing to ask")
    names = [str(getattr(item, "id", "")) for item in items]
    if twice := next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None:
        raise ConfigurationError(f"suite {one.name}: {file} has the id {twice} twice; items are paired by it, so give each its own")
    return items
