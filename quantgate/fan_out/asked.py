"""What is asked of a fan-out, and pytest's command line for a unit that comes of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quantgate.baselines import is_url, links
from quantgate.errors import ConfigurationError
from quantgate.fan_out.engine import Need
from quantgate.fan_out.wire import BASELINES, RECORDS
from quantgate.registry import marked

PYTEST = ("{python}", "-m", "pytest")
UPDATE = "--snapshot-update"
SHIPPED_WITHOUT = (".venv", ".git", ".quantgate", ".mypy_cache", ".ruff_cache", ".pytest_cache")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`project`: where conftest.py is; `into`: where everything comes together; `resources`: that every unit needs, by name; `classes`:
    custom resources, on each of which the whole matrix is run; `ship`: the project goes with the job; `again`: what is in `into` already is
    measured anew; `hours`: until all has to be over; `more`: further arguments for pytest; `program`: what is run on a node. The rest is
    as pytest has it.
    """

    project: Path
    models: Path
    baselines: str
    into: Path
    on: str = "auto"
    families: str | None = None
    suites: str | None = None
    gpu: str = "auto"
    tp: int | None = None
    data_dir: Path | None = None
    resources: dict[str, float] = {}
    classes: list[str] = []
    runtime_env: dict[str, Any] = {}
    image: str | None = None
    ship: bool = False
    again: bool = False
    hours: float | None = None
    inconclusive: str = "warn"
    more: tuple[str, ...] = ()
    program: tuple[str, ...] = PYTEST

    @property
    def updates(self) -> bool:
        return UPDATE in self.more

    @property
    def must_run(self) -> bool:
        return "--must-run" in self.more


def need_of(asked: Asked, devices: int, group: str, on_gpus: bool, smallest_cpus: float) -> Need:
    """Of a unit on so many devices. On a CPU it is the only one on its node, unless a resource says what a slot is."""
    resources = dict(asked.resources) | ({group: 1.0} if group else {})
    named = tuple(sorted(resources.items()))
    if on_gpus:
        return Need(gpus=float(devices), resources=named)
    return Need(cpus=0.0 if resources else smallest_cpus, resources=named)


def command_of(asked: Asked, family: str, checkpoint: str, on_gpus: bool, more: Sequence[str] = ()) -> list[str]:
    """The pytest of one unit; what was measured before is judged again, unless it is another's."""
    local = f"{{folder}}/{BASELINES}"
    given: dict[str, object] = {
        "family": family,
        "checkpoint": checkpoint,
        "models": _there(asked, asked.models),
        "records": f"{{folder}}/{RECORDS}",
        "baselines": ",".join([local, *stores(asked.baselines)]),
        "gpu": "auto" if on_gpus else "cpu",
        "tp": asked.tp,
        "suites": asked.suites,
        "data-dir": asked.data_dir and _there(asked, asked.data_dir),
        "inconclusive": asked.inconclusive,
    }
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    return [*asked.program, "-p", "no:cacheprovider", "-v", *options, "--reuse", *more, *marked(asked.more)]


def _there(asked: Asked, path: Path) -> Path:
    """On a node: within the project wherever that lies, or the same path."""
    return path.relative_to(asked.project) if path.is_relative_to(asked.project) else path


def stores(baselines: str) -> list[str]:
    """Those of a chain of baselines that are no folders of this machine."""
    return [one for one in links(baselines) if is_url(one)]


def folders(baselines: str) -> list[Path]:
    return [Path(one) for one in links(baselines) if not is_url(one)]


def environment_of(asked: Asked) -> Mapping[str, Any]:
    """Ray's runtime_env. Raises ConfigurationError for what does not go together."""
    if asked.image is not None and (asked.ship or asked.runtime_env):
        raise ConfigurationError(
            "--image is an environment of its own: leave --ship and --runtime-env out, or name image_uri in the latter's file"
        )
    if asked.image is not None:
        return {"image_uri": asked.image}
    if not asked.ship:
        return asked.runtime_env
    if "working_dir" in asked.runtime_env:
        raise ConfigurationError("--ship and the working_dir of --runtime-env both say what the project is: give one of them")
    excludes = [*SHIPPED_WITHOUT, *asked.runtime_env.get("excludes", [])]
    return asked.runtime_env | {"working_dir": str(asked.project), "excludes": excludes}


def is_shipped(asked: Asked) -> bool:
    """Whether the project lies wherever Ray has put it."""
    return asked.ship or "working_dir" in asked.runtime_env
