"""models.toml: what it means, and one sentence for each way to get it wrong."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.registry import reading
from quantgate.registry.models import Registry, Tolerance

GOOD = """
[tolerance]
nvfp4 = { accuracy_points = 2.0, perplexity_ratio = 1.05 }
fp8 = { accuracy_points = 1.0, speedup_over_bf16 = { cpu = 0.4 } }

[[family]]
name = "small"
suites = ["reference-text"]
tolerance.nvfp4.accuracy_points = 4.0
checkpoint = [
    { name = "bf16", precision = "bf16", path = "weights" },
    { name = "nvfp4", precision = "nvfp4", path = "weights", serve = { max_model_len = 512 } },
    { name = "fp8", precision = "fp8", path = "weights" },
]

[[family]]
name = "other"
suites = ["reference-text"]
checkpoint = [{ name = "int4", precision = "int4", path = "weights" }]
"""

Load = Callable[..., Registry]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load GOOD with text replaced; a folder that holds a config.json stands beside the file as `weights`."""
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "config.json").write_text("{}", encoding="utf-8")

    def load(*replaced: str) -> Registry:
        text = GOOD
        for old, new in zip(replaced[::2], replaced[1::2], strict=True):
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / "models.toml").write_text(text, encoding="utf-8")
        return reading.load(tmp_path / "models.toml")

    return load


def test_a_family_s_tolerance_is_filled_up_from_the_general_one(load: Load) -> None:
    found = load()
    small = found.family[0]
    bf16, nvfp4, fp8 = (found.tolerance_of(small, one) for one in small.checkpoint)
    assert bf16 == Tolerance()
    assert nvfp4 == Tolerance(accuracy_points=4.0, perplexity_ratio=1.05)
    assert fp8 == Tolerance(accuracy_points=1.0, speedup_over_bf16={"cpu": 0.4})


def test_one_family_s_tolerance_does_not_reach_another(load: Load) -> None:
    found = load('precision = "int4"', 'precision = "nvfp4"')
    other = found.family[1]
    assert found.tolerance_of(other, other.checkpoint[0]).accuracy_points == 2.0


def test_the_project_s_own_file_loads() -> None:
    file = Path(__file__).parents[2] / "models.toml"
    found = reading.load(file)
    (reference,) = found.select(None)
    assert [str(one) for one in reference.checkpoint] == ["reference/bf16", "reference/fp8", "reference/nvfp4"]
    assert found.tolerance_of(reference, reference.checkpoint[2]).accuracy_points == 4.0
    assert found.tolerance_of(reference, reference.checkpoint[1]).accuracy_points == 2.0


