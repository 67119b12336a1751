"""Recipes: what llm-compressor is to do, as readable files; one for each scheme, or a user's own."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from quantgate.errors import ConfigurationError, nearest

FOLDER = Path(__file__).parent
ROTATION = FOLDER / "rotations" / "r1_r2.yaml"
ROTATABLE = ("llama", "mistral", "qwen2", "qwen3")
"""model_type of models whose norms stand right before the linears that their gains can be folded into, and nowhere else."""
ONLINE = re.compile(r"\bR[34]\b", re.IGNORECASE)


class Scheme(NamedTuple):
    """`weight_bits`: of a quantized weight, its scales included; `precision`: its marker in models.toml."""

    weight_bits: float
    precision: str
    is_calibrated: bool = False


SCHEMES = {
    "NVFP4": Scheme(4.5, "nvfp4", is_calibrated=True),
    "NVFP4A16": Scheme(4.5, "nvfp4"),
    "FP8_DYNAMIC": Scheme(8.1, "fp8"),
    "FP8_BLOCK": Scheme(8.1, "fp8"),
    "W8A8": Scheme(8.1, "int8"),
    "W4A16": Scheme(4.2, "int4"),
}
OWN = Scheme(16.0, "")
"""Of a recipe that nobody has looked into: as large as BF16, to be on the safe side."""


class Recipe(NamedTuple):
    """`name`: the scheme's, or the file's; `text`: what llm-compressor reads."""

    name: str
    text: str
    scheme: Scheme

    @property
    def is_own(self) -> bool:
        return self.scheme is OWN


def choose(scheme: str | None, file: Path | None) -> Recipe:
    """The recipe of a scheme, or of a file. Raises ConfigurationError for what is neither, and for what no engine serves."""
    if scheme is not None:
        name = scheme.upper().replace("-", "_")
        if name not in SCHEMES:
            known = f"there are {', '.join(SCHEMES)}, and --recipe FILE for your own"
            raise ConfigurationError(f"--scheme {scheme}: no such scheme{nearest(name, SCHEMES)}; {known}")
        return Recipe(name, (FOLDER / "recipes" / f"{name.lower()}.yaml").read_text(encoding="utf-8"), SCHEMES[name])
    assert file is not None
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--recipe {file} cannot be read: {error}; name a file in llm-compressor's YAML") from None
    spoken = "\n".join(line.partition("#")[0] for line in text.splitlines())
    if "SpinQuantModifier" in spoken and (online := ONLINE.search(spoken)):
        raise ConfigurationError(
            f"--recipe {file}: SpinQuant's {online[0]} is applied while the model runs, which vLLM does not do for FP4 (it fails to load "
            "the checkpoint); keep R1 and R2, which are folded into the weights"
        )
    if not re.search(r"^\w+_stage:", spoken, re.MULTILINE):
        raise ConfigurationError(f"--recipe {file} is no recipe: it has no stage (a line like `quant_stage:`); see {FOLDER / 'recipes'}")
    return Recipe(file.name, text, OWN)


def rotated(recipe: Recipe, model: str, config: Mapping[str, Any]) -> Recipe:
    """The recipe behind R1 and R2. Raises ConfigurationError for models that these cannot be folded into."""
    if recipe.is_own:
        raise ConfigurationError(f"--rotate belongs to --scheme; write SpinQuantModifier into {recipe.name} (see {ROTATION})")
    kind = config.get("model_type")
    if kind not in ROTATABLE:
        raise ConfigurationError(
            f"--rotate: {model} is a {kind}; that R1 and R2 can be folded into its weights is known of {', '.join(ROTATABLE)} alone; "
            "leave --rotate out"
        )
    heads, width = int(config["num_attention_heads"]), int(config["hidden_size"])
    head = int(config.get("head_dim") or width // heads)
    rotation = ROTATION.read_text(encoding="utf-8")
    if any(size & (size - 1) for size in (head, width)):
        rotation = rotation.replace("transform_type: hadamard", "transform_type: random-hadamard")
    return recipe._replace(text=rotation + recipe.text)
