"""The model that is to be quantized: what it is, and whether this can be done to it here."""

import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from quantgate import devices, fingerprint
from quantgate.checkpoint import Source, is_linear, open_source
from quantgate.errors import ConfigurationError
from quantgate.folders import GIB
from quantgate.quantize.place import existing
from quantgate.quantize.recipes import Recipe
from quantgate.registry import Base

SLACK_GIB = 0.1
PROGRAM_GIB = 1.5  # torch, transformers and llm-compressor themselves
WORKING_SHARE = 0.25  # of the weights: a layer's copies while it is packed
COMMIT = re.compile(r"[0-9a-f]{40}")
COMPANIONS = (
    "tokenizer*", "chat_template*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "generation_config.json",
    "*processor_config.json", "LICENSE*", "LICENCE*", "NOTICE*",
)  # fmt: skip
"""Files that a checkpoint has from its base as they are: saving them again would add keys of the saving library to them."""


class Model(NamedTuple):
    """`name`: as it was asked for; `revision`: the commit of a hub id."""

    name: str
    folder: Path
    revision: str | None
    source: Source

    @property
    def config(self) -> dict[str, Any]:
        return self.source.config

    @property
    def longest(self) -> int | None:
        """Tokens that the model can read at once; None where config.json does not say."""
        found = self.source.setting("max_position_embeddings")
        return found if isinstance(found, int) and found > 0 else None

    @property
    def weights_gib(self) -> float:
        return sum(one.size_bytes for one in self.source.weights.tensors.values()) / GIB

    def told(self) -> Base:
        name = str(self.folder.resolve()) if self.revision is None else self.name
        return Base(name=name, revision=self.revision, fingerprint=fingerprint.of_checkpoint(self.folder))


def look(name: str, folder: Path, recipe: Recipe) -> Model:
    """Raises ConfigurationError for what cannot be quantized, one sentence for each reason."""
    if not (folder / "config.json").is_file():
        raise ConfigurationError(f"{name} is no model: there is no config.json in {folder}; name a checkpoint's folder or a hub id")
    source = open_source(folder)
    if source.is_quantized:
        formats = ", ".join(source.plan.labels) or "in an unknown format"
        raise ConfigurationError(f"{name} is quantized already ({formats}); name the BF16 original")
    if (broken := next((one for one in source.findings if one.severity == "error"), None)) is not None:
        raise ConfigurationError(f"{name} is not whole: {broken.where}: {broken.value}: {broken.meaning}")
    if "auto_map" in source.config:
        raise ConfigurationError(f"{name} brings code of its own (auto_map in config.json), which is not run here; quantize it by hand")
    special = next((key for key in ("vision_config", "audio_config", "num_experts", "num_local_experts") if source.setting(key)), None)
    if special is not None and not recipe.is_own:
        raise ConfigurationError(
            f"{name} has {special} in config.json: parts of it must stay as they are (routers, towers), and --scheme knows dense text "
            "models alone; write those parts into `ignore` of a recipe of your own and give it with --recipe"
        )
    commit = folder.name if folder.parent.name == "snapshots" and COMMIT.fullmatch(folder.name) else None
    return Model(name, folder, commit, source)


def made_gib(model: Model, recipe: Recipe, *, is_rotated: bool) -> float:
    """About how large the checkpoint becomes, a little more than less."""
    tensors = model.source.weights.tensors.values()
    total = 0.0
    for one in tensors:
        module, _, last = one.name.rpartition(".")
        quantized = last == "weight" and is_linear(module, len(one.shape)) and not module.endswith("lm_head")
        total += one.elements * recipe.scheme.weight_bits / 8 if quantized else one.size_bytes
    if is_rotated and model.source.setting("tie_word_embeddings"):
        total += max((one.size_bytes for one in tensors if one.name.endswith("embed_tokens.weight")), default=0)
    return total / GIB + SLACK_GIB


def require_room(model: Model, recipe: Recipe, place: Path, *, is_rotated: bool) -> None:
    """Raises ConfigurationError where the disk is too small for the checkpoint."""
    wanted, disk = made_gib(model, recipe, is_rotated=is_rotated), existing(place)
    free = shutil.disk_usage(disk).free / GIB
    if free < wanted:
        raise ConfigurationError(
            f"-o {place} needs {wanted:.1f} GiB in {disk}, which has {free:.1f} GiB free; free some, or name a folder on a larger disk"
        )


def require_memory(model: Model, tokens: int, *, is_rotated: bool) -> None:
    """Raises ConfigurationError where the model and what `tokens` of calibration leave between two layers do not fit in memory."""
    hidden = int(model.source.setting("hidden_size") or 0)
    between = tokens * hidden * 2 / GIB  # BF16, kept for all texts at once
    turned = max(one.elements for one in model.source.weights.tensors.values()) * 2 * 8 / GIB if is_rotated else 0.0  # twice, in FP64
    wanted, free = model.weights_gib * (1 + WORKING_SHARE) + between + turned + PROGRAM_GIB, free_memory_gib()
    if free is not None and free < wanted:
        parts = f"{model.weights_gib:.1f} of weights, {between:.1f} between layers" if between else f"{model.weights_gib:.1f} of weights"
        less = ", take fewer --samples or a smaller --max-length," if tokens else ""
        raise ConfigurationError(
            f"{model.name} needs {wanted:.1f} GiB of memory ({parts}), and {free:.1f} GiB are free; free some{less} or take another machine"
        )


def free_memory_gib() -> float | None:
    """Of this machine, or of the container where its limit is nearer; None where nobody says."""
    host = devices.cpu()
    free = None if host.memory_gib is None or host.memory_used_gib is None else host.memory_gib - host.memory_used_gib
    limit, used = (_number(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
    if limit is None or used is None:
        return free
    cached = re.search(r"^inactive_file (\d+)$", _text(Path("/sys/fs/cgroup/memory.stat")), re.MULTILINE)
    left = (limit - used + (int(cached[1]) if cached else 0)) / GIB
    return left if free is None else min(free, left)


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


def copy_companions(base: Path, made: Path) -> None:
    """The base's own in the place of those that were saved with the weights."""
    for pattern in COMPANIONS:
        for saved in made.glob(pattern):
            saved.unlink()
        for file in base.glob(pattern):
            if file.is_file():
                shutil.copyfile(file, made / file.name)
