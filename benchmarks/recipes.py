"""Which recipe is best? The reference family's BF16 by every recipe, measured in one run, in one table: `make recipes`.

Recipe → `quantgate quantize` (what is there already is kept) → a models.toml beside → pytest on it → `quantgate table`. Further arguments
go to pytest. Exit code: pytest's, or that of a recipe that could not be followed.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from quantgate import cli

ROOT = Path(__file__).resolve().parents[1]
BASE = ROOT / "fixtures" / "reference" / "bf16"
FAMILY = "reference"
"""The name under which BF16's baselines are approved."""
TOLERANCE = {
    "fp8": "{ accuracy_points = 2.0, perplexity_ratio = 1.02, speedup_over_bf16 = { cpu = 0.4 } }",
    "nvfp4": "{ accuracy_points = 4.0, perplexity_ratio = 1.05, speedup_over_bf16 = { cpu = 0.4 } }",
}
SERVE = "{ max_model_len = 1024, max_num_seqs = 32, max_num_batched_tokens = 2048 }"
HAS_AMX = "amx_tile" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
"""On vLLM's CPU build FP8 in blocks runs on these units alone (Sapphire Rapids or newer)."""


class Variant(NamedTuple):
    """`options`: of `quantgate quantize`; `skip`: device → why vLLM does not serve it there."""

    precision: str
    options: tuple[str, ...]
    skip: Mapping[str, str] = {}


VARIANTS = {
    "fp8-dynamic": Variant("fp8", ("--scheme", "FP8_DYNAMIC")),
    "fp8-block": Variant("fp8", ("--scheme", "FP8_BLOCK"), {} if HAS_AMX else {"cpu": "vLLM's CPU kernel for FP8 blocks needs AMX"}),
    "nvfp4-calibrated": Variant("nvfp4", ("--scheme", "NVFP4", "--calibrate", "reference")),
    "nvfp4-uncalibrated": Variant("nvfp4", ("--scheme", "NVFP4", "--repair-input-scales")),
    "nvfp4a16": Variant("nvfp4", ("--scheme", "NVFP4A16"), {"cpu": "vLLM's CPU build has no kernel for weight-only FP4"}),
}


def models(folder: Path) -> str:
    """models.toml: BF16 and every variant, the paths absolute."""
    lines = ["[tolerance]", "bf16 = { accuracy_points = 2.0, perplexity_ratio = 1.01, decode_tps_ratio = 0.95 }"]
    lines += [f"{precision} = {said}" for precision, said in TOLERANCE.items()]
    lines += ["", "[[family]]", f'name = "{FAMILY}"', 'suites = ["reference-text", "reference-questions", "decode-16x64"]']
    found = {"bf16": Variant("bf16", ())} | VARIANTS
    for name, variant in found.items():
        path = BASE if name == "bf16" else folder / name
        lines += ["", "[[family.checkpoint]]", f'name = "{name}"', f'precision = "{variant.precision}"', f"path = {json.dumps(str(path))}"]
        lines += [f"serve = {SERVE}"]
        lines += [f"skip.{json.dumps(device)} = {json.dumps(why)}" for device, why in variant.skip.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="the reference family by every recipe, in one table; further options go to pytest")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / ".quantgate" / "recipes", metavar="DIR", help="checkpoints and records")
    options, for_pytest = parser.parse_known_args()
    folder = options.output.resolve()
    for name, variant in VARIANTS.items():
        if not (folder / name).is_dir() and (code := cli.main(["quantize", str(BASE), *variant.options, "-o", str(folder / name)])) > 1:
            return code
    stated, records = folder / "models.toml", folder / "records"
    folder.mkdir(parents=True, exist_ok=True)
    stated.write_text(models(folder), encoding="utf-8")
    chosen = ["-m", "bf16 or fp8 or nvfp4", f"--models={stated}", f"--records={records}", f"--family={FAMILY}", *for_pytest]
    with contextlib.chdir(ROOT):
        code = int(pytest.main(chosen))
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return code
    return max(code, cli.main(["table", f"--models={stated}", f"--records={records}"]))


if __name__ == "__main__":
    sys.exit(main())
