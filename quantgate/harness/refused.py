"""What a harness's program was refused, in one sentence each: what is wrong, of which suite, and what to do."""

import os
import re
from pathlib import Path
from typing import Any

from quantgate.errors import ConfigurationError, GatedDataError, MeasurementError, QuantgateError
from quantgate.harness.asked import LOG, Asked, Harness
from quantgate.suites import HarnessSuite

EXTRAS = {"lm-eval": "lm-eval", "inspect": "inspect-evals", "livebench": "livebench"}
"""Harness → the package whose extras bring what single tasks need."""
ANSWERED = re.compile(r"Response text: (.+?)(?:\. Retrying|$)", re.MULTILINE)
"""lm-eval's line on a request that failed."""
SHOWN = 300
LOG_IN = "then log in (hf auth login, or HF_TOKEN)"


def error_of(harness: Harness, asked: Asked, told: dict[str, Any]) -> QuantgateError:
    """The exception for what `inside/local_hub.py` has told."""
    suite = asked.suite
    where = f"suite {suite.name} ({harness.name}'s {suite.task})"
    match told["refused"]:
        case "gated" | "offline" | "no data" as kind:
            return _no_data(where, kind, told.get("hub", ""))
        case "lacking":
            return ConfigurationError(
                f"--data-dir={suite.data}: {where} needs {told['hub']} in {told['folder']}: {told['what']}; put it there in the hub's form"
                f"{_examples(suite, told['what'])}"
            )
        case "module":
            package = told["module"].partition(".")[0].replace("_", "-")
            return ConfigurationError(
                f"{where} needs the Python module {told['module']}, which {harness.name}'s environment lacks: add "
                f'packages = ["{package}"] to the suite, or the extra that brings it ("{EXTRAS[suite.harness]}[…]")'
            )
        case "unknown":
            near = f" (did you mean {told['near'][0]}?)" if told["near"] else ""
            return ConfigurationError(f"suite {suite.name}: {harness.name} has no task {suite.task}{near}; it has {told['count']:,}")
        case _:
            said = f"{told['said']}{_of_the_server(asked.folder / LOG)}"
            return MeasurementError(f"{asked.server.checkpoint} {where} failed: {said}; its log is {asked.folder / LOG}")


def _no_data(where: str, kind: str, hub: str) -> QuantgateError:
    """Of the hub: `hub` is the data set's id, "" where nobody says it."""
    named, page, instead = hub or "its data set", f"{_hub()}/datasets/{hub}".rstrip("/"), "name a folder with --data-dir"
    if kind == "gated":
        return GatedDataError(f"{where}: {named} is gated: ask for access on {page}, {LOG_IN}; or {instead}")
    if kind == "offline":
        return ConfigurationError(f"{where}: {named} is not in the cache {_cache()}, and the hub cannot be reached; connect, or {instead}")
    return GatedDataError(f"{where}: {named} is no data set of {_hub()}, or a private or gated one: see {page}, {LOG_IN}; or {instead}")


def _of_the_server(log: Path) -> str:
    """What the server answered last that was an error, where the harness has logged it."""
    found = ANSWERED.findall(log.read_text(encoding="utf-8", errors="replace")) if log.is_file() else []
    return f" (the server: {' '.join(found[-1].split())[:SHOWN]})" if found else ""


def _examples(suite: HarnessSuite, what: str) -> str:
    """A split that examples are taken from is missed by many local copies."""
    wants_examples = "no split train" in what or "no split validation" in what or "no split dev" in what
    return ", or write fewshot = 0 for a task that takes its examples from there" if wants_examples and suite.harness == "lm-eval" else ""


def _hub() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)
