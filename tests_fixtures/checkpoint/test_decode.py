"""Decoding: values worked out by hand, and equal to compressed-tensors' own decompression, bit for bit.

What is compared with compressed-tensors is its decompression's result in BF16, which is what engines compute with. It divides
group scales by the global divisor and keeps BF16 on the way out; ours is FP32, rounded to BF16 once.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from quantgate.checkpoint import numerics, schemes
from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.encoding import Tensor, encode, write_shard
from quantgate.checkpoint.numerics import Floats, fp32_to_bf16
from quantgate.checkpoint.schemes import Scheme
from quantgate.checkpoint.source import open_source
from quantgate.checkpoint.storage import Weights, read_header
from quantgate.checkpoint.structure import check_linears
from quantgate.checkpoint.yardstick import decibels, gaussian_sqnr_db, through
from tests_fixtures.doubles.made_checkpoints import REFERENCE

if TYPE_CHECKING:
    import torch

# transformers and torch deprecate parts of themselves while compressed-tensors imports them
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FP8_CHANNEL = Scheme(label="FP8", codes="fp8", bits=8, strategy="channel")
FP8_BLOCK = Scheme(label="FP8", codes="fp8", bits=8, strategy="block", block=(128, 128))
INT8 = Scheme(label="INT8", codes="int", bits=8, strategy="channel")
INT4 = Scheme(label="INT4", codes="packed", bits=4, strategy="group", group=32, weight="weight_packed")
INT4_ASYMMETRIC = Scheme(label="INT4", codes="packed", bits=4, strategy="group", group=32, weight="weight_packed", is_symmetric=False)


def decoded(folder: Path, scheme: Scheme, parts: dict[str, Tensor], rows: int, width: int) -> Floats:
    file = folder / "model.safetensors"
    write_shard({f"m.{part}": tensor for part, tensor in parts.items()}, file)
    with Weights(read_header(file)) as weights:
        return Linear("m", scheme, weights, rows, width).decode()


def test_two_groups_of_nvfp4_are_worked_out_by_hand(tmp_path: Path) -> None:
    # Byte 0xD2: codes 2 and 13, low four bits first: 1 and -3. Scales 2 (0x40) and 0.5 (0x30) over a divisor of 4.
    parts: dict[str, Tensor] = {
        "weight_packed": ("U8", np.full((1, 16), 0xD2, np.uint8)),
        "weight_scale": ("F8_E4M3", np.array([[0x40, 0x30]], np.uint8)),
        "weight_global_scale": ("F32", np.array([4.0], np.float32)),
    }
    assert decoded(tmp_path, schemes.nvfp4(activations=False), parts, 1, 32).tolist() == [[0.5, -1.5] * 8 + [0.125, -0.375] * 8]
    factor: dict[str, Tensor] = {
        "weight": parts["weight_packed"],
        "weight_scale": parts["weight_scale"],
        "weight_scale_2": ("F32", np.array(0.25, np.float32)),
    }
    assert decoded(tmp_path, schemes.modelopt_nvfp4(), factor, 1, 32).tolist() == [[0.5, -1.5] * 8 + [0.125, -0.375] * 8]


def test_a_block_of_fp8_ends_where_its_rows_and_columns_end(tmp_path: Path) -> None:
    # 0x38 is 1. Blocks of 2x2 over 3x3: the last row and column have blocks of their own.
    scheme = schemes.block_fp8((2, 2))
    parts: dict[str, Tensor] = {
        "weight": ("F8_E4M3", np.full((3, 3), 0x38, np.uint8)),
        "weight_scale_inv": ("F32", np.array([[1, 2], [3, 4]], np.float32)),
    }
    assert decoded(tmp_path, scheme, parts, 3, 3).tolist() == [[1, 1, 2], [1, 1, 2], [3, 3, 4]]


def test_four_bit_numbers_stand_low_first_with_eight_added(tmp_path: Path) -> None:
    # 0x10 + 8: the words hold -8 … 7 as 0 … 15.
    scheme = Scheme(label="INT4", codes="packed", bits=4, strategy="channel", weight="weight_packed")
    parts: dict[str, Tensor] = {
        "weight_packed": ("I32", np.array([[0x76543210, -0x01234568]], np.int32)),
        "weight_scale": ("F32", np.array([[0.5]], np.float32)),
    }
    assert decoded(tmp_path, scheme, parts, 1, 16).tolist() == [[number / 2 for number in range(-8, 8)]]


@pytest.mark.thorough
def test_every_fp8_byte_is_what_torch_makes_of_it() -> None:
    import torch

    every = torch.arange(256, dtype=torch.uint8)
    for dtype, table in ((torch.float8_e4m3fn, numerics.e4m3_table()), (torch.float8_e5m2, numerics.e5m2_table())):
        assert np.array_equal(every.view(dtype).float().numpy(), table, equal_nan=True)


@pytest.mark.thorough
def test_rounding_to_fp8_and_fp4_is_nearest_with_ties_to_even() -> None:
    import torch

    drawn = np.random.default_rng(4).standard_normal(50_000).astype(np.float32) * 60
    halves = np.asarray((numerics.e4m3_table()[:126] + numerics.e4m3_table()[1:127]) / 2, np.float32)
    for values in (drawn, halves, np.asarray(drawn * 1e-4, np.float32)):
        wanted = torch.from_numpy(values).clamp(-448, 448).to(torch.float8_e4m3fn).float().numpy()
        assert np.array_equal(numerics.round_to_e4m3(values), wanted)
    assert numerics.round_to_fp4(np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, -5.1, 9.0], np.float32)).tolist() == [
        0,
        1,
        1,
        2,
        2,
        4,
        4,
        -6,
        6,
    ]


def tensors(folder: Path, prefix: str) -> "dict[str, torch.Tensor]":
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        return {name.removeprefix(f"{prefix}."): file.get_tensor(name) for name in file.keys() if name.startswith(f"{prefix}.")}  # noqa: SIM118 (no mapping)


def theirs(module: str, name: str) -> Any:
    """A class of compressed-tensors, which ships no types."""
    return getattr(import_module(f"compressed_tensors.{module}"), name)


def arguments(**given: Any) -> Any:
    weights = theirs("quantization", "QuantizationArgs")(**given)
    return theirs("quantization", "QuantizationScheme")(targets=["Linear"], weights=weights)


def bits_in_bf16(values: "torch.Tensor") -> Any:
    import torch

    return values.to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)


@pytest.mark.parametrize("name", ["fp8", "nvfp4"])
@pytest.mark.thorough
def test_the_shipped_checkpoints_decode_as_compressed_tensors_does(name: str) -> None:

    compressor: Any = (
        theirs("compressors.naive_quantized", "NaiveQuantizationCompressor")
        if name == "fp8"
        else theirs("compressors.nvfp4", "NVFP4PackedCompressor")
    )
    given = {"num_bits": 8, "type": "float", "strategy": "channel"}
    scheme = arguments(**(given if name == "fp8" else {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}))
    source = open_source(REFERENCE / name)
    with source.weights:
        linears, findings = check_linears(source, None)
        assert (len(linears), findings) == (42, [])
        for linear in linears[::4]:  # seven a layer, so that every projection has its turn
            wanted = compressor.decompress(tensors(REFERENCE / name, linear.name), scheme)["weight"]
            assert np.array_equal(fp32_to_bf16(linear.decode()), bits_in_bf16(wanted)), linear.name


@pytest.mark.thorough
def test_random_nvfp4_decodes_as_compressed_tensors_does(tmp_path: Path) -> None:
    import torch

    rng = np.random.default_rng(5)
    for number, (rows, width) in enumerate(((7, 16), (33, 80), (64, 512))):
        scale = rng.integers(0, 0x7F, (rows, width // 16), dtype=np.uint8)
        parts: dict[str, Tensor] = {
            "weight_packed": ("U8", rng.integers(0, 256, (rows, width // 2), dtype=np.uint8)),
            "weight_scale": ("F8_E4M3", scale),
            "weight_global_scale": ("F32", np.array([10.0 ** rng.uniform(-1, 5)], np.float32)),
        }
        state = {part: torch.from_numpy(raw) for part, (_, raw) in parts.items()}
        state["weight_scale"] = state["weight_scale"].view(torch.float8_e4m3fn)
        scheme = arguments(num_bits=4, type="float", strategy="tensor_group", group_size=16)
        wanted = theirs("compressors.nvfp4", "NVFP4PackedCompressor").decompress(state, scheme)["weight"]
        ours = decoded(tmp_path, schemes.nvfp4(activations=False), parts, rows, width)
        assert np.array_equal(fp32_to_bf16(ours), bits_in_bf16(wanted)), number


@pytest.mark.thorough
@pytest.mark.parametrize(
    "scheme", [FP8_CHANNEL, FP8_BLOCK, INT8, INT4, INT4_ASYMMETRIC], ids=["fp8", "fp8-block", "int8", "int4", "int4-zero-points"]
)
def test_random_weights_decode_as_compressed_tensors_does(scheme: Scheme, tmp_path: Path) -> None:
    import torch

    rng = np.random.default_rng(6)
    weights = rng.standard_normal((256, 384)).astype(np.float32)
    parts = encode(INT4 if scheme is INT4_ASYMMETRIC else scheme, weights)
    if scheme is INT4_ASYMMETRIC:
        parts["weight_zero_point"] = ("I32", rng.integers(-(2**31), 2**31, (32, 12)).astype(np.int32))
    state: dict[str, Any] = {part: torch.from_numpy(raw) for part, (_, raw) in parts.items()}
    if scheme.codes == "fp8":
        state["weight"] = state["weight"].view(torch.float8_e4m3fn)
    compressor: Any = (
        theirs("compressors.pack_quantized", "PackedQuantizationCompressor")
        if scheme.codes == "packed"
        else theirs("compressors.naive_quantized", "NaiveQuantizationCompressor")
    )
    given: dict[str, Any] = {"num_bits": scheme.bits, "type": "float" if scheme.codes == "fp8" else "int", "strategy": scheme.strategy}
    given |= {"group_size": scheme.group} if scheme.group else {}
    given |= {"block_structure": list(scheme.block)} if scheme.block else {}
    wanted = compressor.decompress(state, arguments(**given, symmetric=scheme.is_symmetric))["weight"]
    assert np.array_equal(decoded(tmp_path, scheme, parts, 256, 384), wanted.float().numpy())


@pytest.mark.parametrize(
    "scheme", [schemes.nvfp4(activations=True), FP8_CHANNEL, FP8_BLOCK, INT8, INT4], ids=["nvfp4", "fp8", "fp8-block", "int8", "int4"]
)
def test_a_part_of_the_rows_decodes_as_it_does_in_the_whole(scheme: Scheme, tmp_path: Path) -> None:
    weights = np.random.default_rng(7).standard_normal((300, 160)).astype(np.float32)
    file = tmp_path / "model.safetensors"
    write_shard({f"m.{part}": tensor for part, tensor in encode(scheme, weights).items()}, file)
    with Weights(read_header(file)) as opened:
        linear = Linear("m", scheme, opened, 300, 160)
        whole = linear.decode()
        assert np.array_equal(np.concatenate([linear.decode(0, 131), linear.decode(131, 300)]), whole)
        best = through(scheme, weights)
        assert np.allclose(whole, best, rtol=1e-6, atol=1e-7)


def test_the_yardstick_of_fp4_without_any_structure_is_worked_out_by_hand() -> None:
    # One group: 6 is kept, 5 becomes 4 (a tie, to the even code), 2.4 becomes 2: noise 1 + 0.16, signal 36 + 25 + 5.76.
    weights = np.zeros((1, 16), np.float32)
    weights[0, :3] = 6, 5, 2.4
    kept = through(schemes.nvfp4(activations=True), weights)
    assert kept[0, :3].tolist() == [6, 4, 2]
    assert decibels(36 + 25 + 5.76, float(np.square(weights - kept).sum())) == pytest.approx(17.60, abs=0.01)


def test_formats_keep_of_a_gaussian_what_their_steps_let_expect() -> None:
    # FP8 has three bits of mantissa: noise x² · 2^-6 / 12 · (mean of 1/m² over [1, 2)) ≈ 31.6 dB; two bits fewer cost 12 dB.
    assert gaussian_sqnr_db(FP8_CHANNEL) == pytest.approx(31.5, abs=0.3)
    # INT8, channel: largest of 2,048 is 3.5 sigma: step 3.5/127.5, noise step²/12: 42.0 dB.
    assert gaussian_sqnr_db(INT8) == pytest.approx(42.0, abs=0.7)
    assert gaussian_sqnr_db(schemes.nvfp4(activations=True)) == pytest.approx(20.5, abs=0.3)
