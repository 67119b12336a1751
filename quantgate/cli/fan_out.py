"""`quantgate fan-out --on auto|ray://…|ADDRESS|slurm`: the matrix over a cluster, and one exit code.

Exit 0: all that was asked passed (Slurm: is submitted); 1: a verdict or a test failed; 2: refused, interrupted, or something was left.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from quantgate.errors import ConfigurationError

if TYPE_CHECKING:
    from quantgate.fan_out import Asked

SLURM = "slurm"


def add_fan_out(commands: Any) -> None:
    parser = commands.add_parser(
        "fan-out",
        help="the matrix over a cluster (Ray, Slurm): each checkpoint where there is room for it, merged in the end",
        description="Run each checkpoint's gates on a node of a cluster that has its devices, bring back what they measured, "
        "merge it. Options behind -- go to pytest: quantgate fan-out --on auto --family=all -o out -- --stop-early. "
        "Exit 0: all passed; 1: a verdict or a test failed; 2: refused, interrupted, or something was left.",
    )
    parser.add_argument("--on", required=True, metavar="WHERE", help="auto (the Ray cluster here), HOST:PORT, ray://HOST:PORT, or slurm")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="records, logs and page; the same again goes on there"
    )
    parser.add_argument("--gpu", default="auto", metavar="auto|cpu", help="GPUs where the cluster has any (auto), or the CPUs")
    parser.add_argument("--tp", type=int, metavar="N", help="devices a server, whatever models.toml says")
    parser.add_argument("--family", metavar="NAMES", help="as for pytest: names with commas between them, or all")
    parser.add_argument("--suites", metavar="NAMES", help="as for pytest: these suites alone")
    parser.add_argument("--models", type=Path, default=Path("models.toml"), metavar="FILE", help="families and checkpoints (models.toml)")
    parser.add_argument("--baselines", default="baselines", metavar="WHERE", help="approved measurements (baselines)")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="data sets from local files, at this path on every node")
    parser.add_argument("--resource", action="append", default=[], metavar="NAME[=X]", help="a custom resource that every unit takes (1)")
    parser.add_argument("--classes", metavar="NAMES", help="custom resources that stand for device classes: the whole matrix on each")
    parser.add_argument("--runtime-env", type=Path, metavar="FILE", help="Ray's runtime_env, as JSON or YAML")
    parser.add_argument("--image", metavar="URI", help="a container image with the project at this path (runtime_env's image_uri)")
    parser.add_argument("--ship", action="store_true", help="send the project to the nodes, without .venv, .git and .quantgate")
    parser.add_argument("--again", action="store_true", help="measure what -o has already once more")
    parser.add_argument("--hours", type=float, metavar="H", help="end within so many; what was not begun then is named")
    parser.add_argument("--inconclusive", choices=("pass", "warn", "fail"), default="warn", help="as for pytest (warn)")
    parser.add_argument("--shards", type=int, metavar="N", help="Slurm: tasks of the array (one a family)")
    parser.add_argument(
        "--sbatch", action="append", default=[], metavar="ARG", help="Slurm: an argument for sbatch, --sbatch=--time=8:00:00"
    )
    parser.add_argument("--print", action="store_true", dest="print_only", help="Slurm: print the scripts, and submit nothing")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output, progress on standard error")
    parser.set_defaults(run=_fan_out)


def _fan_out(options: argparse.Namespace) -> int:
    return _on_slurm(options) if options.on == SLURM else _on_ray(options)


def _on_ray(options: argparse.Namespace) -> int:
    from quantgate.fan_out import RayEngine, environment_of, fan_out, lines_of
    from quantgate.plain_text import without_secrets

    if options.print_only or options.sbatch or options.shards is not None:
        raise ConfigurationError("--print, --sbatch and --shards are for --on slurm")
    asked = _asked(options)
    environment = environment_of(asked)
    stream = sys.stderr if options.json else sys.stdout
    fanned = fan_out(asked, lambda: RayEngine(asked.on, environment), stream)
    for line in lines_of(fanned):
        print(without_secrets(line), file=stream)
    if options.json:
        print(without_secrets(msgspec.json.encode(fanned).decode()))
    return fanned.exit_code


def _on_slurm(options: argparse.Namespace) -> int:
    from quantgate.baselines import absolute
    from quantgate.fan_out import SlurmAsked, run_slurm

    for_ray = {"--runtime-env": options.runtime_env, "--image": options.image, "--ship": options.ship}
    for_ray |= {"--resource": options.resource, "--classes": options.classes, "--json": options.json}
    if given := [name for name, value in for_ray.items() if value]:
        raise ConfigurationError(f"{given[0]} is for Ray: on Slurm nodes are chosen by --sbatch, and share the folders that are named")
    asked = SlurmAsked(
        project=_project(),
        models=options.models.absolute(),
        baselines=absolute(options.baselines),
        out=options.output.absolute(),
        families=options.family,
        suites=options.suites,
        gpu=options.gpu,
        tp=options.tp,
        shards=options.shards,
        data_dir=options.data_dir.absolute() if options.data_dir else None,
        inconclusive=options.inconclusive,
        hours=options.hours,
        again=options.again,
        sbatch=tuple(options.sbatch),
        more=tuple(options.behind),
        print_only=options.print_only,
    )
    return run_slurm(asked, lambda line: print(f"quantgate fan-out: {line}", file=sys.stderr, flush=True))


def _project() -> Path:
    project = Path.cwd()
    if not any((project / name).is_file() for name in ("conftest.py", "pytest.ini")):
        raise ConfigurationError(f"{project} has no conftest.py or pytest.ini: go to quantgate's checkout, or run `quantgate init` here")
    return project


def _asked(options: argparse.Namespace) -> "Asked":
    from quantgate.baselines import absolute
    from quantgate.fan_out import Asked

    return Asked(
        project=_project(),
        models=options.models.absolute(),
        baselines=absolute(options.baselines),
        into=options.output.absolute(),
        on=options.on,
        families=options.family,
        suites=options.suites,
        gpu=options.gpu,
        tp=options.tp,
        data_dir=options.data_dir.absolute() if options.data_dir else None,
        resources=dict(_amount(one) for one in options.resource),
        classes=[name.strip() for name in options.classes.split(",")] if options.classes else [],
        runtime_env=_environment(options.runtime_env) if options.runtime_env else {},
        image=options.image,
        ship=options.ship,
        again=options.again,
        hours=options.hours,
        inconclusive=options.inconclusive,
        more=tuple(options.behind),
    )


def _amount(given: str) -> tuple[str, float]:
    name, _, amount = given.partition("=")
    try:
        number = float(amount or 1)
    except ValueError:
        number = 0.0
    if not name or not 0 < number < float("inf"):
        raise ConfigurationError(f"--resource={given}: give NAME or NAME=AMOUNT, more than 0, as in --resource slot=1")
    return name, number


def _environment(file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    if file.suffix in (".yaml", ".yml"):
        import yaml

        try:
            found = yaml.safe_load(content)
        except yaml.YAMLError as error:
            raise ConfigurationError(f"--runtime-env={file} is no YAML: {' '.join(str(error).split())}") from None
    else:
        try:
            found = msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"--runtime-env={file} is no JSON: {error}; a YAML file ends in .yaml") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f'--runtime-env={file} holds no table: give Ray\'s runtime_env, {{"env_vars": …}}')
    return found
