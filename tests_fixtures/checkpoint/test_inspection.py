"""The shipped checkpoints are sound."""

from quantgate.checkpoint.inspection import inspect_checkpoint
from tests_fixtures.doubles.made_checkpoints import REFERENCE


def test_the_shipped_checkpoints_are_sound() -> None:
    for name in ("bf16", "fp8", "nvfp4"):
        for base in (None, REFERENCE / "bf16"):
            findings = inspect_checkpoint(REFERENCE / name, base).findings
            assert [one.check for one in findings] == ["papers-missing"], (name, base)
