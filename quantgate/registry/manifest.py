"""`quantgate.json` in a checkpoint's folder: what `quantgate quantize` made it of, and how."""

from pathlib import Path

import msgspec

MANIFEST = "quantgate.json"


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What was quantized: a folder, or a hub id with its commit. `fingerprint`: as `fingerprint.of_checkpoint` has it."""

    name: str
    revision: str | None
    fingerprint: str


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Which texts, cut to `max_length` tokens; `fingerprint`: of the token ids in their order; `skipped`: rows that gave no tokens."""

    source: str
    samples: int
    max_length: int
    seed: int
    tokens: int
    fingerprint: str
    skipped: int = 0


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """`largest_inputs`: linear → the largest activation that its input_global_scale was made for, by `rule`."""

    rule: str
    largest_inputs: dict[str, float]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`fingerprint`: of the checkpoint as it was made; `verdict`: what the structural check said of it against its base;
    `phases`: seconds of each step."""

    quantgate: str
    scheme: str
    base: Base
    recipe: str
    seed: int
    calibration: Calibration | None
    repair: Repair | None
    versions: dict[str, str]
    fingerprint: str
    verdict: str
    gib_before: float
    gib_after: float
    started: str
    seconds: float
    phases: dict[str, float]

    def __str__(self) -> str:
        """One line: the scheme, by what, from what, calibrated on what."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items() if name in ("llmcompressor", "torch"))
        base = Path(self.base.name).name if self.base.revision is None else f"{self.base.name} at {self.base.revision[:12]}"
        scheme = f"{self.scheme} rotated (SpinQuant)" if "SpinQuantModifier" in self.recipe else self.scheme
        told = f"{scheme} by quantgate {self.quantgate} ({versions}) from {base} ({self.base.fingerprint})"
        if self.calibration is not None:
            on = self.calibration
            texts = Path(on.source).name if Path(on.source).is_absolute() else on.source
            told += f", calibrated on {on.samples:,} of {texts} ({on.tokens:,} tokens, seed {on.seed}, {on.fingerprint})"
        return told + (", input scales by rule and not by calibration" if self.repair is not None else "")


def read_manifest(folder: Path) -> Manifest | None:
    """None where there is no manifest, or none that can be read: nothing is claimed then."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def made_by(folder: Path, fingerprint: str) -> str | None:
    """The manifest's line for a checkpoint of this fingerprint; None where it speaks of other weights, or is not there."""
    found = read_manifest(folder)
    return str(found) if found is not None and found.fingerprint == fingerprint else None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
