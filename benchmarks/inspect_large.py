"""How fast is `quantgate inspect` on a large checkpoint? `python benchmarks/inspect_large.py --gb 10 [--against] [--engine]`.

Writes a sharded NVFP4 checkpoint of Qwen3-32B's layer shapes into a temporary folder (with --against its BF16 original beside
it, both together of that size), inspects it in a process of its own, and removes it. Prints seconds, MB/s beside `cat` of the
same files in the same run, with the files in the page cache and put out of it, and the largest resident memory. With --engine
the seconds of each step of vLLM's own loader besides, its imports apart, and the largest memory of its process.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from quantgate.checkpoint import Engine, Tensor, bf16, encode, nvfp4, tell

HIDDEN, INTERMEDIATE, QUERIES, KEYS, HEAD = 5120, 17408, 8192, 1024, 128
SHAPES = {
    "self_attn.q_proj": (QUERIES, HIDDEN), "self_attn.k_proj": (KEYS, HIDDEN), "self_attn.v_proj": (KEYS, HIDDEN),
    "self_attn.o_proj": (HIDDEN, QUERIES), "mlp.gate_proj": (INTERMEDIATE, HIDDEN), "mlp.up_proj": (INTERMEDIATE, HIDDEN),
    "mlp.down_proj": (HIDDEN, INTERMEDIATE),
}  # fmt: skip
TILE_ROWS = 256
"""Rows that are drawn and quantized once; every matrix repeats them."""
LAYERS_A_SHARD = 8
VOCABULARY = 4096
MB = 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, default=10.0, help="bytes to write, in 10^9")
    parser.add_argument("--against", action="store_true", help="write and compare with the BF16 original too")
    parser.add_argument("--engine", action="store_true", help="ask vLLM's own loader as well")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()))
    chosen = parser.parse_args()
    weights = sum(rows * width for rows, width in SHAPES.values())
    layers = max(1, round(chosen.gb * 1e9 / (weights * (0.5625 + (2 if chosen.against else 0)))))
    with tempfile.TemporaryDirectory(dir=chosen.dir, prefix="inspect-large-") as scratch:
        quantized, original = Path(scratch, "nvfp4"), Path(scratch, "bf16")
        _in_a_process_of_its_own(quantized, layers, is_quantized=True)
        folders = [quantized]
        if chosen.against:
            _in_a_process_of_its_own(original, layers, is_quantized=False)
            folders.append(original)
        files = [file for folder in folders for file in sorted(folder.glob("*.safetensors"))]
        size = sum(file.stat().st_size for file in files)
        print(f"{layers} layers, {len(files)} shards, {size / 1e9:.2f} GB")
        command = [sys.executable, "-m", "quantgate", "inspect", str(quantized)]
        command += ["--against", str(original)] if chosen.against else []
        for state, prepare in (("in the page cache", read), ("not in the page cache", evict)):
            for name, ran in (("cat", ["cat", *map(str, files)]), ("inspect", command)):
                prepare(files)
                seconds, peak, code = timed(ran)
                print(f"{name}, files {state}: {seconds:.1f} s, {size / MB / seconds:,.0f} MB/s, peak {peak / 2**20:,.0f} MiB, exit {code}")
            if chosen.engine:
                prepare(files)
                ask(quantized, state)
    return 0


def ask(folder: Path, state: str) -> None:
    """vLLM's own loader on the folder: seconds by step, and the memory of the largest of its processes."""
    started = time.monotonic()
    with Engine() as engine:
        answer = engine.ask(folder)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    seconds, steps = time.monotonic() - started, ", ".join(f"{name} {took:.1f} s" for name, took in answer.seconds.items())
    told = "; ".join(f"{one.severity}: {one.value}" for one in tell(answer))
    imports = seconds - sum(answer.seconds.values())
    print(f"engine, files {state}: {steps}, imports {imports:.1f} s, peak {peak / 2**10:,.0f} MiB: {told}")


def _in_a_process_of_its_own(folder: Path, layers: int, *, is_quantized: bool) -> None:
    """A child is charged with its parent's memory until it runs its own program, so the parent stays small."""
    writer = get_context("spawn").Process(target=write, args=(folder, layers), kwargs={"is_quantized": is_quantized})
    writer.start()
    writer.join()
    if writer.exitcode:
        raise SystemExit(f"{folder} could not be written: exit code {writer.exitcode}")


