"""In how many bits a checkpoint was computed: hand-made cases, and the tables against the names that the installed vLLM has."""

import importlib.util
import re
from pathlib import Path

import pytest

from quantgate.measure.numerics import DECIDE, EXPERTS, LEFT_OPEN, LINEAR, numerics_of
from quantgate.server import Chosen

W4A4 = ["W4A4"]


def chosen(*names: str) -> list[Chosen]:
    """`NAME`, or `NAME of FORMAT` for a backend of experts."""
    return [Chosen(*name.split(" of ")) for name in names]


@pytest.mark.parametrize(
    ("declared", "kernels", "found"),
    [
        # One NVFP4 file: on a CPU, on Hopper, on Blackwell, under an endpoint.
        (W4A4, ["DecodedNvFp4LinearKernel"], "W4A4"),
        (W4A4, ["MarlinNvFp4LinearKernel"], "W4A16"),
        (W4A4, ["FlashInferCutlassNvFp4LinearKernel"], "W4A4"),
        (W4A4, [], "W4A4 as declared"),
        # FP8: what has units for it, what has none, weights in blocks on a CPU with AMX.
        (["W8A8"], ["CutlassFP8ScaledMMLinearKernel"], "W8A8"),
        (["W8A8"], ["DecodedFp8LinearKernel"], "W8A8"),
        (["W8A8"], ["MarlinFP8ScaledMMLinearKernel"], "W8A16"),
        (["W8A8"], ["CPUFp8BlockScaledMMKernel"], "W8A16"),
        # Integers: the weights' bits are the checkpoint's, of 4 as of 8.
        (["W4A16"], ["MacheteLinearKernel"], "W4A16"),
        (["W8A16"], ["MacheteLinearKernel"], "W8A16"),
        (["W4A8"], ["MarlinLinearKernel"], "W4A8"),
        (["W4A16"], ["CPUWNA16LinearKernel"], "W4A16 as declared"),
        # Experts: the backend's name means something in its format alone.
        (W4A4, ["MARLIN of NVFP4"], "W4A16"),
        (W4A4, ["VLLM_CUTLASS of NVFP4"], "W4A4"),
        (["W4A16"], ["B12X of NVFP4"], "W4A16"),
        (["W8A8"], ["CPU of FP8"], "W8A16"),
        (["W4A16"], ["CPU of MXFP4"], "W4A16"),
        (["W4A16"], ["CPU of WNA16"], "W4A16 as declared"),
        (["W4A16"], ["DEEPGEMM_MXFP4 of MXFP4", "DeepGemmFP4Experts of other"], "W4A8"),
        (["W4A16"], ["MarlinExperts of other"], "W4A16"),
        # More than one kind of layer, in the order of the log.
        (["W8A8", "W4A4"], ["CutlassFP8ScaledMMLinearKernel", "MARLIN of NVFP4"], "W8A8 and W4A16"),
        (["W8A8", "W4A4"], ["CutlassFP8ScaledMMLinearKernel", "FLASHINFER_TRTLLM of NVFP4"], "W8A8 and W4A4"),
        (["W8A8", "W4A4"], ["CutlassFP8ScaledMMLinearKernel", "NewKernel"], "W8A8 and W4A4 as declared"),
        (["W8A16", "W4A16"], ["MacheteLinearKernel"], "W8A16 and W4A16 as declared"),
        # What nobody knows.
        (W4A4, ["NewNvFp4LinearKernel"], "W4A4 as declared"),
        (W4A4, ["HummingNvFp4LinearKernel"], "W4A4 as declared"),
        ([], ["NewKernel"], "not known"),
        ([], [], "not known"),
        ([], ["MarlinNvFp4LinearKernel"], "W4A16"),
        ([], ["MacheteLinearKernel"], "not known"),
        # BF16 has no kernel that matters; of quantized layers it has none.
        (["W16A16"], [], "W16A16"),
    ],
)
def test_numerics_are_the_kernel_s_and_else_what_is_declared(declared: list[str], kernels: list[str], found: str) -> None:
    assert numerics_of(declared, chosen(*kernels), {}) == found


@pytest.mark.parametrize(
    ("variable", "kernel"),
    [("VLLM_MARLIN_INPUT_DTYPE", "MarlinNvFp4LinearKernel"), ("VLLM_B12X_MOE_FP4_FORCE_A16", "B12X of NVFP4")],
)
def test_a_setting_that_decides_leaves_the_table_no_word(variable: str, kernel: str) -> None:
    assert variable in DECIDE
    assert not numerics_of(W4A4, chosen(kernel), {}).endswith("declared")
    assert numerics_of(W4A4, chosen(kernel), {variable: "1"}) == "W4A4 as declared"
    # Another kernel is none of its business.
    assert numerics_of(W4A4, chosen("CutlassNvFp4LinearKernel"), {variable: "1"}) == "W4A4"


@pytest.fixture(scope="module")
def vllm() -> Path:
    """The installed vLLM's source; it is read, not imported."""
    found = importlib.util.find_spec("vllm")
    if found is None or found.origin is None:
        pytest.skip("vLLM is not installed")
    return Path(found.origin).parent / "model_executor"


UNLISTED = {
    "DecodedNvFp4LinearKernel", "DecodedFp8LinearKernel", "flashinfer-cutlass", "Marlin", "TritonFP8ScaledMMLinearKernel",
    "DeepGemmMxfp8BmmLinearKernel",
}  # fmt: skip
"""Names in the table that are in none of vLLM's lists: our own, those of older logs, and what is chosen without a list."""


def test_every_linear_kernel_that_this_vllm_may_choose_is_in_the_table_or_left_open(vllm: Path) -> None:
    listed = re.findall(r"(?ms)^_POSSIBLE_\w+: .*?^}", (vllm / "kernels/linear/__init__.py").read_text(encoding="utf-8"))
    names = {name for one in listed for name in re.findall(r"\b(\w+Kernel)\b,?(?=[\s,\]])", re.sub(r"#.*|type\[.*?\]\]", "", one))}
    assert len(names) > 60
    assert names == (LINEAR.keys() | LEFT_OPEN) - UNLISTED
    assert not LINEAR.keys() & LEFT_OPEN


@pytest.mark.parametrize(
    ("file", "enum", "formats"),
    [
        ("nvfp4", "NvFp4MoeBackend", ["NVFP4"]),
        ("fp8", "Fp8MoeBackend", ["FP8", "MXFP8"]),
        ("mxfp4", "Mxfp4MoeBackend", ["MXFP4"]),
        ("int8", "Int8MoeBackend", ["INT8"]),
        ("int_wna16", "WNA16MoEBackend", ["WNA16"]),
        ("w4a8", "W4A8MoeBackend", ["W4A8"]),
        ("w4a8_int8", "W4A8Int8MoeBackend", ["W4A8 INT8"]),
    ],
)
def test_every_backend_in_the_tables_is_one_of_this_vllm_s(vllm: Path, file: str, enum: str, formats: list[str]) -> None:
    source = (vllm / f"layers/fused_moe/oracle/{file}.py").read_text(encoding="utf-8")
    said = re.search(rf"(?ms)^class {enum}\(Enum\):\n(.*?)^\S", source)
    assert said is not None
    backends = set(re.findall(r'= "([\w]+)"', said[1]))
    assert len(backends) >= 1
    assert {name for one in formats for name in EXPERTS[one]} - backends <= {"Marlin"}
