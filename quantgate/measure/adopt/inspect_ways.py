"""What Inspect was told of a task, from a log's `eval` and `plan`: what was sent, how it was asked, and what no figure shows."""

from collections.abc import Iterator, Mapping
from typing import Any

from quantgate.measure.adopt.files import written
from quantgate.measure.adopt.run import Settings

OF_THE_CLIENT = {"max_connections", "adaptive_connections", "max_retries", "timeout", "attempt_timeout", "batch", "cache", "seed"}
"""Of a configuration, what changes how a model is reached, and not what it is asked."""
ENDS_SAMPLES = ("message_limit", "token_limit", "time_limit", "working_limit", "cost_limit")
OF_THE_PROMPT = ("chat_template", "enable_thinking", "emulate_tools", "max_model_len", "reasoning_parser")


def sent_with(eval_: Mapping[str, Any], plan: Mapping[str, Any]) -> Settings:
    """The settings of the requests; the model's own outweigh the plan's."""
    found = {**_dict(plan.get("config")), **_dict(eval_.get("model_generate_config"))}
    told = {key: value for key, value in sorted(found.items()) if value not in (None, [], {}) and key not in OF_THE_CLIENT}
    return {key: written(value) for key, value in told.items()}


def setup_of(eval_: Mapping[str, Any], plan: Mapping[str, Any]) -> Settings:
    """The task's own arguments and version, its solvers, what ends a sample."""
    found: dict[str, Any] = {f"task's {key}": value for key, value in sorted(_dict(eval_.get("task_args")).items())}
    found["task_version"] = eval_.get("task_version")
    found |= {f"model's {key}": value for key, value in _dict(eval_.get("model_args")).items() if key in OF_THE_PROMPT}
    found |= {key: value for key, value in _dict(eval_.get("config")).items() if key in ENDS_SAMPLES}
    found["solvers"] = [[one.get("solver"), one.get("params")] for one in _steps(plan)] or None
    return {key: written(value) for key, value in found.items() if value is not None}


def ways_of(eval_: Mapping[str, Any], plan: Mapping[str, Any]) -> Iterator[str]:
    """What Inspect did that no figure shows, in words; nothing where the log does not tell its configuration."""
    sent = sent_with(eval_, plan)
    if "config" in plan or "model_generate_config" in eval_:
        if "max_tokens" not in sent:
            yield "no max_tokens was sent: the server's own limit"
        if "temperature" not in sent:
            yield "no temperature was sent: the server's own"
    if "\\n\\n" in str(sent.get("stop_seqs", "")):
        yield "answers end at their first blank line (stop_seqs)"
    if sent.get("system_message") or any(one.get("solver") == "system_message" for one in _steps(plan)):
        yield "under a system message"
    if limits := [f"{key} {value}" for key, value in _dict(eval_.get("config")).items() if key in ENDS_SAMPLES and value is not None]:
        yield f"samples end at {' and '.join(limits)}"


def _steps(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    steps = plan.get("steps")
    return [one for one in steps if isinstance(one, dict)] if isinstance(steps, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
