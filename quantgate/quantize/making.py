"""From a model to a quantized checkpoint: `make(asked, progress)`. Whole, looked at, and in its place, or nothing."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from quantgate import __version__, folders
from quantgate.checkpoint import Report, inspect_checkpoint
from quantgate.errors import ConfigurationError
from quantgate.fingerprint import of_checkpoint
from quantgate.programs import Progress, python
from quantgate.quantize import base, calibration, place, program, recipes, repair
from quantgate.quantize.recipes import Recipe
from quantgate.records import Started
from quantgate.registry import Calibration, Manifest, locate, write_manifest

HERE = Path(__file__).parent
TOKENS = "tokens.jsonl"


class Asked(NamedTuple):
    """The command's options."""

    model: str
    output: Path
    scheme: str | None = None
    recipe: Path | None = None
    revision: str | None = None
    calibrate: str | None = None
    data_dir: Path | None = None
    samples: int = calibration.SAMPLES
    max_length: int = calibration.MAX_LENGTH
    repair_input_scales: bool = False
    rotate: bool = False
    seed: int = 0


def _python(progress: Progress) -> Path:
    return python(progress, program.LLM_COMPRESSOR)


class Tools(NamedTuple):
    """Who does what needs llm-compressor: an interpreter, found or made when it is called for, and two programs for it."""

    python: Callable[[Progress], Path] = _python
    tokens: Path = HERE / "tokens.py"
    oneshot: Path = HERE / "oneshot.py"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `precision`: its marker in models.toml, "" where a recipe of the user's own leaves that open."""

    output: str
    precision: str
    manifest: Manifest
    inspection: Report


def make(asked: Asked, progress: Progress, tools: Tools | None = None) -> Made:
    """Raises ConfigurationError for what cannot be done, and QuantizeError where a program on the way fails."""
    began, tools = Started(), tools or Tools()
    recipe = recipes.choose(asked.scheme, asked.recipe)
    output = Path(os.path.abspath(asked.output.expanduser()))  # noqa: PTH100 (a link in its place is refused, not followed)
    place.require_free_name(output)
    wanted = calibration.choose(asked.calibrate, asked.data_dir, asked.samples, asked.max_length, asked.seed)
    _require_sense(asked, recipe, wanted)
    model = base.look(asked.model, locate(asked.model, asked.revision), recipe)
    if asked.rotate:
        recipe = recipes.rotated(recipe, model.name, model.config)
    if asked.repair_input_scales:
        repair.require_rule(model.name, model.config.get("model_type"), model.config.get("hidden_act"))
    base.require_room(model, recipe, output, is_rotated=asked.rotate)
    base.require_memory(model, 0, is_rotated=asked.rotate)
    wanted = calibration.fetched(wanted) if wanted is not None else None

    with place.beside(output, progress.say) as work:
        try:
            shown = _tokens(wanted, model, work, progress, tools) if wanted is not None else None
            base.require_memory(model, shown.tokens if shown is not None else 0, is_rotated=asked.rotate)
            versions = _oneshot(asked, recipe, model, work / output.name, shown, progress, tools)
            made = _finished(asked, recipe, model, work / output.name, output, shown, versions, began, progress)
        except OSError as error:
            raise program.full(work) if error.errno == errno.ENOSPC else error from None
        place.take(work / output.name, output)
    return made


def _oneshot(
    asked: Asked, recipe: Recipe, model: base.Model, made: Path, shown: Calibration | None, progress: Progress, tools: Tools
) -> dict[str, str]:  # fmt: skip
    """Let llm-compressor write weights, config.json and recipe.yaml into `made`; the versions that it has."""
    work = made.parent
    (work / "recipe.yaml").write_text(recipe.text, encoding="utf-8")
    task = {
        "model": str(model.folder),
        "recipe": str(work / "recipe.yaml"),
        "tokens": str(work / TOKENS) if shown else None,
        "uncalibrated": asked.repair_input_scales,
        "seed": asked.seed,
        "made": str(made),
    }
    said = program.ask(tools.python(progress), tools.oneshot, task, work, progress)
    return dict(said["versions"])


def _finished(
    asked: Asked, recipe: Recipe, model: base.Model, made: Path, output: Path, shown: Calibration | None, versions: dict[str, str],
    began: Started, progress: Progress,
) -> Made:  # fmt: skip
    """The base's companions beside the weights, input scales where there are none, a look at it all, and the manifest."""
    base.copy_companions(model.folder, made)
    repaired = None
    if asked.repair_input_scales:
        with progress.phase("writing input scales by rule"):
            repaired = repair.repair(made)
    with progress.phase("looking at what was made"):
        report = msgspec.structs.replace(inspect_checkpoint(made, model.folder), checkpoint=str(output))
    told = Manifest(
        quantgate=__version__,
        scheme=recipe.name,
        base=model.told(),
        recipe=recipe.text,
        seed=asked.seed,
        calibration=shown,
        repair=repaired,
        versions=versions,
        fingerprint=of_checkpoint(made),
        verdict=report.verdict,
        gib_before=round(model.weights_gib, 4),
        gib_after=round(folders.size_gib(made), 4),
        started=began.at,
        seconds=round(began.seconds(), 2),
        phases=progress.phases,
    )
    write_manifest(made, told)
    return Made(output=str(output), precision=recipe.scheme.precision, manifest=told, inspection=report)


def _require_sense(asked: Asked, recipe: Recipe, wanted: calibration.Wanted | None) -> None:
    """Options that do not go together, told before anything is fetched."""
    if asked.repair_input_scales and wanted is not None:
        raise ConfigurationError("--repair-input-scales stands in for calibration; leave it out, or --calibrate and --data-dir")
    if asked.repair_input_scales and not recipe.is_own and not recipe.scheme.is_calibrated:
        raise ConfigurationError(f"--repair-input-scales: {recipe.name} has no input scales to repair; leave it out")
    if recipe.is_own:
        return  # its modifiers know what they want, and say so once they are loaded
    if recipe.scheme.is_calibrated and wanted is None and not asked.repair_input_scales:
        raise ConfigurationError(
            f"--scheme {recipe.name} needs to see activations: name texts with --calibrate ultrachat (or --data-dir DIR), or go without "
            "and have the input scales written by a rule with --repair-input-scales"
        )
    if not recipe.scheme.is_calibrated and wanted is not None:
        raise ConfigurationError(f"--scheme {recipe.name} uses no calibration data; leave --calibrate and --data-dir out")


def _tokens(wanted: calibration.Wanted, model: base.Model, work: Path, progress: Progress, tools: Tools) -> Calibration:
    """Write the token ids into `work`; what they were made of."""
    wanted, line = calibration.fitted(wanted, model)
    if line is not None:
        progress.say(line)
    task = {
        "model": str(model.folder),
        "files": [str(file) for file in wanted.files or []],
        "samples": wanted.samples,
        "max_length": wanted.max_length,
        "seed": wanted.seed,
        "tokens": str(work / TOKENS),
    }
    python = tools.python(progress)
    with progress.phase("reading calibration data"):
        said = program.ask(python, tools.tokens, task, work, progress, who=wanted.source)
    return calibration.told(wanted, work / TOKENS, said["skipped"])
