"""Recipes: one for every scheme, rotations before them, and those that are refused."""

import re
from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.quantize import recipes
from tests_fixtures.doubles.fake_llmcompressor import Bench

CONFIG = {"model_type": "qwen3", "num_attention_heads": 4, "hidden_size": 256, "head_dim": 64}


@pytest.mark.parametrize("scheme", recipes.SCHEMES)
def test_every_scheme_has_its_recipe(scheme: str) -> None:
    text = recipes.choose(scheme.lower().replace("_", "-"), None).text
    assert re.search(rf"^      scheme: {scheme}$", text, re.MULTILINE)
    assert text.startswith("# ")


def test_a_rotation_stands_before_the_recipe() -> None:
    plain = recipes.choose("NVFP4", None)
    rotated = recipes.rotated(plain, "m", CONFIG).text
    assert rotated.endswith(plain.text)
    assert rotated.index("rotations: [R1, R2]") < rotated.index("scheme: NVFP4")
    assert "transform_type: hadamard" in rotated


@pytest.mark.parametrize(("hidden", "head"), [(5120, 128), (4096, 80)])
def test_a_width_that_is_no_power_of_two_takes_another_transform(hidden: int, head: int) -> None:
    config = {**CONFIG, "hidden_size": hidden, "head_dim": head}
    assert "transform_type: random-hadamard" in recipes.rotated(recipes.choose("NVFP4", None), "m", config).text


def test_a_rotation_belongs_to_a_scheme(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("quant_stage:\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"--rotate belongs to --scheme; write SpinQuantModifier into own\.yaml"):
        recipes.rotated(recipes.choose(None, tmp_path / "own.yaml"), "m", CONFIG)


def test_a_recipe_may_speak_of_online_rotations_in_a_comment(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("q_stage:  # SpinQuantModifier\n  # not R4\n", encoding="utf-8")
    assert recipes.choose(None, tmp_path / "own.yaml").name == "own.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s_stage:\n  m_modifiers:\n    SpinQuantModifier:\n      rotations: [R1, R4]\n", "SpinQuant's R4 is applied while the model runs"),
        ("modifiers: []\n", "is no recipe: it has no stage"),
    ],
)
def test_recipes_that_cannot_be_served_are_refused(text: str, said: str, bench: Bench) -> None:
    (bench.root / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        bench.make(scheme=None, recipe=bench.root / "own.yaml")
