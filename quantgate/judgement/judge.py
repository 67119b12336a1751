"""Which baselines a measurement is judged against, and under which tolerance: the two questions of a run, asked.

A question that cannot be asked has a reason instead of a verdict ("no approved measurement of its own yet"); a missing
BF16 baseline is an error that names the command which makes one.
"""

import re
from typing import Protocol

import msgspec

from quantgate.errors import BaselineError, ConfigurationError
from quantgate.judgement.answers import judge_answers
from quantgate.judgement.rule import Others, error
from quantgate.judgement.speed import judge_decode_tps, judge_speedup
from quantgate.judgement.text import judge_text
from quantgate.records import Answers, Measurement, TextLoss, Throughput, Verdict
from quantgate.registry import REFERENCE_PRECISION, Checkpoint, Family, Tolerance


class Case(msgspec.Struct, frozen=True):
    """One checkpoint on one suite: what a parametrized test is about.

    `tolerance` is for the checkpoint's precision; `drift` is BF16's, for what should not have changed at all.
    """

    family: Family
    checkpoint: Checkpoint
    suite: str
    tolerance: Tolerance
    drift: Tolerance

    def __str__(self) -> str:
        return f"{self.checkpoint}:{self.suite}"

    @property
    def needs(self) -> set[str]:
        """The checkpoint whose server every test of this case uses."""
        return {str(self.checkpoint)}


class Approved(Protocol):
    """Where approved measurements are found; both raise BaselineError for what cannot be read."""

    def load(self, device_class: str, family: str, checkpoint: str, suite: str) -> Measurement | None:
        """The approved measurement, or None where there is none."""

    def device_classes(self) -> list[str]:
        """Those that something has been approved on."""


