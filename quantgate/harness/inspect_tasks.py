"""Inspect: a task of an installed package or of a file, asked through OpenAI's API, its log read as it lies."""

import json
from pathlib import Path
from typing import Any

from quantgate.harness.asked import CONCURRENCY, Asked, Command
from quantgate.harness.data import data_for
from quantgate.harness.inside import HERE
from quantgate.measure import MOST_FAILED, NEUTRAL
from quantgate.measure.adopt import Choice, Run, adopt
from quantgate.programs import Environment
from quantgate.suites import HarnessSuite

NAME = "Inspect"
PROGRAM = HERE / "run_inspect.py"
GIB = 1.5
NO_KEY = "none"  # the client refuses an empty one
ATTEMPTS = 3
MAY_FAIL = MOST_FAILED + 1e-9  # Inspect fails at the share itself
OF_OPENAI = ("presence_penalty", "frequency_penalty", "top_p")


class Inspect:
    """As `Harness` has it."""

    name = NAME

    def environment(self, suite: HarnessSuite) -> Environment:
        return Environment("inspect", PROGRAM, suite.packages, GIB)

    def pins(self, suite: HarnessSuite) -> list[str]:
        return self.environment(suite).needs

    def command(self, asked: Asked, python: Path | None) -> Command:
        suite, server = asked.suite, asked.server
        task = {
            "task": suite.task,
            "name": suite.task,
            "args": suite.args,
            "model": server.model,
            "limit": asked.limit,
            "epochs": suite.repeats if suite.repeats > 1 else None,
            "config": config_of(asked),
            "concurrency": CONCURRENCY,
            "may_fail": MAY_FAIL,
            "logs": str(asked.folder / "logs"),
            "told": str(asked.folder / "told.json"),
            **data_for(suite),
        }
        env = {"QUANTGATE_BASE_URL": f"{server.base_url}/v1", "QUANTGATE_API_KEY": str(server.api_key) or NO_KEY}
        if suite.data is not None:
            env["XDG_CACHE_HOME"] = str(
                asked.folder / "cache"
            )  # where Inspect keeps data sets by the hub's name, whatever they were read from
        return Command([str(python), "-I", "-u", str(PROGRAM), json.dumps(task)], env, asked.place)

    def results(self, asked: Asked, told: dict[str, Any]) -> Run:
        (run,) = adopt(Path(told["log"]), Choice(metric=asked.suite.metric, suite=asked.suite.task)).values()
        return run


def config_of(asked: Asked) -> dict[str, Any]:
    """Inspect's generation settings. A question's epochs get no seed: with one, all would be one answer."""
    suite = asked.suite
    body: dict[str, Any] = {key: value for key, value in NEUTRAL.items() if key not in OF_OPENAI}
    if suite.thinking is not None:
        body["chat_template_kwargs"] = {"enable_thinking": suite.thinking}
    found: dict[str, Any] = {
        "temperature": suite.temperature,
        **{key: NEUTRAL[key] for key in OF_OPENAI},
        "extra_body": body,
        "max_retries": ATTEMPTS,
        "timeout": int(asked.request_seconds),
    }
    if suite.repeats == 1:
        found["seed"] = suite.seed
    if suite.max_tokens is not None:
        found["max_tokens"] = suite.max_tokens
    return found