def write(folder: Path, layers: int, *, is_quantized: bool) -> None:
    """Shards, index and configuration."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    fixed = {
        "model.embed_tokens.weight": bf16(rng.standard_normal((VOCABULARY, HIDDEN), np.float32)),
        "model.norm.weight": bf16(np.ones(HIDDEN, np.float32)),
    }
    where: dict[str, str] = {}
    shards = [range(start, min(start + LAYERS_A_SHARD, layers)) for start in range(0, layers, LAYERS_A_SHARD)]
    tiles = {name: tile(name, width, is_quantized=is_quantized) for name, (_, width) in SHAPES.items()}
    for number, held in enumerate(shards):
        file = folder / f"model-{number + 1:05}-of-{len(shards):05}.safetensors"
        tensors = dict(fixed) if number == 0 else {}
        repeats = dict.fromkeys(tensors, 1)
        for layer in held:
            for norm in ("input_layernorm", "post_attention_layernorm"):
                tensors[f"model.layers.{layer}.{norm}.weight"] = bf16(np.ones(HIDDEN, np.float32))
                repeats[f"model.layers.{layer}.{norm}.weight"] = 1
            for norm in ("self_attn.q_norm", "self_attn.k_norm"):
                tensors[f"model.layers.{layer}.{norm}.weight"] = bf16(np.ones(HEAD, np.float32))
                repeats[f"model.layers.{layer}.{norm}.weight"] = 1
            for name, (rows, _) in SHAPES.items():
                for part, tensor in tiles[name].items():
                    full = f"model.layers.{layer}.{name}.{part}"
                    tensors[full] = tensor
                    repeats[full] = rows // TILE_ROWS if tensor[1].ndim == 2 else 1
        write_repeated(tensors, repeats, file)
        where.update(dict.fromkeys(tensors, file.name))
    total = sum(file.stat().st_size - 8 - int.from_bytes(file.open("rb").read(8), "little") for file in folder.glob("*.safetensors"))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": where}))
    config: dict[str, Any] = {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "num_hidden_layers": layers, "hidden_size": HIDDEN,
        "vocab_size": VOCABULARY, "tie_word_embeddings": True, "intermediate_size": INTERMEDIATE, "head_dim": HEAD,
        "num_attention_heads": QUERIES // HEAD, "num_key_value_heads": KEYS // HEAD, "max_position_embeddings": 40_960,
        "rms_norm_eps": 1e-6, "rope_theta": 1_000_000, "hidden_act": "silu", "dtype": "bfloat16",
    }  # fmt: skip
    if is_quantized:
        weights = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}
        groups = {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": weights | {"dynamic": "local"}}}
        config["quantization_config"] = {
            "quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized", "config_groups": groups, "ignore": ["lm_head"],
        }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))


def tile(name: str, width: int, *, is_quantized: bool) -> dict[str, Tensor]:
    """TILE_ROWS rows of a linear, as stored; fused parts share the largest weight, 0.1."""
    drawn = np.random.default_rng(len(name)).standard_normal((TILE_ROWS, width), np.float32) * np.float32(0.02)
    np.clip(drawn, -0.1, 0.1, out=drawn)
    raw = bf16(drawn)
    if not is_quantized:
        return {"weight": raw}
    exact = (raw[1].astype(np.uint32) << 16).view(np.float32)
    return encode(nvfp4(activations=True), exact, amax=0.1)


def write_repeated(tensors: dict[str, Tensor], repeats: dict[str, int], file: Path) -> None:
    header: dict[str, Any] = {}
    at = 0
    for name, (dtype, raw) in tensors.items():
        shape = [raw.shape[0] * repeats[name], *raw.shape[1:]]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + raw.nbytes * repeats[name]]}
        at += raw.nbytes * repeats[name]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as opened:
        opened.write(len(text).to_bytes(8, "little") + text)
        for name, (_, raw) in tensors.items():
            for _ in range(repeats[name]):
                opened.write(np.ascontiguousarray(raw).data)
        opened.flush()
        os.fsync(opened.fileno())  # pages that were not written yet cannot be put out of the cache


def evict(files: Sequence[Path]) -> None:
    """Out of the page cache."""
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def read(files: Sequence[Path]) -> None:
    """Into the page cache."""
    subprocess.run(["cat", *map(str, files)], stdout=subprocess.DEVNULL, check=True)  # noqa: S607 (whichever cat there is)


def timed(command: list[str]) -> tuple[float, int, int]:
    """Seconds, peak resident bytes, exit code."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - started, usage.ru_maxrss * 1024, process.returncode


if __name__ == "__main__":
    sys.exit(main())
