"""Is the checkpoint what it claims to be? Its files alone, against the family's BF16 original: seconds, and no server."""

import pytest

from fixtures.parametrization import one_for_each_checkpoint
from fixtures.state import State
from fixtures.unexpected import keep, repeat
from quantgate.checkpoint import inspect_checkpoint
from quantgate.registry import REFERENCE_PRECISION, Checkpoint, Family, local_folder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    one_for_each_checkpoint(metafunc, "inspected")


def test_files_are_sound(inspected: tuple[Family, Checkpoint], quantgate: State) -> None:
    family, checkpoint = inspected
    original = family.reference()
    base = local_folder(original) if original is not None and checkpoint.precision != REFERENCE_PRECISION else None
    report = inspect_checkpoint(
        local_folder(checkpoint),
        base,
        checkpoint.serve.tensor_parallel,
        declared=checkpoint.precision,
        serve_args=checkpoint.serve.args,
    )
    repeat(quantgate.publish, checkpoint, report.findings)
    keep(quantgate.records, checkpoint, report)
    errors = [f"{one.where}: {one.value}: {one.meaning}" for one in report.of("error")]
    if errors:
        quantgate.unsound[str(checkpoint)] = errors[0]  # which fails what needs a server of it at once
        pytest.fail(f"{checkpoint}: {'; '.join(errors)} (see `quantgate inspect {checkpoint.path}`)", pytrace=False)
