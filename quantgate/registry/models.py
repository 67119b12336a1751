"""What models.toml says, as values: families, their checkpoints, how each is served, what it may lose."""

from typing import Any, Literal

import msgspec

from quantgate import fingerprint
from quantgate.errors import ConfigurationError, nearest

PRECISIONS = ("bf16", "fp8", "nvfp4", "mxfp4", "int8", "int4")
REFERENCE_PRECISION = "bf16"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """The largest loss that the family's owner accepts. None: not stated here.

    `group_points`: of one group of a suite's items, three times `accuracy_points` where it is not stated. `length_ratio`: of
    completion tokens, 1.10 for answers that think, else not gated. `unanswered`: the share of a suite's answers that may never come (cut
    off, or inside their reasoning), and that may hold none, 0.05 where it is not stated. `kl_nats`, `ttft_ratio` gate only where they
    are stated. `fail_when`: "likely" (there is a loss, and the best guess reaches the tolerance) or "proven" (the loss exceeds the
    tolerance).
    """

    accuracy_points: float | None = None
    perplexity_ratio: float | None = None
    decode_tps_ratio: float | None = None
    kl_nats: float | None = None
    group_points: float | None = None
    length_ratio: float | None = None
    ttft_ratio: float | None = None
    unanswered: float | None = None
    fail_when: Literal["likely", "proven"] | None = None
    speedup_over_bf16: dict[str, float] = {}


class Serve(msgspec.Struct, frozen=True, kw_only=True):
    """How vLLM serves the checkpoint; the names are vLLM's own.

    `hang_seconds` is ours: so long without a token, while requests wait, and the server counts as hung.
    """

    tensor_parallel: int = 1
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    gpu_memory_utilization: float = 0.9
    dtype: str = "auto"
    enforce_eager: bool = False
    cpu_offload_gb: float = 0
    load_format: str = "safetensors"
    trust_remote_code: bool = False
    hang_seconds: float = 120
    args: list[str] = []
    env: dict[str, str] = {}

    @property
    def fingerprint(self) -> str:
        """Of what may change a figure: not of our patience with it, nor of the number of devices, which a record has by itself."""
        said = msgspec.to_builtins(self)
        return fingerprint.of({name: value for name, value in said.items() if name not in ("hang_seconds", "tensor_parallel")})


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """`path` is a folder (absolute once loaded) or a hub id, `written` the same as models.toml has it, on whatever host; `skip`: device →
    why no server there can be asked for it.

    `quantize`: the arguments with which `quantgate quantize` makes it, model first; its folder may be missing until then. `command` is
    the whole line.
    """

    name: str
    precision: str
    path: str
    revision: str | None = None
    expect_kernel: dict[str, str] = {}
    skip: dict[str, str] = {}
    quantize: str | None = None
    serve: Serve = Serve()
    family: str = ""
    command: str | None = None
    written: str = ""

    def __str__(self) -> str:
        return f"{self.family}/{self.name}"

    @property
    def has_weights(self) -> bool:
        """Whether anything but speed can be asked of it."""
        return self.serve.load_format != DUMMY


class Family(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    checkpoint: list[Checkpoint]
    suites: list[str]
    default: bool = False
    tolerance: dict[str, Tolerance] = {}

    def reference(self) -> Checkpoint | None:
        """The BF16 checkpoint, or None where the family has none."""
        return next((one for one in self.checkpoint if one.precision == REFERENCE_PRECISION), None)


class DeclaredSuite(msgspec.Struct, frozen=True, kw_only=True):
    """`[[suite]]`: `source` (`from` in the file) is a known suite, file:PATH, or a task of another harness (lm-eval:TASK, inspect:TASK,
    livebench:RELEASE); `n` of its items are drawn by `seed`, all without it; of a harness's task they are the first.

    `repeats`: how often each question is asked; `temperature`: at which, 0 where it is not stated. The rest is for tasks of other
    harnesses: examples before each question, which figure counts, whether the chat template is applied, which of two means is judged,
    arguments of the task, packages that it needs, the folder below --data-dir with its data.
    """

    name: str
    source: str = msgspec.field(name="from")
    kind: Literal["text", "answers", "code"] | None = None
    n: int | None = None
    seed: int = 0
    max_tokens: int | None = None
    thinking: bool | None = None
    repeats: int | None = None
    temperature: float | None = None
    fewshot: int | None = None
    filter: str | None = None
    metric: str | None = None
    chat_template: bool | None = None
    mean: Literal["question", "category"] | None = None
    args: dict[str, Any] = {}
    packages: list[str] = []
    data: str | None = None


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file. `tolerance`: precision → what a family gets unless it says otherwise."""

    family: list[Family]
    suite: list[DeclaredSuite] = []
    tolerance: dict[str, Tolerance] = {}

    def select(self, names: str | None) -> list[Family]:
        """Families by `--family`: names with commas between them, `all`, or None for those with `default = true`."""
        if names is None:
            return [family for family in self.family if family.default] or self.family
        if names == "all":
            return self.family
        known = {family.name: family for family in self.family}
        for name in (wanted := list(dict.fromkeys(name.strip() for name in names.split(",")))):
            if name not in known:
                raise ConfigurationError(f"--family={name}: no such family{nearest(name, known)}; there are {', '.join(known)}")
        return [known[name] for name in wanted]

    def tolerance_of(self, family: Family, checkpoint: Checkpoint) -> Tolerance:
        """What this checkpoint may lose."""
        return self.tolerance_for(family, checkpoint.precision)

    def drift_of(self, family: Family) -> Tolerance:
        """What a checkpoint may move since its own approval: BF16's tolerance, as for what should not have changed at all."""
        return self.tolerance_for(family, REFERENCE_PRECISION)

    def tolerance_for(self, family: Family, precision: str) -> Tolerance:
        """The family's own tolerance for a precision, filled up from the file's general one."""
        general, own = self.tolerance.get(precision, Tolerance()), family.tolerance.get(precision, Tolerance())
        stated = {field: getattr(own, field) for field in Tolerance.__struct_fields__ if getattr(own, field) not in (None, {})}
        return msgspec.structs.replace(general, **stated)


DUMMY = "dummy"
"""vLLM's load format without weights; a checkpoint that is served so has it in its name, so that every table says it."""
