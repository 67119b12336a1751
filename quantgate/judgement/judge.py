"""Which baselines a measurement is judged against, and under which tolerance: the two questions of a run, asked.

A question that cannot be asked has a reason instead of a verdict ("no approved measurement of its own yet"); a missing
BF16 baseline is an error that names the command which makes one.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from quantgate.errors import BaselineError, ConfigurationError, StoreAwayError
from quantgate.fingerprint import of_checkpoint
from quantgate.judgement.early import why_not
from quantgate.judgement.rule import Evidence, Others, decide, error
from quantgate.judgement.speed import weigh_speedup
from quantgate.judgement.tolerances import require, setting_for
from quantgate.judgement.watch import Question, Watch
from quantgate.judgement.weigh import weigh, weigh_beside
from quantgate.records import Answers, Measurement, Throughput, Verdict
from quantgate.registry import REFERENCE_PRECISION, Checkpoint, Family, Tolerance, in_cache


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

    def required_speedup(self, device_class: str) -> float | None:
        """Over BF16, on this device class; None where none is asked for, and for BF16 itself."""
        return None if self.checkpoint.precision == REFERENCE_PRECISION else self.tolerance.speedup_over_bf16.get(device_class)

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


@lru_cache
def _fingerprint(folder: Path) -> str | None:
    return of_checkpoint(folder) if folder.is_dir() else None


def weights_here(checkpoint: Checkpoint) -> str | None:
    """The fingerprint of the checkpoint's weights, where they are on this machine; looked at once."""
    folder = in_cache(checkpoint)
    return None if folder is None else _fingerprint(folder)


class Weighed(NamedTuple):
    """What a verdict will be made of; `question` is "quality" or "drift"; `counts`: its p is part of the correction over the suites."""

    evidence: Evidence
    question: str
    counts: bool = True


