"""What is to be said of the two sides of a comparison: which engine, which weights, what nobody wrote down.

None of it decides; each is a note behind the reason, so that a verdict on the wrong pair is not read as one on the right pair.
"""

import re

from quantgate.judgement.wording import computed
from quantgate.records import AS_DECLARED, NOT_KNOWN, NOT_RECORDED, PLAIN, Measurement
from quantgate.registry import REFERENCE_PRECISION

UNKNOWN = {"", "unknown", NOT_RECORDED}


def notes(measured: Measurement, baseline: Measurement) -> list[str]:
    """Of one checkpoint at two times: what changed since. Of two checkpoints: what should differ and does not, or the reverse."""
    found = [*_unknown(measured, baseline), other_class(measured, baseline)]
    if (measured.family, measured.checkpoint) == (baseline.family, baseline.checkpoint):
        found += since_approval(measured, baseline)
    else:
        found += [_order(measured, baseline), _same_weights(measured, baseline), _went(measured, baseline, "vllm")]
        found.append(_computed_otherwise(measured, baseline))
        found.append("" if measured.family == baseline.family else f"the baseline is of another family, {baseline.family}")
    found += [_went(measured, baseline, name) for name in ("tensor_parallel", "seed")]
    return [one for one in found if one]


def since_approval(measured: Measurement, baseline: Measurement) -> list[str]:
    """What is not as it was when the checkpoint's own baseline was approved, and could explain a drift."""
    now, before = measured.provenance, baseline.provenance
    found = ["the weights changed"] if now.checkpoint_fingerprint != before.checkpoint_fingerprint else []
    found += [_went(measured, baseline, name) for name in ("vllm", "torch", "transformers", "driver", "device_name")]
    if otherwise := _computed_otherwise(measured, baseline):
        found.append(otherwise)
    elif now.kernels != before.kernels:
        found.append(f"kernels went from {', '.join(before.kernels) or 'none named'} to {', '.join(now.kernels) or 'none named'}")
    found = [one for one in found if one]
    engine = [one for one in found if not one.startswith("device name ")]
    if engine and now.checkpoint_fingerprint == before.checkpoint_fingerprint and now.checkpoint_fingerprint not in UNKNOWN:
        found.append("the weights are the same: what changed is the engine, not the checkpoint")
    return found


def _computed_otherwise(measured: Measurement, baseline: Measurement) -> str:
    """Where one was computed in other bits than the other: no word where that was not recorded, or one of them is BF16, which is the point
    of comparing."""
    now, before = measured.provenance, baseline.provenance
    both = {one.numerics.removesuffix(AS_DECLARED) for one in (now, before)}
    if len(both) == 1 or both & {PLAIN, NOT_KNOWN, *UNKNOWN}:
        return ""
    return f"numerics went from {computed(before.numerics, before.kernels)} to {computed(now.numerics, now.kernels)}"


def other_class(measured: Measurement, baseline: Measurement) -> str:
    now, before = measured.provenance.device_class, baseline.provenance.device_class
    return "" if now == before else f"on {now!r}, against a baseline of device class {before!r}"


def _went(measured: Measurement, baseline: Measurement, name: str) -> str:
    now, before = getattr(measured.provenance, name), getattr(baseline.provenance, name)
    return "" if _without_core(now) == _without_core(before) else f"{name.replace('_', ' ')} went from {before} to {now}"


def _without_core(name: str | int | None) -> str:
    """A CPU is the same device whichever core a slot is bound to."""
    return re.sub(r" core \d+$", "", str(name))


def _order(measured: Measurement, baseline: Measurement) -> str:
    if baseline.precision == REFERENCE_PRECISION:
        return ""
    if baseline.precision in UNKNOWN:
        return "the baseline's precision is unknown: whether it is BF16's is for you to know"
    if measured.precision == REFERENCE_PRECISION:
        return f"the baseline is {baseline.precision} and the candidate {REFERENCE_PRECISION}: are they in each other's place?"
    return f"the baseline is {baseline.checkpoint}, of precision {baseline.precision}: this is no comparison with BF16"


def _same_weights(measured: Measurement, baseline: Measurement) -> str:
    now, before = measured.provenance.checkpoint_fingerprint, baseline.provenance.checkpoint_fingerprint
    if now in UNKNOWN or now != before:
        return ""
    return f"both sides have the same weights ({now}), under the names {baseline.checkpoint} and {measured.checkpoint}"


def _unknown(measured: Measurement, baseline: Measurement) -> list[str]:
    """Fingerprints that neither side has: unknown is not equal."""
    names = [
        name.replace("_", " ")
        for name in ("suite", "tokenizer", "chat_template", "checkpoint")
        if {getattr(one.provenance, f"{name}_fingerprint") for one in (measured, baseline)} <= UNKNOWN
    ]
    return [f"{' and '.join(names)} unknown on both sides: nobody can tell whether both are what they are taken for"] if names else []
