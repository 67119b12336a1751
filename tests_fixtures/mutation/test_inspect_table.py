"""The catalogue of damaged checkpoints: what names each kind of damage, and that what is no damage has no name."""

import pytest

from mutation.catalogue import CATALOGUE
from mutation.inspect_table import BEGIN, END, PAGE, rows

NAMED = {
    "nvfp4-gate4-rows-at-an-eighth": "fidelity-rows",
    "nvfp4-uncalibrated": "fused-inputs-differ",
    "nvfp4-quantized-as-mxfp4": "scales-powers-of-two",
    "nvfp4-qk-norms-missing": "changed-norm",
    "fp8-clipped-to-half": "codes-saturated",
    "fp8-layer2-scales-up-3-percent": "fidelity-scaled",
    "file-special-tokens-lost": "tokenizer",
}
"""The whole catalogue takes minutes: `python -m mutation.inspect_table` makes docs/inspect.md's table of it."""
QUIET = (
    "nvfp4-calibration-too-quiet",
    "harmless-two-shards",
    "harmless-no-generation-config",
    "harmless-template-inside",
    "harmless-linked",
    "harmless-scales-and-divisor-halved",
    "harmless-negative-zeros",
)


@pytest.mark.thorough
def test_each_kind_of_damage_is_named() -> None:
    for row in rows([mutant for mutant in CATALOGUE if mutant.name in NAMED]):
        assert NAMED[row.mutant.name] in {one.check for one in row.against}, row.mutant.name


@pytest.mark.thorough
def test_what_changes_nothing_has_no_name_and_calibration_cannot_be_seen() -> None:
    for row in rows([mutant for mutant in CATALOGUE if mutant.name in QUIET]):
        assert (row.alone, row.against) == ([], []), row.mutant.name


def test_the_page_lists_the_whole_catalogue() -> None:
    listed = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    assert [mutant.name for mutant in CATALOGUE if mutant.name not in listed] == []
