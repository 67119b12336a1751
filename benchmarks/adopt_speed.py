"""How long `quantgate compare` takes over other harnesses' files, and how much memory: 100,000 items a side, as lm-eval writes them.

    python -m benchmarks.adopt_speed [--items 100000] [--characters 1500]

Two files of samples are written into a temporary folder, and compared in a process of its own, whose CPU seconds, wall seconds and largest
resident memory (getrusage) are printed. On a busy machine the CPU seconds are the ones to look at.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEXT = "so we add the two numbers and find that the sum of them is what was asked for, "


def write_samples(path: Path, items: int, characters: int, every: int) -> int:
    """One of five is wrong, and one of `every` besides; returns the bytes."""
    said = (TEXT * (characters // len(TEXT) + 1))[:characters]
    sent = {"until": ["Q:"], "temperature": 0.0, "max_gen_toks": 512}
    path.parent.mkdir()
    with path.open("w", encoding="utf-8") as file:
        for number in range(items):
            question = f"Question {number}: {TEXT}?"
            row = {
                "doc_id": number,
                "doc": {"question": question, "answer": f"#### {number}"},
                "target": str(number),
                "arguments": {"gen_args_0": {"arg_0": question, "arg_1": sent}},
                "resps": [[f"{said}{number}"]],
                "filtered_resps": [str(number)],
                "filter": "flexible-extract",
                "metrics": ["exact_match"],
                "doc_hash": f"{number:064x}",
                "prompt_hash": f"{number:064x}",
                "target_hash": f"{number:064x}",
                "exact_match": float(number % 5 > 0 and number % every > 0),
            }
            file.write(json.dumps(row) + "\n")
    return path.stat().st_size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--characters", type=int, default=1500, help="of each answer")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name / "samples_t.jsonl" for name in ("bf16", "fp8")]
        size = sum(write_samples(file, options.items, options.characters, every) for file, every in zip(files, (97, 89), strict=True))
        begun = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "quantgate", "compare", *map(str, files)], check=False, capture_output=True, text=True)
        seconds = time.monotonic() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(done.stdout + done.stderr)
    print(f"{options.items:,} items a side, {size / 2**20:.0f} MiB in two files")
    print(f"{used.ru_utime + used.ru_stime:.1f} s of CPU, {seconds:.1f} s, {used.ru_maxrss / 1024:.0f} MiB")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
