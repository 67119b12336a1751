"""Records as a server of ours would make them here and now of the shipped checkpoints, without one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from quantgate.devices import Slot, cpu
from quantgate.judgement import Case
from quantgate.measure import declared_sampling, provenance
from quantgate.records import Measurement, Started
from quantgate.registry import Family, Registry, load
from quantgate.server import versions
from quantgate.suites import Suite


def server_of(case: Case, **changes: Any) -> Any:
    """What provenance asks of a server that serves this case's checkpoint on the CPU."""
    told = {
        "slot": Slot(devices=[cpu()]),
        "folder": Path(case.checkpoint.path),
        "checkpoint": case.checkpoint,
        "is_ours": True,
        "versions": versions,
        "kernels": lambda: ["SomeKernel"],
        "chosen": list,
    }
    return SimpleNamespace(**told | changes)


def as_measured(measured: Measurement, case: Case, suite: Suite, **changes: Any) -> Measurement:
    """`measured` as the case's, under the provenance that a measurement of it would have."""
    made = provenance(server_of(case, **changes), suite.fingerprint, dict(declared_sampling(suite)), Started())
    whose = {"family": case.family.name, "checkpoint": case.checkpoint.name, "precision": case.checkpoint.precision, "suite": case.suite}
    return msgspec.structs.replace(measured, provenance=made, **whose)


def case_of(models: Path, checkpoint: str, suite: str, family: str | None = None) -> Case:
    """Of models.toml's only family, or the one of this name."""
    loaded: Registry = load(models)
    of: Family = loaded.family[0] if family is None else next(one for one in loaded.family if one.name == family)
    one = next(one for one in of.checkpoint if one.name == checkpoint)
    return Case(of, one, suite, loaded.tolerance_of(of, one), loaded.drift_of(of))
