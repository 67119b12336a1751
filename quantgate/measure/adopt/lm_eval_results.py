"""What lm-eval wrote of a run: `results_<time>.json` beside its samples, whose time is theirs, and the requests in the samples."""

from pathlib import Path
from typing import Any

import msgspec

from quantgate.measure.adopt.files import whole
from quantgate.measure.adopt.run import Settings


class Results(msgspec.Struct, frozen=True):
    """`model`: "" where it is not told."""

    model_name: str | None = None
    config: dict[str, Any] | None = None
    configs: dict[str, Any] = {}
    versions: dict[str, Any] = {}
    group_subtasks: dict[str, list[str]] = {}
    shots: dict[str, Any] = msgspec.field(default_factory=dict, name="n-shot")
    chat_template_sha: str | msgspec.UnsetType | None = msgspec.UNSET
    system_instruction_sha: str | None = None
    fewshot_as_multiturn: bool | None = None
    transformers_version: str | None = None

    @property
    def model(self) -> str:
        return self.model_name or ""

    def group_of(self, task: str) -> str:
        """The outermost group that a task is in; the task itself where it is in none."""
        name, seen = task, {task}
        while (above := next((group for group, parts in self.group_subtasks.items() if name in parts), None)) not in {None, *seen}:
            name = str(above)
            seen.add(name)
        return name

    def setup(self, task: str) -> Settings:
        """How the task was asked, where that is told."""
        told = self.configs.get(task)
        found = {
            "num_fewshot": self.shots.get(task, told.get("num_fewshot") if isinstance(told, dict) else None),
            "task_version": self.versions.get(task),
            "system_instruction": self.system_instruction_sha,
            "fewshot_as_multiturn": self.fewshot_as_multiturn,
            "gen_kwargs": str(kwargs) if (kwargs := (self.config or {}).get("gen_kwargs")) else None,
        }
        return {key: value for key, value in found.items() if isinstance(value, bool | int | float | str)}

    def provenance(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.chat_template_sha is not msgspec.UNSET:
            found["chat_template_fingerprint"] = self.chat_template_sha or "none"
        if self.transformers_version:
            found["transformers"] = f"transformers {self.transformers_version}"
        return found


NOTHING = Results()


def results_of(samples: Path, stamp: str) -> Results:
    """From the one JSON file beside the samples whose name ends in their time. Raises MeasurementError where that cannot be read."""
    if not stamp:
        return NOTHING
    found = sorted(samples.parent.glob(f"*_{stamp}.json"))
    return whole(found[0], Results, "results file of lm-eval's") if found else NOTHING


def sent_with(arguments: Any) -> Settings:
    """What was sent with the first request: temperature, max_gen_toks and what else is one value."""
    while isinstance(arguments, dict | list) and arguments:
        values = list(arguments.values()) if isinstance(arguments, dict) else arguments
        settings = [one for one in values if isinstance(one, dict) and not any(isinstance(part, dict) for part in one.values())]
        settings = [one for one in settings if not any(key.startswith("arg_") for key in one)]
        if settings:
            return {key: value for key, value in sorted(settings[0].items()) if isinstance(value, bool | int | float | str)}
        arguments = values[0]
    return {}