def test_paths_are_relative_to_the_file_not_to_the_working_folder(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert load().family[0].checkpoint[0].path == str(tmp_path / "weights")


def test_a_hub_id_with_a_revision_is_a_checkpoint_and_stays_as_it_is(load: Load) -> None:
    found = load('path = "weights" }', 'path = "org/model", revision = "abc" }')
    assert (found.family[0].checkpoint[0].path, found.family[0].checkpoint[0].revision) == ("org/model", "abc")


def test_a_checkpoint_knows_its_family_and_how_it_is_served(load: Load) -> None:
    bf16, nvfp4, _ = load().family[0].checkpoint
    assert (str(nvfp4), nvfp4.serve.max_model_len, nvfp4.serve.gpu_memory_utilization) == ("small/nvfp4", 512, 0.9)
    assert bf16.serve.max_model_len is None


def test_the_reference_of_a_family_is_its_bf16_checkpoint(load: Load) -> None:
    small, other = load('{ name = "bf16", precision = "bf16"', '{ name = "original", precision = "bf16"').family
    reference = small.reference()
    assert reference is not None
    assert reference.name == "original"
    assert other.reference() is None


def test_without_a_default_every_family_runs(load: Load) -> None:
    assert [family.name for family in load().select(None)] == ["small", "other"]


def test_with_a_default_only_that_family_runs(load: Load) -> None:
    found = load('name = "other"', 'name = "other"\ndefault = true')
    assert [family.name for family in found.select(None)] == ["other"]
    assert [family.name for family in found.select("all")] == ["small", "other"]
    assert [family.name for family in found.select("small, other")] == ["small", "other"]


MISTAKES = {
    "a skip without a reason": (
        'precision = "fp8", path = "weights"',
        'precision = "fp8", path = "weights", skip = { cpu = " " }',
        "checkpoint small/fp8: skip on cpu gives no reason",
    ),
    "a skip on a CPU in other letters": (
        'precision = "fp8", path = "weights"',
        'precision = "fp8", path = "weights", skip = { CPU = "slow" }',
        "checkpoint small/fp8: skip on CPU: the CPU is written cpu",
    ),
    "unknown key at the top": ("[tolerance]", "tolerence = 1\n[tolerance]", "unknown key tolerence (did you mean tolerance?)"),
    "unknown key in a family": (
        'suites = ["reference-text"]',
        'suites = ["reference-text"]\nsuits = []',
        "unknown key suits in family small (did you mean suites?)",
    ),
    "unknown key in a checkpoint": (
        'precision = "bf16", path',
        'precison = "bf16", path',
        "unknown key precison in checkpoint bf16 (did you mean precision?)",
    ),
    "a checkpoint that names its family": (
        'precision = "bf16", path',
        'precision = "bf16", family = "x", path',
        "unknown key family in checkpoint bf16",
    ),
    "unknown key in serve": ("max_model_len", "max_modellen", "unknown key max_modellen in serve (did you mean max_model_len?)"),
    "unknown key in the general tolerance": (
        "perplexity_ratio = 1.05",
        "perplexity = 1.05",
        "unknown key perplexity in tolerance (did you mean perplexity_ratio?)",
    ),
    "unknown key in a family's tolerance": (
        "tolerance.nvfp4.accuracy_points",
        "tolerance.nvfp4.acuracy_point",
        "unknown key acuracy_point in tolerance (did you mean accuracy_points?)",
    ),
    "unknown precision of a checkpoint": (
        'precision = "nvfp4"',
        'precision = "nvpf4"',
        "checkpoint small/nvfp4: unknown precision nvpf4 (did you mean nvfp4?); there are bf16, fp8, nvfp4",
    ),
    "unknown precision in the general tolerance": (
        "fp8 = { acc",
        "fp9 = { acc",
        "[tolerance] fp9: unknown precision fp9 (did you mean fp8?)",
    ),
    "unknown precision in a family's tolerance": (
        "tolerance.nvfp4.",
        "tolerance.nvfp.",
        "tolerance.nvfp of family small: unknown precision nvfp (did you mean nvfp4?)",
    ),
    "a folder that is not there": (
        'path = "weights" }',
        'path = "wights" }',
        "checkpoint small/bf16: path wights is no checkpoint: there is no folder",
    ),
    "a hub id without its revision": (
        'path = "weights" }',
        'path = "org/model" }',
        'path org/model is no checkpoint: there is no folder {folder}/org/model (a hub id needs revision = "…" beside it)',
    ),
    "a revision beside what is no hub id": ('path = "weights" }', 'path = "wights", revision = "abc" }', "path wights is no checkpoint"),
    "a folder without config.json": (
        'path = "weights" }',
        'path = "." }',
        "checkpoint small/bf16: path . is no checkpoint: it holds no config.json",
    ),
    "a family twice": ('name = "other"', 'name = "small"', "family small stands there twice"),
    "two references": (
        'name = "fp8", precision = "fp8"',
        'name = "more", precision = "bf16"',
        "family small: bf16, more are all bf16; keep one",
    ),
    "a name that is empty": ('name = "int4"', 'name = ""', "'' is no name for a family or checkpoint: use letters"),
    "a name that is a path": ('name = "int4"', 'name = "a/b"', "'a/b' is no name for a family or checkpoint: use letters"),
    "a name above its folder": ('name = "int4"', 'name = ".."', "'..' is no name for a family or checkpoint: use letters"),
    "a family called all": ('name = "other"', 'name = "all"', "'all' is no name for a family or checkpoint: use letters"),
    "a ratio that is a percentage": (
        "perplexity_ratio = 1.05",
        "perplexity_ratio = 5",
        "perplexity_ratio is 5.0; it must lie above 1 and below 2",
    ),
    "no suites": (
        'name = "other"\nsuites = ["reference-text"]',
        'name = "other"\nsuites = []',
        "family other has no suites, so there is nothing",
    ),
    "a server of no length": ("max_model_len = 512", "max_model_len = 0", "nvfp4: serve.max_model_len is 0; it must be at least 1"),
    "a checkpoint twice": ('name = "fp8"', 'name = "nvfp4"', "checkpoint of small nvfp4 stands there twice"),
    "no points at all": (
        "accuracy_points = 1.0",
        "accuracy_points = 0",
        "[tolerance] fp8: accuracy_points is 0.0; it must lie above 0 and below 100",
    ),
    "negative points": ("points = 4.0", "points = -4.0", "tolerance.nvfp4 of family small: accuracy_points is -4.0; it must lie above 0"),
    "points that are no number": (
        "points = 4.0",
        "points = nan",
        "tolerance.nvfp4 of family small: accuracy_points is nan; it must lie above 0",
    ),
    "a ratio of one": (
        "perplexity_ratio = 1.05",
        "perplexity_ratio = 1.0",
        "[tolerance] nvfp4: perplexity_ratio is 1.0; it must lie above 1 and below 2; 1.05 accepts 5 %",
    ),
    "a speed ratio of one": (
        "perplexity_ratio = 1.05",
        "decode_tps_ratio = 1.0",
        "[tolerance] nvfp4: decode_tps_ratio is 1.0; it must lie between 0 and 1",
    ),
    "no speed-up": (
        "{ cpu = 0.4 }",
        "{ cpu = 0.0 }",
        "[tolerance] fp8: speedup_over_bf16 on cpu is 0.0; it must be above 0",
    ),
    "a text for a number": (
        "max_model_len = 512",
        'max_model_len = "512"',
        "checkpoint small/nvfp4: serve.max_model_len: it must be a whole number, and is a string",
    ),
    "a text for a list": (
        'suites = ["reference-text"]',
        'suites = "reference-text"',
        "family small: suites: it must be a list, and is a string",
    ),
    "a checkpoint without a path": (', path = "weights" }', " }", "checkpoint small/bf16: it has no path; add one"),
    "a key of a suite": (
        "[tolerance]",
        '[[suite]]\nname = "s"\nfrm = "gsm8k"\n[tolerance]',
        "unknown key frm in suite s (did you",
    ),
    "a suite without a source": ("[tolerance]", '[[suite]]\nname = "s"\n[tolerance]', "it has no from; add one"),
    "none of a suite": (
        "[tolerance]",
        '[[suite]]\nname = "s"\nfrom = "gsm8k"\nn = 0\n[tolerance]',
        "suite s: n is 0; it must",
    ),
    "no repeats of a suite": (
        "[tolerance]",
        '[[suite]]\nname = "s"\nfrom = "gsm8k"\nrepeats = 0\n[tolerance]',
        "suite s: repeats is 0; it must",
    ),
    "a suite below zero": (
        "[tolerance]",
        '[[suite]]\nname = "s"\nfrom = "gsm8k"\ntemperature = -0.5\n[tolerance]',
        "suite s: temperature is -0.5; it must lie between 0 and 2",
    ),
    "a suite that is no temperature": (
        "[tolerance]",
        '[[suite]]\nname = "s"\nfrom = "gsm8k"\ntemperature = nan\n[tolerance]',
        "suite s: temperature is nan; it must lie between 0 and 2",
    ),
    "a suite that is a path": ("[tolerance]", '[[suite]]\nname = "../s"\nfrom = "gsm8k"\n[tolerance]', "'../s' is no name for a suite"),
    "no TOML": ("[tolerance]", "[tolerance", "is no TOML: "),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_with_its_key_and_its_file(mistake: str, load: Load, tmp_path: Path) -> None:
    old, new, said = MISTAKES[mistake]
    with pytest.raises(ConfigurationError) as error:
        load(old, new)
    message = str(error.value)
    assert message.startswith(str(tmp_path / "models.toml"))
    assert said.replace("{folder}", str(tmp_path)) in message
    assert "\n" not in message


def test_every_unknown_key_is_followed_by_the_known_ones(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=re.escape("known are checkpoint, default, name, suites, tolerance")):
        load('name = "small"', 'name = "small"\nxyz = 1')


def test_a_key_near_to_none_gets_no_suggestion(load: Load) -> None:
    with pytest.raises(ConfigurationError, match="unknown key xyz in family small; known are"):
        load('name = "small"', 'name = "small"\nxyz = 1')


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^--models=nowhere\.toml cannot be read: No such file or directory$"):
        reading.load(Path("nowhere.toml"))


def test_an_unknown_family_is_named_with_the_nearest_and_all_others(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=re.escape("--family=smal: no such family (did you mean small?); there are small, other")):
        load().select("other,smal")
