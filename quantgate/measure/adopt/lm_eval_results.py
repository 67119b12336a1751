"""What lm-eval wrote of a run: `results_<time>.json` beside its samples, whose time is theirs, and the requests in the samples."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quantgate.measure.adopt.files import whole, written
from quantgate.measure.adopt.run import Settings

OF_A_MODEL = ("peft", "delta", "pretrained", "model", "path")
OF_THE_PROMPT = (
    "max_length",
    "max_model_len",
    "max_gen_toks",
    "add_bos_token",
    "prefix_token_id",
    "truncation",
    "truncate",
    "chat_template_args",
    "enable_thinking",
    "think_end_token",
    "tokenized_requests",
)
"""Of a model's arguments, what changes how a question is asked; the rest is which model it is, or how fast."""


class Results(msgspec.Struct, frozen=True):
    """`model`: "" where it is not told."""

    model_name: str | None = None
    config: dict[str, Any] | None = None
    configs: dict[str, Any] = {}
    versions: dict[str, Any] = {}
    group_subtasks: dict[str, list[str]] = {}
    shots: dict[str, Any] = msgspec.field(default_factory=dict, name="n-shot")
    chat_template_sha: str | msgspec.UnsetType | None = msgspec.UNSET
    system_instruction: str | None = None
    system_instruction_sha: str | None = None
    fewshot_as_multiturn: bool | None = None
    transformers_version: str | None = None
    model_source: str | None = None
    lm_eval_version: str | None = None
    tokenizer_bos_token: Any = None
    max_length: int | None = None

    @property
    def model(self) -> str:
        """Before 0.4.2 it stands among the arguments alone."""
        return self.model_name or next((str(self.model_args[key]) for key in OF_A_MODEL if key in self.model_args), "")

    @property
    def kind(self) -> str:
        """hf, vllm, local-completions, …; "" where that is not told."""
        return self.model_source or str((self.config or {}).get("model") or "")

    @property
    def version(self) -> tuple[int, ...]:
        """Of lm-eval; () where that is not told."""
        found = (self.lm_eval_version or "").split(".")
        return tuple(int(part) for part in found if part.isdigit())

    @property
    def bos(self) -> str:
        """BOS as text; "" where it is not told."""
        told = self.tokenizer_bos_token
        first = told[0] if isinstance(told, list) and told else told
        return first if isinstance(first, str) and first not in ("None", "null") else ""

    @property
    def is_without_template(self) -> bool:
        """Whether the file tells that no chat template was applied."""
        return self.chat_template_sha is not msgspec.UNSET and not self.chat_template_sha

    @property
    def model_args(self) -> dict[str, Any]:
        return pairs_of((self.config or {}).get("model_args"))

    @property
    def gen_kwargs(self) -> dict[str, Any]:
        """Those of the command line."""
        return pairs_of((self.config or {}).get("gen_kwargs"))

    def generation_kwargs(self, task: str) -> dict[str, Any]:
        """Those of the task."""
        told = self.configs.get(task)
        return pairs_of(told.get("generation_kwargs")) if isinstance(told, dict) else {}

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
            "max_length": self.max_length,
            "gen_kwargs": written(self.gen_kwargs) if self.gen_kwargs else None,
            **{f"model's {name}": written(self.model_args[name]) for name in OF_THE_PROMPT if name in self.model_args},
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


def results_of(path: Path | None) -> Results:
    """Of a results file, or of none. Raises MeasurementError where it cannot be read."""
    return NOTHING if path is None else whole(path, Results, "results file of lm-eval's")


def sent_with(arguments: Any) -> Settings:
    """What was sent with the first request: temperature, max_gen_toks, until; what is no single value as JSON."""
    while isinstance(arguments, dict | list) and arguments:
        values = list(arguments.values()) if isinstance(arguments, dict) else arguments
        settings = [one for one in values if isinstance(one, dict) and not any(isinstance(part, dict) for part in one.values())]
        settings = [one for one in settings if not any(key.startswith("arg_") for key in one)]
        if settings:
            return {key: written(value) for key, value in sorted(settings[0].items()) if value is not None}
        arguments = values[0]
    return {}


def text_of(arguments: Any) -> str | list[int]:
    """The first request's prompt, as text or as token ids; "" where there is none."""
    while isinstance(arguments, dict | list) and arguments:
        if isinstance(arguments, list) and all(isinstance(one, int) for one in arguments):
            return [int(one) for one in arguments]
        arguments = next(iter(arguments.values())) if isinstance(arguments, dict) else arguments[0]
    return arguments if isinstance(arguments, str) else ""


def pairs_of(told: Any) -> dict[str, Any]:
    """`a=1,b=2`, as older files have it, or a dict, as newer ones do; {} of anything else."""
    if isinstance(told, str):
        return {name.strip(): _value(text) for name, is_pair, text in (part.partition("=") for part in told.split(",")) if is_pair}
    return told if isinstance(told, dict) else {}


def _value(text: str) -> Any:
    """As newer files have it: a number or a truth value where the text is one."""
    try:
        return msgspec.json.decode(text.strip().lower() if text.strip() in ("True", "False") else text.strip())
    except msgspec.DecodeError:
        return text


def number_of(settings: Mapping[str, Any], names: Sequence[str]) -> int | None:
    """The first of these that is a whole number, also written as text."""
    found = (settings.get(name) for name in names)
    return next((int(one) for one in found if isinstance(one, int | str) and str(one).isdigit()), None)
