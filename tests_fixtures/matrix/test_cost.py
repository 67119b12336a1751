"""What a suite costs: by the history, else by what every host can read alike."""

from pathlib import Path

import pytest

from quantgate import registry
from quantgate.history import Line
from quantgate.matrix import costs, cut, units
from quantgate.matrix.weights import BYTES, parameters_named, weights_bytes
from quantgate.registry import Checkpoint, Family, Registry, Serve
from quantgate.suites import SUITES, catalogue, length_of
from tests_fixtures.doubles.nights import night

H200 = "NVIDIA H200"


def checkpoint(name: str, path: str, precision: str = "bf16", **changes: object) -> Checkpoint:
    fields = {"revision": "main", "written": path, "family": "f", **changes}
    return Checkpoint(name=name, precision=precision, path=path, **fields)  # type: ignore[arg-type]


def family(*checkpoints: Checkpoint, name: str = "f", suites: tuple[str, ...] = ("prose-48",)) -> Family:
    return Family(name=name, checkpoint=list(checkpoints), suites=list(suites))


def seconds(
    of: Family, *lines: Line, device_class: str | None = None, count: int | None = None
) -> dict[tuple[str, ...], tuple[float, str]]:
    found = costs(Registry(family=[of]), [of], SUITES, lines, count, device_class)
    return {key[1:]: (one.seconds or 0.0, one.source) for key, one in found.items()}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Qwen/Qwen3-32B", 32e9),
        ("org/model-0.6b-chat", 0.6e9),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 135e6),
        ("Qwen/Qwen3-30B-A3B", 30e9),
        ("mistralai/Mixtral-8x7B-v0.1", 56e9),
        ("shapes/qwen2.5-72b/bf16", 72e9),
        ("fixtures/reference/bf16", None),
        ("org/fp8block", None),
    ],
)
def test_a_name_says_how_large_it_is(name: str, parameters: float | None) -> None:
    assert parameters_named(name) == parameters


def test_a_checkpoint_without_a_size_has_its_family_s() -> None:
    base, other = checkpoint("bf16", "org/Base-8B"), checkpoint("nvfp4", "org/quantized", "nvfp4")
    assert weights_bytes(family(base, other), other) == round(8e9 * BYTES["nvfp4"])
    assert weights_bytes(family(other), other) is None


def test_files_beside_models_toml_count_and_what_one_host_alone_has_does_not(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x" * 1000)
    (tmp_path / "config.json").touch()
    beside = checkpoint("bf16", str(tmp_path), revision=None, written="weights/bf16")
    absolute = checkpoint("bf16", str(tmp_path), revision=None)
    made = checkpoint("bf16", str(tmp_path), revision=None, written="weights/bf16", quantize="x", command="quantgate quantize x")
    assert weights_bytes(family(beside), beside) == 1000
    for one in (absolute, made):
        assert weights_bytes(family(one), one) is None
        assert weights_bytes(family(one), one, here=True) == 1000


def test_a_checkpoint_in_the_cache_costs_what_one_that_is_not_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = family(checkpoint("bf16", "org/unsaid"))
    before = seconds(one)
    (tmp_path / "model.safetensors").write_bytes(b"x" * 1000)
    monkeypatch.setattr("quantgate.matrix.weights.in_cache", lambda _: tmp_path)
    assert seconds(one) == before


def test_the_history_is_asked_first() -> None:
    reference = family(checkpoint("nvfp4", "org/x-8b", "nvfp4", family="reference"), name="reference", suites=("decode-16x64", "prose-48"))
    found = seconds(
        reference, night(0, seconds=11.0), night(1, seconds=12.0), night(2, None, verdict="error", seconds=1.0), device_class=H200
    )
    assert found["nvfp4", "decode-16x64"] == (12.0, "history")
    assert found["nvfp4", "prose-48"][1] == "estimate"
    assert seconds(reference, night(0, seconds=11.0), device_class="cpu")["nvfp4", "decode-16x64"][1] == "estimate"


def test_of_several_classes_the_one_that_is_known_most_of_counts_for_the_cut() -> None:
    reference = family(checkpoint("nvfp4", "org/x-8b", "nvfp4"), name="reference", suites=("decode-16x64",))
    lines = [night(0, seconds=10.0), night(1, seconds=20.0), night(9, seconds=900.0, device_class="cpu")]
    assert seconds(reference, *lines)["nvfp4", "decode-16x64"] == (20.0, "history")
    assert seconds(reference, *reversed(lines)) == seconds(reference, *lines)


def test_devices_count_with_the_class() -> None:
    reference = family(checkpoint("nvfp4", "org/x-8b", "nvfp4", serve=Serve(tensor_parallel=2)), name="reference", suites=("decode-16x64",))
    two = night(0, seconds=7.0, device_class=f"{H200} tp2")
    assert seconds(reference, two, device_class=H200)["nvfp4", "decode-16x64"] == (7.0, "history")
    assert seconds(reference, two, device_class=H200, count=1)["nvfp4", "decode-16x64"][1] == "estimate"


def test_an_estimate_grows_with_the_weights_and_with_what_is_offloaded() -> None:
    one = family(checkpoint("small", "org/x-8b"), checkpoint("large", "org/x-72b"), suites=("decode-16x256",))
    offloaded = family(checkpoint("large", "org/x-72b", serve=Serve(cpu_offload_gb=60)), suites=("decode-16x256",))
    found = seconds(one)
    assert found["small", "decode-16x256"][0] < found["large", "decode-16x256"][0]
    assert found["large", "decode-16x256"][0] * 10 < seconds(offloaded)["large", "decode-16x256"][0]


def test_dummy_weights_are_asked_for_speed_alone() -> None:
    dummy = family(checkpoint("d", "org/x-8b", serve=Serve(load_format="dummy")), suites=("prose-48", "decode-16x64"))
    assert [one.suites for one in units(Registry(family=[dummy]), [dummy], SUITES, [])] == [("decode-16x64",)]


def test_every_suite_has_a_length_without_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(*_: object, **__: object) -> None:
        raise AssertionError("fetched")

    monkeypatch.setattr("quantgate.suites.public.fetch", fetched)
    for name, (kind, _) in SUITES.items():
        assert length_of(name, kind).items > 0


def test_the_project_s_own_matrix_is_cut_alike_whatever_the_order_of_its_families() -> None:
    models = Path(__file__).parents[2] / "models.toml"
    loaded = registry.load(models)
    known = catalogue(loaded.suite, models)
    found = cut(units(loaded, loaded.family, known, []), 3)
    assert cut(units(loaded, loaded.family[::-1], known, []), 3) == found
    assert all(found)
