"""What msgspec finds wrong with models.toml, told with the names that stand in the file and not by counting from zero."""

import re
from collections.abc import Mapping
from typing import Any

PLACE = re.compile(r" - at `\$(?:\.(family|suite)\[(\d+)\])?(?:\.checkpoint\[(\d+)\])?\.?(.*?)`$")
TYPES = {
    "array": "a list", "object": "a table", "str": "a string", "int": "a whole number", "float": "a number", "bool": "true or false",
    "null": "nothing",
}  # fmt: skip


def in_words(error: str, raw: Mapping[str, Any]) -> str:
    """msgspec's message on the parsed file `raw`: whose setting, what is wrong with it."""
    found = PLACE.search(error)
    if found is None:
        return _plain(error)
    kind, number, checkpoint, setting = found.groups()
    who = _who(raw, kind, number, checkpoint)
    problem = _plain(error[: found.start()])
    return ": ".join(filter(None, (who, setting.replace("[...]", "").replace("..", "."), problem)))


def _who(raw: Mapping[str, Any], kind: str | None, number: str | None, checkpoint: str | None) -> str:
    if kind is None or number is None:
        return ""
    entry = raw[kind][int(number)]
    of = _name(entry, f"number {int(number) + 1}")
    if checkpoint is None:
        return f"{kind} {of}"
    return f"checkpoint {of}/{_name(entry['checkpoint'][int(checkpoint)], f'number {int(checkpoint) + 1}')}"


def _name(entry: Any, otherwise: str) -> str:
    named = entry.get("name") if isinstance(entry, Mapping) else None
    return named if isinstance(named, str) and named else otherwise


def _plain(message: str) -> str:
    """Without the words of a programming language."""
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", message):
        return f"it has no {missing[1]}; add one"
    if wrong := re.fullmatch(r"Expected `(.+)`, got `(.+)`", message):
        wanted = " or ".join(TYPES.get(one, one) for one in wrong[1].split(" | ") if one != "null")
        return f"it must be {wanted}, and is {TYPES.get(wrong[2], wrong[2])}"
    return message[:1].lower() + message[1:]
