"""How long the page takes: ``python -m benchmarks.page_speed [--nights 300] [--suites 40]``. Makes up a history and a night's records.

Prints the seconds from records to files, and the page's size. A browser's part of it is `tests_fixtures/report/test_browser.py`'s.
"""

import argparse
import datetime
import json
import math
import random
import tempfile
import time
from pathlib import Path

from quantgate.records import DocumentLoss, Provenance, TextLoss, Verdict, write_record
from quantgate.report import write_report

CLASS, FAMILY = "NVIDIA H100", "made-up"
BEGAN = datetime.datetime(2026, 1, 1, 2, 0, tzinfo=datetime.UTC)
TOLERANCE = math.log(1.05)
VERSIONS = {"vllm": "0.32.0", "torch": "2.13.0", "transformers": "5.17.0", "driver": "580.159.04"}


def write_history(baselines: Path, nights: int, suites: int, seed: int = 0) -> None:
    """A line a suite and night, as a nightly run appends them."""
    draw = random.Random(seed)
    file = baselines / CLASS / FAMILY / "history.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as opened:
        for night in range(nights):
            at = (BEGAN + datetime.timedelta(days=night)).isoformat()
            for suite in range(suites):
                drop = draw.gauss(0.02, 0.004)
                entry = {"at": at, "family": FAMILY, "checkpoint": "nvfp4", "suite": f"suite-{suite:02}", "kind": "text_loss",
                         "estimate": drop, "unit": "ln(PPL ratio)", "interval": [drop - 0.008, drop + 0.008], "value": 12.5, "n": 100,
                         "verdict": "fail" if drop > 0.032 else "pass", "tolerance": TOLERANCE,
                         "versions": VERSIONS, "host": "made-up", "run": at}  # fmt: skip
                opened.write(json.dumps(entry) + "\n")


def write_night(records: Path, baselines: Path, suites: int) -> None:
    """A record of BF16's and of NVFP4's for each suite, with its verdict."""
    for number in range(suites):
        for checkpoint, more in (("bf16", 0.0), ("nvfp4", 0.02)):
            record = _record(checkpoint, f"suite-{number:02}", more)
            write_record(records, record)
            if checkpoint == "bf16":
                write_record(baselines / CLASS, record)
            else:
                write_record(records, _verdict(record))


def _record(checkpoint: str, suite: str, more: float) -> TextLoss:
    documents = [DocumentLoss(id=f"d{place}", tokens=100, nll_sum=250.0 + place + 100 * more, top1_nll_sum=90.0) for place in range(50)]
    nll = sum(one.nll_sum for one in documents) / 5000
    under = Provenance(
        vllm="vllm 0.32.0", torch="torch 2.13.0", transformers="transformers 5.17.0", driver="580.159.04", device_name=CLASS,
        device_class=CLASS, mig_profile=None, gpu_uuid=[], tensor_parallel=1, kernels=[], checkpoint_fingerprint=checkpoint,
        suite_fingerprint=suite, tokenizer_fingerprint="t", chat_template_fingerprint="c", sampling={}, seed=0,
        started=BEGAN.isoformat(), seconds=1.0,
    )  # fmt: skip
    return TextLoss(
        family=FAMILY, checkpoint=checkpoint, precision=checkpoint, suite=suite, provenance=under, documents=documents,
        nll_per_token=nll, perplexity=math.exp(nll), top1_perplexity=math.exp(0.9),
    )  # fmt: skip


def _verdict(record: TextLoss) -> Verdict:
    return Verdict(
        verdict="pass", family=FAMILY, checkpoint=record.checkpoint, suite=record.suite, unit="ln(PPL ratio)", n=50, drop=0.02,
        interval=(0.012, 0.028), tolerance=TOLERANCE, reason="a real loss, within tolerance",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=300)
    parser.add_argument("--suites", type=int, default=40)
    parser.add_argument("-o", "--output", type=Path, help="keep the page there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        write_history(root / "baselines", options.nights, options.suites)
        write_night(root / "records", root / "baselines", options.suites)
        began, cpu = time.perf_counter(), time.process_time()
        page, written = write_report(root / "records", options.output or root / "report", baselines=root / "baselines")
        took, used = time.perf_counter() - began, time.process_time() - cpu
        points = sum(len(one.nights) for one in page.trends)
        size = written[0].stat().st_size
        print(
            f"{points:,} points in {len(page.trends)} trends, {len(page.rows)} verdicts: {took:.1f} s ({used:.1f} s of CPU), {size:,} bytes"
        )


if __name__ == "__main__":
    main()
