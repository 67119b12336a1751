"""A copy and a matrix product on one device, timed: `python -m quantgate.devices.health_work cuda|cpu`, in a process of its own.

Prints one line of JSON: {"copy_gb_s", "matmul_tflops"}, the best of several. On a CPU numpy does it, which is there in a
tenth of a second; on a GPU torch, in 512 MiB beside whatever serves.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

COPY_BYTES = {"cuda": 256 << 20, "cpu": 64 << 20}
SIDE = {"cuda": 4096, "cpu": 512}
TIMES = 8


def best_seconds(work: Callable[[], Any], wait: Callable[[], Any] = lambda: None) -> float:
    """The shortest of TIMES, after one that does not count."""
    taken = []
    for _ in range(TIMES + 1):
        wait()
        started = time.perf_counter()
        work()
        wait()
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


def on_cuda() -> tuple[float, float]:
    """Seconds of the copy, and of the product of BF16 matrices."""
    import torch

    source = torch.ones(COPY_BYTES["cuda"] // 4, device="cuda")
    target = torch.empty_like(source)
    left = torch.ones(SIDE["cuda"], SIDE["cuda"], device="cuda", dtype=torch.bfloat16)
    copy = best_seconds(lambda: target.copy_(source), torch.cuda.synchronize)
    return copy, best_seconds(lambda: left @ left, torch.cuda.synchronize)


def on_cpu() -> tuple[float, float]:
    """Seconds of the copy, and of the product of FP32 matrices."""
    import numpy as np

    source = np.ones(COPY_BYTES["cpu"] // 4, dtype=np.float32)
    target = np.empty_like(source)
    left = np.ones((SIDE["cpu"], SIDE["cpu"]), dtype=np.float32)
    copy = best_seconds(lambda: np.copyto(target, source))
    return copy, best_seconds(lambda: left @ left)


def main(kind: str) -> None:
    copy, product = on_cuda() if kind == "cuda" else on_cpu()
    # A copy reads and writes; a product of n x n matrices is n³ multiplications and as many additions.
    print(json.dumps({"copy_gb_s": 2 * COPY_BYTES[kind] / copy / 1e9, "matmul_tflops": 2 * SIDE[kind] ** 3 / product / 1e12}))


if __name__ == "__main__":
    main(sys.argv[1])