class Judge(msgspec.Struct, frozen=True):
    """Finds the baselines of a case and judges; `p_values` collects those of the checkpoint's suites, for Holm; `weights_of` gives the
    fingerprint of a checkpoint's weights; `loads` are the suites of speed; `options` are those of this run that a command for another
    one has to repeat."""

    case: Case
    approved: Approved
    p_values: dict[str, dict[str, float]]
    weights_of: Callable[[Checkpoint], str | None] = weights_here
    loads: frozenset[str] = frozenset()
    options: tuple[str, ...] = ()

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
        return self.decided(self.weigh_quality(measured))

    def weigh_quality(self, measured: Measurement) -> list[Weighed | Verdict | str]:
        """All of `quality` but the decision, which asks what the checkpoint's other suites say; raises as it does."""
        if isinstance(measured, Throughput):
            return self._speed(measured)
        against = self._bf16_baseline(measured.provenance.device_class, measured.suite)
        if self.case.checkpoint.precision == REFERENCE_PRECISION:
            return self._weighed(measured, against, self.case.tolerance, REFERENCE_PRECISION, "quality", own=True)
        if (stranger := self._not_the_reference(against)) is not None:
            return [error(measured, "", stranger)]
        return self._weighed(measured, against, self.case.tolerance, self.case.checkpoint.precision, "quality", own=False)

    def drift(self, measured: Measurement, old: Measurement | None = None) -> list[Verdict | str]:
        """Did something move since the checkpoint's own approval? Judged both ways, under BF16's tolerance; nothing for BF16 itself.

        Speed is asked this here where `quality` asked another question, the speed-up over BF16; on a CPU it is not.
        """
        return self.decided(self.weigh_drift(measured, old))

    def weigh_drift(self, measured: Measurement, old: Measurement | None = None) -> list[Weighed | Verdict | str]:
        """All of `drift` but the decision."""
        if isinstance(measured, Throughput):
            asked = self._required_speedup(measured) is not None or old is not None
            return self._speed_since_approval(measured, old) if asked and measured.provenance.device_class != "cpu" else []
        if self.case.checkpoint.precision == REFERENCE_PRECISION and old is None:
            return []
        try:
            own = old if old is not None else self.own(measured)
        except StoreAwayError as away:  # whether there is one, nobody can tell now; what is answered above stands
            return [f"{self.case.checkpoint} {self.case.suite} since its approval: {away}"]
        if own is None:
            where = measured.provenance.device_class
            return [f"{self.case.checkpoint} {self.case.suite} since its approval: no approved measurement of its own on {where} yet"]
        try:
            return self._weighed(measured, own, self.case.drift, REFERENCE_PRECISION, "drift", own=True)
        except ConfigurationError as unstated:
            return [f"{self.case.checkpoint} {self.case.suite} since its approval: {unstated}"]

    def decided(self, found: Sequence[Weighed | Verdict | str]) -> list[Verdict | str]:
        """The verdicts, by all that `p_values` knows by now; what had its verdict, or a reason for none, stays as it is."""
        return [self._decided(one) if isinstance(one, Weighed) else one for one in found]

    def others(self, one: Weighed) -> Others:
        """The suites that the checkpoint is asked this on this device, and what is known of them."""
        measured, known = one.evidence.measured, self.p_values.get(one.question, {})
        asked = self._asked(measured.provenance.device_class, one.question)
        if not one.counts:
            return Others(suites=asked)
        p_values = [p for other, p in sorted(known.items()) if other != measured.suite]
        return Others(suites=max(asked, len(p_values) + 1), p_values=p_values)

    def watch(self, device_class: str, ids: Sequence[str], fingerprint: str) -> Watch | str:
        """What ends this case's suite of answers when its verdicts are certain, the one since the approval too where that will be asked;
        or why nothing can. The suite has these ids and this fingerprint."""
        if self.case.checkpoint.precision == REFERENCE_PRECISION:
            return f"{REFERENCE_PRECISION} is what the others are judged by"
        try:
            against = self._bf16_baseline(device_class, self.case.suite)
        except BaselineError as missing:
            return str(missing)
        try:
            own = self.approved.load(device_class, self.case.family.name, self.case.checkpoint.name, self.case.suite)
        except StoreAwayError as away:
            return str(away)
        questions = []
        for question, baseline, tolerance in (("quality", against, self.case.tolerance), ("drift", own, self.case.drift)):
            if baseline is None or (question == "drift" and tolerance.accuracy_points is None):
                continue
            if not isinstance(baseline, Answers) or tolerance.accuracy_points is None or tolerance.accuracy_points >= 100:
                return "there is no tolerance for its answers below 100 points, or no baseline of answers"
            if (why := why_not(baseline, ids)) is not None:
                return why
            known = self.p_values.get(question, {})
            questions.append(
                Question(
                    baseline=baseline,
                    accuracy_points=tolerance.accuracy_points,
                    group_points=tolerance.group_points,
                    both_ways=question == "drift",
                    fail_when=tolerance.fail_when or "likely",
                    unanswered=tolerance.unanswered,
                    suites=max(self._asked(device_class, question), len(known.keys() - {self.case.suite}) + 1),
                )
            )
        return Watch(questions, ids, fingerprint, self.case.checkpoint.precision)

    def baseline_of(self, judged: Verdict, measured: Measurement) -> Measurement | None:
        """What a verdict was held against, where that is approved."""
        if judged.against == "own" or measured.precision == REFERENCE_PRECISION:
            return self.own(measured)
        try:
            return self._bf16_baseline(measured.provenance.device_class, measured.suite)
        except BaselineError:
            return None

    def _weighed(
        self, measured: Measurement, against: Measurement, tolerance: Tolerance, precision: str, question: str, *, own: bool
    ) -> list[Weighed | Verdict | str]:
        """Of the suite, and of the length of its answers where that is asked; against its own approval both ways."""
        require(tolerance, measured.family, precision, setting_for(measured))
        evidence = weigh(measured, against, tolerance, own=own)
        length = None if own and measured.precision != REFERENCE_PRECISION else weigh_beside(measured, against, tolerance, own=own)
        return [Weighed(evidence, question), *([] if length is None else [Weighed(length, question, counts=False)])]

    def _decided(self, one: Weighed) -> Verdict:
        """What does not count is a question of its own beside a suite's: corrected for the suites, and no part of their correction."""
        judged = decide(one.evidence, self.others(one))
        if one.counts and judged.p_value_alone is not None and not one.evidence.is_idle:
            self.p_values.setdefault(one.question, {})[one.evidence.measured.suite] = judged.p_value_alone
        return judged

    def _asked(self, device_class: str, question: str) -> int:
        """How many suites of the family are asked this of the checkpoint on this device: on a CPU a speed is not, but for a speed-up."""
        loads = sum(name in self.loads for name in self.case.family.suites)
        speed = device_class != "cpu" or (question == "quality" and self.case.required_speedup(device_class) is not None)
        return max(1, len(self.case.family.suites) - (0 if speed else loads))

    def _required_speedup(self, measured: Measurement) -> float | None:
        return self.case.required_speedup(measured.provenance.device_class)

    def _speed(self, measured: Throughput) -> list[Weighed | Verdict | str]:
        if (required := self._required_speedup(measured)) is not None:
            fail_when = self.case.tolerance.fail_when or "likely"
            return [Weighed(weigh_speedup(measured, speedup_over_bf16=required, fail_when=fail_when), "quality")]
        return self._speed_since_approval(measured, None, question="quality")

    def _speed_since_approval(
        self, measured: Throughput, old: Measurement | None, question: str = "drift"
    ) -> list[Weighed | Verdict | str]:
        device_class = measured.provenance.device_class
        median = f"{measured.decode_tps:.0f} decode tokens/s (median of {len(measured.rounds)} rounds)"
        limit = f", {measured.limit.percent:.0f} % of what its memory allows" if measured.limit else ""
        shown = f"{measured.family}/{measured.checkpoint} {measured.suite}: {median}{limit}"
        if device_class == "cpu":
            return [f"{shown}; on a CPU only a speed-up over BF16 is gated, and none is asked for"]
        try:
            own = old if old is not None else self.own(measured)
        except StoreAwayError as away:
            return [f"{shown}; {away}"]
        if not isinstance(own, Throughput):
            return [f"{shown}; no approved measurement of its own on {device_class} yet"]
        tolerance = self.case.tolerance
        require(tolerance, measured.family, self.case.checkpoint.precision, setting_for(measured))
        ttft = weigh_beside(measured, own, tolerance)
        return [
            Weighed(weigh(measured, own, tolerance, own=True), question),
            *([] if ttft is None else [Weighed(ttft, question, counts=False)]),
        ]

    def _not_the_reference(self, against: Measurement) -> str | None:
        """Why this baseline is not the family's BF16 checkpoint's, or None; weights that are not on this machine are not looked at."""
        reference = self.case.family.reference()
        if against.precision != REFERENCE_PRECISION:
            return f"the BF16 baseline is of precision {against.precision}: restore it from git, or approve a new one"
        now = None if reference is None else self.weights_of(reference)
        before = against.provenance.checkpoint_fingerprint
        if now is None or now == before:
            return None
        weights = f"on other weights ({before or 'unknown'}) than {reference} has ({now})"
        return f"the BF16 baseline was measured {weights}: approve a new one: {self._approving(against.provenance.device_class)} --reason=…"

    def _bf16_baseline(self, device_class: str, suite: str) -> Measurement:
        reference = self.case.family.reference()
        if reference is None:
            raise BaselineError(
                f"family {self.case.family.name} has no bf16 checkpoint in models.toml to compare {self.case.checkpoint.name} with"
            )
        name = (self.case.family.name, reference.name, suite)
        found = self.approved.load(device_class, *name)
        if found is None:  # accuracy does not depend on the device as speed does; the verdict names the other class
            others = (self.approved.load(other, *name) for other in self.approved.device_classes())
            found = next((other for other in others if other is not None), None)
        if found is None:
            raise BaselineError(f"no approved BF16 baseline for {'/'.join(name)}; measure and approve one: {self._approving(device_class)}")
        return found

    def _approving(self, device_class: str) -> str:
        """The command that measures and approves BF16 where this run has looked for it."""
        gpu = "cpu" if device_class == "cpu" else "auto"
        device = [] if any(one.startswith("--gpu=") for one in self.options) else [f"--gpu={gpu}"]
        return " ".join(["pytest", "-m", "bf16", *device, f"--family={self.case.family.name}", *self.options, "--snapshot-update"])
