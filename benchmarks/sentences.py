"""Every sentence in the sources with which the tool asks something of whoever reads it.

That is what is raised as one of our own exceptions, and every other text that tells somebody to do something: it holds an imperative of
`VERBS` at its beginning or behind a mark. Docstrings, help texts, patterns, and what models are asked are none.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
ROOMS = ("quantgate", "fixtures")
SPOKEN = frozenset(
    {
        "BaselineError", "CollectError", "ConfigurationError", "FailedRequestError", "GatedDataError", "LackingError", "MeasurementError",
        "QuantizeError", "RecordError", "RefusedError", "RequestError", "ServerError", "ShardError", "StoreAwayError",
        "UnusableError", "UsageError",
    }
)  # fmt: skip
"""What is raised to be read by whoever runs the tool."""
INTERNAL = frozenset(
    {
        "AttributeError", "FailedRequestsError", "FileExistsError", "FloatingPointError", "NotADirectoryError", "OSError",
        "RuntimeError", "StoppedError",
        "TypeError", "ValueError",
    }
)  # fmt: skip
"""What a programmer meets who calls a function wrongly, or what is caught and told in other words."""
NOT_ASKED = re.compile(
    r"/(suites/(decidable|questions|code|prose|reference)|shapes|reference|engine_probe|vllm_plugin|load/(client|connection|crew|worker)|slurm_scripts)\b"
)
"""Modules whose texts go to models, engines or files; what they raise counts all the same."""
LEAST_WORDS = 3
VERBS = (
    r"add|allow|approve|ask|attach|begin|calibrate|change|check|choose|clear|close|complete|compare|connect|convert|copy|"
    r"correct|delete|do|drop|end|fetch|find|free|give|go|grade|grow|install|keep|leave|log|look|lower|make|measure|move|name|"
    r"note|pip|put|quantize|raise|read|remove|rename|repeat|restore|review|run|say|save|see|select|serve|set|show|start|stop|"
    r"take|tell|try|unpack|unset|update|use|wait|wants|write"
)
STOPS = r"approved only with|is not approved|^underpowered|did not boot|was not ready|hangs: no token"
"""What asks for something without an imperative: the rest of the line says why."""
ASKS = re.compile(rf"{STOPS}|(?:^|[;:,(] |\b(?:and|or|then|instead) )(?:{VERBS})\b(?! (?:of|is|are|was|by)\b)")
COUNTING = ("len", "sum", "str", "sorted", "map", "max", "min", "round", "set")
TIDYING = ("strip", "decode", "removeprefix", "removesuffix", "lower", "hexdigest")
SPACE = re.compile(r"\s+")


class Sentence(NamedTuple):
    """`file` below the checkout; what changes stands in `text` as <its name>."""

    text: str
    file: str


def sentences(root: Path = ROOT) -> list[Sentence]:
    """All of them once, by text and then file."""
    found = {
        Sentence(text, file.relative_to(root).as_posix())
        for room in ROOMS
        for file in (root / room).rglob("*.py")
        for text in asking(file.read_text(encoding="utf-8"), quiet=bool(NOT_ASKED.search(f"/{file.relative_to(root).as_posix()}")))
    }
    return sorted(found, key=lambda one: (one.text.lstrip("<-`'\"").casefold(), one))


def asking(source: str, *, quiet: bool = False) -> Iterator[str]:
    """The sentences of one module; `quiet`: those alone that it raises."""
    tree = ast.parse(source)
    raised = {id(part) for node in ast.walk(tree) if _is_spoken(node) for part in _outermost(node)}
    silent = _silent(tree) | {id(part) for node in ast.walk(tree) if _is_internal(node) for part in _outermost(node)}
    for node in _outermost(tree):
        if id(node) in silent:
            continue
        text = SPACE.sub(" ", _shown(node)).strip(" ;,")
        words = re.sub(r"<[^<>]*>", " ", text).split()
        if id(node) in raised:
            if len(words) >= LEAST_WORDS - 1:
                yield text
        elif not quiet and len(words) >= LEAST_WORDS and ASKS.search(text) and not re.search(r"\(\?|\\[bdwn]|^import ", text):
            yield text


def kinds_raised(source: str) -> set[str]:
    """The names of the exceptions that a module makes and raises."""
    calls = (node.exc.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call))
    return {name for name in (ast.unparse(call).rpartition(".")[2] for call in calls) if name.endswith("Error")}


def _is_spoken(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func).rpartition(".")[2] in SPOKEN


def _is_internal(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func).rpartition(".")[2] in INTERNAL


def _outermost(tree: ast.AST) -> Iterator[ast.expr]:
    """Each text of a tree; those inside another's <…> are part of that."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.JoinedStr) or (isinstance(child, ast.Constant) and isinstance(child.value, str)):
            yield child
        else:
            yield from _outermost(child)


def _silent(tree: ast.AST) -> set[int]:
    """Docstrings, and what argparse shows under --help."""
    found = set()
    for node in ast.walk(tree):
        for one in (
            getattr(node, "body", []) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) else []
        ):
            if isinstance(one, ast.Expr):
                found.add(id(one.value))
        if isinstance(node, ast.keyword) and node.arg in ("help", "description", "epilog", "metavar", "prog", "usage"):
            found |= {id(part) for part in (node.value, *_outermost(node))}
    return found


def _shown(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        return ""
    return "".join(str(part.value) if isinstance(part, ast.Constant) else f"<{_name(part)}>" for part in node.values)


def _name(node: ast.AST) -> str:
    """What an expression is called: its last name, without what is done to it."""
    if isinstance(node, ast.Name | ast.Attribute):
        return (node.id if isinstance(node, ast.Name) else node.attr).strip("_").lower().replace("_", " ")
    if isinstance(node, ast.FormattedValue | ast.Subscript | ast.Await | ast.Starred):
        return _name(node.value)
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        return _name(node.generators[0].iter)
    return _name(_subject(node)) if isinstance(node, ast.Call) else "…"


def _subject(call: ast.Call) -> ast.AST:
    """What a call is about: what it counts, joins or tidies; else what is called."""
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if isinstance(call.func, ast.Attribute) and method in TIDYING:
        return call.func.value
    if call.args and (method == "join" or (isinstance(call.func, ast.Name) and call.func.id in COUNTING)):
        return call.args[-1]
    return call.func
