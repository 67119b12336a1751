"""What is known of a run's verdicts before anything boots: a tolerance that is missing, a suite of which no verdict can come."""

from collections.abc import Iterable

from quantgate.errors import BaselineError
from quantgate.judgement.judge import Approved, Case
from quantgate.judgement.tolerances import SETTINGS, unstated
from quantgate.registry import REFERENCE_PRECISION
from quantgate.suites import LoadSuite, Suite

CPU = "cpu"


def missing_tolerances(asked: Iterable[tuple[Case, Suite, str]], approved: Approved, *, updating: bool) -> list[str]:
    """A sentence for each family and precision whose tests would find no tolerance after they have measured.

    `asked`: case, suite and device class of each selected test; `updating`: baselines are being approved, which BF16 needs none for.
    """
    found: dict[tuple[str, str], dict[str, None]] = {}
    for case, suite, device_class in asked:
        setting, precision = SETTINGS[type(suite)], case.checkpoint.precision
        if getattr(case.tolerance, setting) is None and _is_needed(case, suite, device_class, approved, updating=updating):
            found.setdefault((case.family.name, precision), {})[setting] = None
        drifts = not isinstance(suite, LoadSuite) and not updating and _is_approved(case, device_class, approved)
        if drifts and getattr(case.drift, setting) is None:  # what it may move since its own approval is BF16's
            found.setdefault((case.family.name, REFERENCE_PRECISION), {})[setting] = None
    return [unstated(family, precision, list(settings)) for (family, precision), settings in found.items()]


def _is_needed(case: Case, suite: Suite, device_class: str, approved: Approved, *, updating: bool) -> bool:
    if not isinstance(suite, LoadSuite):
        return not (updating and case.checkpoint.precision == REFERENCE_PRECISION)
    if device_class == CPU or case.required_speedup(device_class) is not None:
        return False
    return _is_approved(case, device_class, approved)


def _is_approved(case: Case, device_class: str, approved: Approved) -> bool:
    try:
        return approved.load(device_class, case.family.name, case.checkpoint.name, case.suite) is not None
    except BaselineError:
        return False  # the test that needs the file says what is wrong with it


def has_no_verdict(case: Case, kind: type[Suite], device_class: str) -> bool:
    """Whether nothing that a suite of this kind measures could be judged: on a CPU only a speed-up over BF16 is, where one is asked for."""
    return kind is LoadSuite and device_class == CPU and case.required_speedup(device_class) is None
