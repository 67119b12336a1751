"""A gated project of several families, whose measurements are made by hand and whose nights are pytest's own."""

import msgspec

from tests_fixtures.doubles.examples import text_loss
from tests_fixtures.doubles.gated_project import MODELS, ROOT, GatedProject

FAMILY = MODELS[MODELS.index("[[family]]") :]
FAMILIES = ("alpha", "beta", "gamma", "delta")
GATES = """
import msgspec

def test_it(case, text_suite, gate):
    gate(msgspec.structs.replace(text_loss(case.checkpoint.name), family=case.family.name))

def test_of_no_family():
    pass
"""


def with_families(gated: GatedProject, *names: str) -> GatedProject:
    """The project with these families in the place of its own, BF16 approved for each."""
    head = MODELS[: MODELS.index("[[family]]")].format()
    bodies = [FAMILY.format(reference=ROOT / "fixtures" / "reference").replace('name = "reference"', f'name = "{name}"') for name in names]
    (gated.root / "models.toml").write_text(head + "".join(bodies), encoding="utf-8")
    gated.store(*(msgspec.structs.replace(text_loss("bf16"), family=name) for name in names))
    gated.test(GATES)
    return gated
