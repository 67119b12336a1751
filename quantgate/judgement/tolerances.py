"""Which tolerance a measurement is judged by, and what is said where there is none: for pytest, before it boots, and for `compare`."""

from collections.abc import Sequence

import msgspec

from quantgate.errors import ConfigurationError
from quantgate.records import Answers, Measurement, TextLoss
from quantgate.registry import REFERENCE_PRECISION, Registry, Tolerance
from quantgate.suites import CodeSuite, HarnessSuite, LoadSuite, QuestionSuite, Suite, TextSuite

DEFAULT = Tolerance(accuracy_points=2.0, perplexity_ratio=1.05, decode_tps_ratio=0.95)
"""Of `compare` alone, and only where no models.toml speaks of the family: a gate is nobody's default."""
SETTINGS: dict[type[Suite], str] = {
    TextSuite: "perplexity_ratio",
    QuestionSuite: "accuracy_points",
    CodeSuite: "accuracy_points",
    HarnessSuite: "accuracy_points",
    LoadSuite: "decode_tps_ratio",
}
"""Kind of suite → the setting that its measurements are judged by."""


def setting_for(measured: Measurement) -> str:
    """The tolerance's setting that a measurement of this kind is judged by."""
    kind = TextSuite if isinstance(measured, TextLoss) else QuestionSuite if isinstance(measured, Answers) else LoadSuite
    return SETTINGS[kind]


def precision_for(measured: Measurement, *, own: bool) -> str:
    """Whose tolerance counts: a checkpoint's text and answers against its own approval are held to BF16's, as what should not have
    changed at all."""
    return REFERENCE_PRECISION if own and isinstance(measured, TextLoss | Answers) else measured.precision


def unstated(family: str, precision: str, settings: Sequence[str]) -> str:
    """What is missing, and where to write it."""
    written = ", ".join(f"{name} = …" for name in settings)
    named = " and no ".join(settings)
    wanted = f"write tolerance.{precision} = {{ {written} }} into the family, or {precision} = {{ … }} into [tolerance]"
    return f"models.toml states no {named} for {precision} of {family}: {wanted}"


def require(tolerance: Tolerance, family: str, precision: str, setting: str) -> None:
    """Raises ConfigurationError where this one is not stated."""
    if getattr(tolerance, setting) is None:
        raise ConfigurationError(unstated(family, precision, [setting]))


def filled(said: Tolerance, registry: Registry | None, measured: Measurement, *, own: bool) -> tuple[Tolerance, str | None]:
    """What the caller has `said`, filled up from models.toml; and a note where the one that counts is DEFAULT's.

    Raises ConfigurationError where models.toml has the family and states none, as a run of pytest would.
    """
    setting, precision = setting_for(measured), precision_for(measured, own=own)
    family = next((one for one in registry.family if one.name == measured.family), None) if registry is not None else None
    if registry is not None and family is not None:
        found = over(registry.tolerance_for(family, precision), said)
        require(found, family.name, precision, setting)
        return found, None
    general = registry.tolerance.get(precision, Tolerance()) if registry is not None else Tolerance()
    stated = over(general, said)
    note = f"{setting} = {getattr(DEFAULT, setting)} is the default, nobody stated one" if getattr(stated, setting) is None else None
    return over(DEFAULT, stated), note


def over(below: Tolerance, said: Tolerance) -> Tolerance:
    """What is `said`, and `below` where nothing is."""
    stated = {name: getattr(said, name) for name in Tolerance.__struct_fields__ if getattr(said, name) not in (None, {})}
    return msgspec.structs.replace(below, **stated)
