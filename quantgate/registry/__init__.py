"""models.toml: families, checkpoints and tolerances; and where a checkpoint's files are on this machine."""

from quantgate.registry.hub import fetch, here_alone, in_cache, local_folder, locate
from quantgate.registry.limits import refuse_senseless
from quantgate.registry.manifest import MANIFEST, Base, Calibration, Manifest, Repair, made_by, read_manifest, write_manifest
from quantgate.registry.marked import marked
from quantgate.registry.models import DUMMY, PRECISIONS, REFERENCE_PRECISION, Checkpoint, DeclaredSuite, Family, Registry, Serve, Tolerance
from quantgate.registry.reading import load

__all__ = [
    "DUMMY",
    "MANIFEST",
    "PRECISIONS",
    "REFERENCE_PRECISION",
    "Base",
    "Calibration",
    "Checkpoint",
    "DeclaredSuite",
    "Family",
    "Manifest",
    "Registry",
    "Repair",
    "Serve",
    "Tolerance",
    "fetch",
    "here_alone",
    "in_cache",
    "load",
    "local_folder",
    "locate",
    "made_by",
    "marked",
    "read_manifest",
    "refuse_senseless",
    "write_manifest",
]
