"""models.toml: what a server may be told, and what it must not be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.registry import limits, reading
from quantgate.registry.models import Checkpoint

MODELS = """
[[family]]
name = "small"
suites = ["reference-text"]
checkpoint = [{{ name = "nvfp4", precision = "nvfp4", path = "weights", serve = {{ {serve} }} }}]
"""

Load = Callable[[str], Checkpoint]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """The checkpoint whose `serve` says this; its folder, `weights`, holds a config.json."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "config.json").write_text("{}", encoding="utf-8")

    def load(serve: str) -> Checkpoint:
        (tmp_path / "models.toml").write_text(MODELS.format(serve=serve), encoding="utf-8")
        return reading.load(tmp_path / "models.toml").family[0].checkpoint[0]

    return load


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('load_format = "auto"', "load_format is auto, which may read pickles, and they run code; use safetensors"),
        ('load_format = "pt"', "load_format is pt, which may read pickles, and they run code; use safetensors"),
        ("hang_seconds = 0", "hang_seconds is 0.0; it must be above 0"),
        ("hang_seconds = nan", "hang_seconds is nan; it must be above 0"),
        ("cpu_offload_gb = -1", "cpu_offload_gb is -1.0; it must not be negative"),
        ("gpu_memory_utilization = 1.1", "gpu_memory_utilization is 1.1; it is a share, above 0 and up to 1"),
        ("tensor_parallel = 0", "tensor_parallel is 0; it must be at least 1"),
    ],
)
def test_a_setting_that_no_server_should_have_is_one_sentence(written: str, said: str, load: Load) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(written)
    assert str(error.value).endswith(f"/models.toml: checkpoint small/nvfp4: serve.{said}")


@pytest.mark.parametrize("flag", limits.OURS)
def test_a_flag_that_is_not_for_the_file_to_give_is_refused_with_the_way_to_say_it(flag: str, load: Load) -> None:
    for written in (flag, f"{flag}=x", flag[:2] + flag[2:].replace("-", "_")):
        with pytest.raises(ConfigurationError) as error:
            load(f'args = ["--seed", "1", "{written}"]')
        assert str(error.value).endswith(f"models.toml: checkpoint small/nvfp4: serve.args has {flag}: {limits.OURS[flag]}")


@pytest.mark.parametrize(("written", "flag"), [("--hos", "--host"), ("--trust-remote", "--trust-remote-code"), ("--api=x", "--api-key")])
def test_the_beginning_of_such_a_flag_is_refused_as_vllm_would_take_it(written: str, flag: str, load: Load) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(f'args = ["{written}"]')
    assert str(error.value).endswith(f"serve.args has {written.partition('=')[0]}: {limits.OURS[flag]}")


def test_flags_that_are_nobody_s_business_are_handed_on(load: Load) -> None:
    written = ["--kv-cache-dtype", "fp8", "--port-range", "--hostile=--host"]
    assert load(f"args = {written}").serve.args == written


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"])
def test_weights_that_are_pickles_are_refused_before_a_server_is(name: str, load: Load, tmp_path: Path) -> None:
    (tmp_path / "weights" / name).touch()
    with pytest.raises(ConfigurationError) as error:
        load("")
    why = f"its weights ({name}) are pickles, which run code when they are loaded; convert them to safetensors"
    assert str(error.value) == f"{tmp_path}/models.toml: checkpoint small/nvfp4: path weights: {why}"


def test_pickles_beside_safetensors_are_let_lie(load: Load, tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "model.safetensors"):
        (tmp_path / "weights" / name).touch()
    assert load("").serve.load_format == "safetensors"
