"""One of our programs in another environment: a task in JSON goes in, lines of progress and what it tells come out."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from quantgate.errors import ConfigurationError, QuantizeError
from quantgate.programs import Ended, Environment, Progress, run

PHASE = "phase: "
LLM_COMPRESSOR = Environment("llm-compressor", Path(__file__).parent / "oneshot.py")


def ask(
    python: Path,
    program: Path,
    task: dict[str, Any],
    work: Path,
    progress: Progress,
    who: str = LLM_COMPRESSOR.name,
    name: str = LLM_COMPRESSOR.name,
) -> dict[str, Any]:
    """What it tells in the end; `work` is for its files. `who` refuses, where it does, and `name` is what fails.

    Raises ConfigurationError with its refusal, QuantizeError where it ends otherwise.
    """
    told = work / "told.json"
    told.unlink(missing_ok=True)

    def hear(line: str) -> None:
        if line.startswith(PHASE):
            progress.begin(line.removeprefix(PHASE))
        else:
            progress.hear(line)

    # Isolated (-I): what this environment's variables say of Python is not meant for another one. Nothing is fetched from there.
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    try:
        ended = run([str(python), "-I", str(program), json.dumps({**task, "told": str(told)})], env, hear)
    except BaseException:
        progress.clear()
        raise
    if ended.code == 0:
        progress.end()
        return dict(json.loads(told.read_bytes()))
    progress.clear()
    if told.is_file():
        raise ConfigurationError(f"{who}: {json.loads(told.read_bytes())['refused']}")
    progress.quote(ended.last)
    raise _failure(ended, work, name)


def full(work: Path) -> QuantizeError:
    return QuantizeError(f"the disk of {work.parent} is full; nothing was made; free some, or name a folder on a larger disk with -o")


def _failure(ended: Ended, work: Path, name: str) -> QuantizeError:
    if ended.code == -signal.SIGKILL:
        return QuantizeError(f"{name} was killed (SIGKILL), most often by a system that is out of memory; nothing was made")
    if any("No space left on device" in line for line in ended.last):
        return full(work)
    how = f"exit code {ended.code}" if ended.code >= 0 else signal.Signals(-ended.code).name
    return QuantizeError(f"{name} ended with {how}, see above, and nothing was made")
