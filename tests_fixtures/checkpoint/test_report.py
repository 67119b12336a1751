"""Sizes."""

from pathlib import Path

from quantgate.checkpoint.inspection import inspect_checkpoint
from tests_fixtures.doubles.made_checkpoints import make_pair


def test_sizes_are_worked_out_by_hand(tmp_path: Path) -> None:
    # 6 matrices of 128x128 and one of each 256x128, counted: q, k, v, o (4 · 16,384) and gate, up, down (3 · 32,768) weights a layer.
    folder, _ = make_pair(tmp_path, "nvfp4", layers=1)
    size = inspect_checkpoint(folder).size
    weights = 4 * 128 * 128 + 3 * 256 * 128
    assert size.bytes_by_dtype == {"U8": weights // 2, "F8_E4M3": weights // 16, "BF16": 2 * (64 * 128 + 2 * 128), "F32": 7 * 2 * 4}
    assert size.bf16_bytes == 2 * (weights + 64 * 128 + 2 * 128)
    assert size.compression_ratio == size.bf16_bytes / size.total_bytes
    assert size.smallest_device == "8 GiB"