class Judge(msgspec.Struct, frozen=True):
    """Finds the baselines of a case and judges; `p_values` collects those of the checkpoint's suites, for Holm."""

    case: Case
    approved: Approved
    p_values: dict[str, dict[str, float]]

    def of_another(self, measured: Measurement) -> str | None:
        """Why a measurement is not this case's, or None."""
        found = (measured.family, measured.checkpoint, measured.precision, measured.suite)
        wanted = (self.case.family.name, self.case.checkpoint.name, self.case.checkpoint.precision, self.case.suite)
        return None if found == wanted else f"it is of {', '.join(found)}, and this test is about {', '.join(wanted)}"

    def own(self, measured: Measurement) -> Measurement | None:
        """The checkpoint's own approved measurement on this device class."""
        return self.approved.load(measured.provenance.device_class, measured.family, measured.checkpoint, measured.suite)

    def quality(self, measured: Measurement) -> list[Verdict | str]:
        """Is the checkpoint good enough? Text and answers against BF16's baseline; speed as its tolerance asks.

        Raises BaselineError where there is no BF16 baseline, ConfigurationError where models.toml states no tolerance.
        """
        if isinstance(measured, Throughput):
            return [self._speed(measured)]
        against = self._bf16_baseline(measured)
        judged = self._compare(measured, against, self.case.tolerance, self.case.checkpoint.precision, "quality")
        if self.case.checkpoint.precision == REFERENCE_PRECISION:
            judged = self._since_approval(judged, measured, against)
        return [judged]

    def drift(self, measured: Measurement, old: Measurement | None = None) -> list[Verdict | str]:
        """Did something move since the checkpoint's own approval? Judged under BF16's tolerance; nothing for BF16 itself.

        Speed is asked this here where `quality` asked another question, the speed-up over BF16; on a CPU it is not.
        """
        if isinstance(measured, Throughput):
            asked = self._required_speedup(measured) is not None or old is not None
            return [self._speed_since_approval(measured, old)] if asked and measured.provenance.device_class != "cpu" else []
        if self.case.checkpoint.precision == REFERENCE_PRECISION and old is None:
            return []
        own = old if old is not None else self.own(measured)
        if own is None:
            where = measured.provenance.device_class
            return [f"{self.case.checkpoint} {self.case.suite} since its approval: no approved measurement of its own on {where} yet"]
        try:
            judged = self._compare(measured, own, self.case.drift, REFERENCE_PRECISION, "drift")
        except ConfigurationError as unstated:
            return [f"{self.case.checkpoint} {self.case.suite} since its approval: {unstated}"]
        return [self._since_approval(judged, measured, own)]

    def _compare(self, measured: Measurement, against: Measurement, tolerance: Tolerance, precision: str, question: str) -> Verdict:
        others = self._others(measured, question)
        if isinstance(measured, TextLoss) and isinstance(against, TextLoss):
            ratio = _stated("perplexity_ratio", tolerance.perplexity_ratio, precision)
            judged = judge_text(measured, against, perplexity_ratio=ratio, kl_nats=tolerance.kl_nats, others=others)
        elif isinstance(measured, Answers) and isinstance(against, Answers):
            points = _stated("accuracy_points", tolerance.accuracy_points, precision)
            judged = judge_answers(measured, against, accuracy_points=points, others=others)
        else:
            return error(measured, "", f"the baseline holds a {type(against).__name__}, not a {type(measured).__name__}")
        self._remember(judged, question)
        return judged

    def _remember(self, judged: Verdict, question: str) -> None:
        if judged.p_value_alone is not None:
            self.p_values.setdefault(question, {})[judged.suite] = judged.p_value_alone

    @staticmethod
    def _since_approval(judged: Verdict, measured: Measurement, own: Measurement) -> Verdict:
        changes = since_approval(measured, own)
        return msgspec.structs.replace(judged, against="own", reason="; ".join([judged.reason, *changes]))

    def _required_speedup(self, measured: Throughput) -> float | None:
        """Over BF16, on this device class; None where none is asked for, and for BF16 itself."""
        if self.case.checkpoint.precision == REFERENCE_PRECISION:
            return None
        return self.case.tolerance.speedup_over_bf16.get(measured.provenance.device_class)

    def _others(self, measured: Measurement, question: str) -> Others:
        known = self.p_values.setdefault(question, {})
        return Others(suites=len(self.case.family.suites), p_values=[p for suite, p in sorted(known.items()) if suite != measured.suite])

    def _speed(self, measured: Throughput) -> Verdict | str:
        if (required := self._required_speedup(measured)) is not None:
            judged = judge_speedup(measured, speedup_over_bf16=required, others=self._others(measured, "quality"))
            self._remember(judged, "quality")
            return judged
        return self._speed_since_approval(measured, None, question="quality")

    def _speed_since_approval(self, measured: Throughput, old: Measurement | None, question: str = "drift") -> Verdict | str:
        device_class = measured.provenance.device_class
        median = f"{measured.decode_tps:.0f} decode tokens/s (median of {len(measured.rounds)} rounds)"
        limit = f", {measured.limit.percent:.0f} % of what its memory allows" if measured.limit else ""
        shown = f"{measured.family}/{measured.checkpoint} {measured.suite}: {median}{limit}"
        if device_class == "cpu":
            return f"{shown}; on a CPU only a speed-up over BF16 is gated, and none is asked for"
        own = old if old is not None else self.own(measured)
        if not isinstance(own, Throughput):
            return f"{shown}; no approved measurement of its own on {device_class} yet"
        ratio = _stated("decode_tps_ratio", self.case.tolerance.decode_tps_ratio, self.case.checkpoint.precision)
        judged = judge_decode_tps(measured, own, decode_tps_ratio=ratio, others=self._others(measured, question))
        self._remember(judged, question)
        return msgspec.structs.replace(judged, against="own")

    def _bf16_baseline(self, measured: Measurement) -> Measurement:
        reference = self.case.family.reference()
        if reference is None:
            raise BaselineError(
                f"family {self.case.family.name} has no bf16 checkpoint in models.toml to compare {measured.checkpoint} with"
            )
        device_class = measured.provenance.device_class
        name = (self.case.family.name, reference.name, measured.suite)
        found = self.approved.load(device_class, *name)
        if found is None:  # accuracy does not depend on the device as speed does; the verdict names the other class
            others = (self.approved.load(other, *name) for other in self.approved.device_classes())
            found = next((other for other in others if other is not None), None)
        if found is None:
            option = "cpu" if device_class == "cpu" else "auto"
            raise BaselineError(
                f"no approved BF16 baseline for {'/'.join(name)}; "
                f"measure and approve one: pytest -m bf16 --gpu={option} --family={name[0]} --snapshot-update"
            )
        return found


def _stated(setting: str, value: float | None, precision: str) -> float:
    if value is None:
        raise ConfigurationError(f"models.toml states no {setting} for {precision}; set [tolerance] or the family's own")
    return value


def since_approval(measured: Measurement, baseline: Measurement) -> list[str]:
    """What is not as it was when the checkpoint's own baseline was approved, and could explain a drift."""
    now, before = measured.provenance, baseline.provenance
    found = ["the weights changed"] if now.checkpoint_fingerprint != before.checkpoint_fingerprint else []
    for name in ("vllm", "torch", "transformers", "driver", "device_name"):
        if _without_core(getattr(now, name)) != _without_core(getattr(before, name)):
            found.append(f"{name.replace('_', ' ')} went from {getattr(before, name)} to {getattr(now, name)}")
    if now.kernels != before.kernels:
        found.append(f"kernels went from {', '.join(before.kernels) or 'none named'} to {', '.join(now.kernels) or 'none named'}")
    return found


def _without_core(name: str | None) -> str | None:
    """A CPU is the same device whichever core a slot is bound to."""
    return name and re.sub(r" core \d+$", "", name)
