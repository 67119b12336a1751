"""`quantgate plan`: what a matrix will take, before anything of it runs.

Exit 0: told; 2: what was asked for is not there.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from quantgate.cli.codes import GOOD
from quantgate.errors import ConfigurationError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantgate.registry import Family
    from quantgate.suites import Catalogue


def add_plan(commands: Any) -> None:
    parser = commands.add_parser(
        "plan",
        help="what a run will take: minutes and where they are known from, what is done already, what each suite can decide, shards",
        description="Say what the matrix will take before anything runs: nothing boots, nothing is fetched, no GPU is opened.",
    )
    parser.add_argument("--family", metavar="NAMES", help="as for pytest: names with commas between them, or all")
    parser.add_argument("--suites", metavar="NAMES", help="these suites of the chosen families")
    parser.add_argument("--checkpoint", metavar="NAMES", help="these checkpoints of the chosen families")
    parser.add_argument("--gpu", metavar="DEVICES", help="whose class is planned for, as for pytest (auto)")
    parser.add_argument("--classes", metavar="NAMES", help="device classes to plan for instead, with commas: cpu,NVIDIA H200")
    parser.add_argument("--tp", type=int, metavar="N", help="devices a slot, whatever models.toml says")
    parser.add_argument("--records", type=Path, default=Path(".quantgate/records"), metavar="DIR", help="what may be measured already")
    parser.add_argument("--baselines", default="baselines", metavar="DIR|URL[,…]", help="approved measurements, history (baselines)")
    parser.add_argument("--models", type=Path, default=Path("models.toml"), metavar="FILE", help="families and checkpoints (models.toml)")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="data sets from local files")
    parser.add_argument("--shards", type=int, metavar="N", help="hosts to spread the families over, as pytest --shard I/N does")
    parser.add_argument("--again", action="store_true", help="measure all again, whatever is done")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.set_defaults(run=_plan)


def _plan(options: argparse.Namespace) -> int:
    from quantgate import registry
    from quantgate.baselines import folder_of, open_baselines
    from quantgate.history import files, read
    from quantgate.matrix import Asked, plan
    from quantgate.suites import catalogue

    for name in ("shards", "tp"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise ConfigurationError(f"--{name}={getattr(options, name)}: give a number, 1 or more")
    loaded = registry.load(options.models)
    known = catalogue(loaded.suite, options.models)
    families = _with_suites(loaded.select(options.family), options.suites, known, options.models)
    checkpoints = _checkpoints(families, options.checkpoint)
    history = folder_of(options.baselines)
    there = [] if history is None else files(history, [family.name for family in families])
    reads = [read(file) for file in there]
    for told in (sentence for one in reads for sentence in one.told):
        print(f"quantgate plan: {told}", file=sys.stderr)
    asked = Asked(
        registry=loaded,
        families=_fitted(families, options.tp),
        catalogue=known,
        lines=[line for one in reads for line in one.lines],
        approved=open_baselines(options.baselines, lambda line: print(f"quantgate plan: {line}", file=sys.stderr)),
        hosts=options.shards or 1,
        records=None if options.again else options.records,
        data=options.data_dir,
        tensor_parallel=options.tp,
        checkpoints=checkpoints,
    )
    plans = [plan(asked, name) for name in _classes(options)]
    if options.json:
        print(msgspec.json.encode({"plans": plans}).decode())
        return GOOD
    from quantgate.report import show_plan

    for one in plans:
        show_plan(one, hosts_told=options.shards is not None)
    return GOOD


def _with_suites(families: "Sequence[Family]", names: str | None, known: "Catalogue", models: Path) -> "list[Family]":
    if names is not None:
        wanted = list(dict.fromkeys(name.strip() for name in names.split(",")))
        families = [msgspec.structs.replace(family, suites=wanted) for family in families]
    for family in families:
        for name in family.suites:
            if name not in known:
                where = f"--suites={name}" if names is not None else f"{models}: family {family.name}: {name}"
                raise ConfigurationError(f"{where}: there is no such suite{nearest(name, known)}; there are {', '.join(known)}")
    return list(families)


def _checkpoints(families: "Sequence[Family]", given: str | None) -> list[str] | None:
    if given is None:
        return None
    names, known = (
        [name.strip() for name in given.split(",")],
        list(dict.fromkeys(one.name for family in families for one in family.checkpoint)),
    )
    for name in names:
        if name not in known:
            raise ConfigurationError(f"--checkpoint={name}: no chosen family has it{nearest(name, known)}; there are {', '.join(known)}")
    return names


def _fitted(families: "Sequence[Family]", count: int | None) -> "list[Family]":
    """With `--tp` in the place of each checkpoint's own."""
    if count is None:
        return list(families)
    replace = msgspec.structs.replace
    return [
        replace(family, checkpoint=[replace(one, serve=replace(one.serve, tensor_parallel=count)) for one in family.checkpoint])
        for family in families
    ]


def _classes(options: argparse.Namespace) -> list[str]:
    """Of one device each: what is named, else that of the device that pytest would take."""
    if options.classes is None:
        from quantgate.devices import select

        return [select(options.gpu or "auto")[0].first(1).device_class]
    if options.gpu is not None:
        raise ConfigurationError(
            f"--classes={options.classes} plans for devices that need not be here, and --gpu for one that is; leave one out"
        )
    names = list(dict.fromkeys(name.strip() for name in options.classes.split(",")))
    if "" in names:
        raise ConfigurationError(f"--classes={options.classes} has a name that is empty; write cpu, or a device's name: NVIDIA H200")
    return names
