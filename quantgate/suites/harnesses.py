"""Tasks of other harnesses under a name of one's own: `from = "lm-eval:TASK"`, `"inspect:TASK"`, `"livebench:RELEASE"`."""

from collections.abc import Callable
from pathlib import Path

from quantgate import fingerprint
from quantgate.errors import ConfigurationError, nearest
from quantgate.registry import DeclaredSuite
from quantgate.suites.kinds import HarnessSuite

TAKES = {
    "lm-eval": ("fewshot", "filter", "metric", "chat_template", "packages", "data"),
    "inspect": ("metric", "repeats", "args", "packages", "data"),
    "livebench": ("mean", "data"),
}
"""Harness → the keys of a declaration that it knows what to do with, besides those that all have."""
OF_HARNESSES = ("fewshot", "filter", "metric", "chat_template", "mean", "args", "packages", "data")
"""Keys that mean nothing to a suite of our own."""
SAID = {
    "fewshot": "examples before each question are lm-eval's",
    "filter": "filters are lm-eval's",
    "metric": "LiveBench has one score",
    "chat_template": "the others ask through chat alone",
    "repeats": "Inspect repeats (as epochs), and the others' tasks say so themselves",
    "mean": "two means are LiveBench's",
    "args": "arguments of tasks are Inspect's",
    "packages": "LiveBench runs from a checkout with its own environment",
}


def parts_of(source: str) -> tuple[str, str] | None:
    """(harness, task) of what `from` says; None where it names no harness."""
    harness, colon, task = source.partition(":")
    return (harness, task) if colon and harness in TAKES else None


def check(one: DeclaredSuite, where: str) -> None:
    """Raises ConfigurationError for a declaration that this harness cannot mean; `where` names file and suite."""
    harness, task = parts_of(one.source) or ("", "")
    if not task.strip():
        raise ConfigurationError(f'{where}: from = {one.source!r} names no task; write from = "{harness}:TASK"')
    if one.kind not in (None, "answers"):
        raise ConfigurationError(f"{where}: kind is {one.kind!r}, and a task of {harness} gives answers; leave kind out")
    for name in (*OF_HARNESSES, "repeats"):
        if getattr(one, name) not in (None, [], {}) and name not in TAKES[harness]:
            raise ConfigurationError(f"{where}: {name} is nothing that {harness} takes ({SAID[name]}); leave it out")
    if harness == "livebench" and one.thinking is not None:
        raise ConfigurationError(
            f"{where}: thinking is nothing that LiveBench passes on; leave it out, and let the server's template decide"
        )
    if one.chat_template is False and one.thinking is not None:
        raise ConfigurationError(f"{where}: thinking is a setting of the chat template, and chat_template is false; leave one of them out")


def refuse_keys(one: DeclaredSuite, where: str) -> None:
    """Raises ConfigurationError where a suite that no harness runs has a key of theirs."""
    given = [name for name in OF_HARNESSES if getattr(one, name) not in (None, [], {})]
    if given:
        harnesses = ", ".join(f"{name}:" for name in TAKES)
        raise ConfigurationError(
            f"{where}: {', '.join(given)} {'is' if len(given) == 1 else 'are'} for a task of another harness (from = {harnesses}), "
            f"and this is from {one.source}; leave {'it' if len(given) == 1 else 'them'} out"
        )


def misnamed(source: str) -> str:
    """A hint for a harness that there is not: " (did you mean lm-eval:?)"."""
    harness, colon, _ = source.partition(":")
    return nearest(harness, TAKES).replace("?)", ":?)") if colon else ""


def loader(one: DeclaredSuite, models: Path) -> Callable[[Path | None], HarnessSuite]:
    """The suite, given --data-dir."""

    def load(data: Path | None) -> HarnessSuite:
        harness, task = parts_of(one.source) or ("", "")
        file = _file(task, models)
        if file is not None and not file.is_file():
            raise ConfigurationError(f"suite {one.name}: {file} is not there; a task that is a file lies beside {models.name}")
        return HarnessSuite(
            name=one.name,
            harness=harness,  # type: ignore[arg-type]  # one of TAKES
            task=task if file is None else task.replace(task.partition("@")[0], str(file)),
            n=one.n,
            max_tokens=one.max_tokens,
            thinking=one.thinking,
            temperature=one.temperature or 0.0,
            repeats=one.repeats or 1,
            seed=one.seed,
            fewshot=one.fewshot,
            filter=one.filter or "",
            metric=one.metric or "",
            chat_template=one.chat_template is not False,
            mean=one.mean or "question",
            args=dict(one.args),
            packages=tuple(one.packages),
            content="" if file is None else _content(file),
            data=data,
            folder=one.data or "",
        )

    harness, task = parts_of(one.source) or ("", "")
    load.__doc__ = f"{harness}'s {task}, run by {harness} itself, as {models.name} declares."
    return load


def _file(task: str, models: Path) -> Path | None:
    """The file that a task is, relative to models.toml; None for one that its harness knows by name."""
    path = task.partition("@")[0]
    return (models.parent / path).resolve() if path.endswith((".yaml", ".yml", ".py")) else None


def _content(file: Path) -> str:
    """Of the task and whatever lies beside it, where code and data of a task lie."""
    beside = sorted(one for one in file.parent.iterdir() if one.is_file() and one.suffix in (file.suffix, ".py", ".jsonl", ".json"))
    return fingerprint.of([[one.name, fingerprint.of(one.read_bytes().decode("utf-8", "replace"))] for one in beside])
