"""What a linear's fidelity means: limits with their reasons, and the likely cause of what lies beyond them."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from statistics import median

import numpy as np

from quantgate.checkpoint import diagnosis
from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.fidelity import Compared, Fidelity
from quantgate.checkpoint.findings import Finding, Severity
from quantgate.checkpoint.names import kind_of
from quantgate.checkpoint.source import Source
from quantgate.checkpoint.storage import Weights

WARNING_DB, ERROR_DB = 1.0, 3.0
"""Behind nearest rounding: a quarter more noise than the format needs (scales found in BF16 or by another observer cost
a few hundredths), and twice as much."""
ITERATIVE_DB = 3.0
"""More, where the recipe rounds for the layer's output (GPTQ): up to half of the weights are then rounded the other way."""
MOVED, MOVED_AT_MOST = 0.125, 0.25
"""How far weights may lie from the base's rounded ones and still be meant, as a share of their size, in the middle of a kind of
linears and for a single one: GPTQ, QAD, QAT and fine-tuning move them by a few percent. By more it is another model."""
TRAINED = 0.75
"""From this share of the norms and other unquantized tensors on, they were trained with the rest; damage leaves most as they were."""
MEANT = "not what the base's weights round to, by little and all over: GPTQ, QAD, QAT or a fine-tune; only the suites tell what it costs"
GAIN = 0.015
"""Scales rounded to BF16 are off by at most 0.4 %, clipping that pays takes about 1 %; rounding to nearest is unbiased."""
FOREIGN_COSINE, FOREIGN_LEAD = 0.5, 0.3
"""Another layer's weights: a sketch's cosine with an unrelated matrix is 0 ± 0.044, so 0.5 is eleven standard deviations."""


def judge(
    source: Source, base: Weights, compared: dict[str, tuple[Linear, Compared]], suspects: Set[str] = frozenset()
) -> Iterator[Finding]:
    """Findings for every linear whose decode is not what the base lets expect. `suspects`: those whose scales or codes are odd."""
    if source.rewrites:
        yield Finding(
            severity="note", area="fidelity", check="weights-rewritten", where="recipe", value=source.rewrites,
            meaning="it changes weights before they are rounded, so linears cannot be compared with the base one by one",
        )  # fmt: skip
        return
    foreign = _foreign(compared)
    margin = ITERATIVE_DB if source.iterates else 0.0
    told = {name: _one(base, linear, one, margin, foreign.get(name)) for name, (linear, one) in compared.items()}
    moved = _moved(compared, told, suspects, at_all=bool(source.iterates))
    for name, finding in told.items():
        if finding is None or name not in moved:
            yield from [finding] if finding is not None else []
            continue
        severity: Severity = "note" if source.iterates else "warning"
        meaning = f"{source.iterates} rounds so, for the layer's output" if source.iterates else MEANT
        yield _finding(severity, "weights-moved", name, finding.value, meaning, _distance(compared[name][1].fidelity))


def trained(source: Source, plain: Sequence[Finding], count: int, judged: Sequence[Finding]) -> list[Finding]:
    """Findings of the `count` unquantized tensors that could be compared: small changes are training's where most have one, or
    where the linears moved as well."""
    changed = [one for one in plain if one.check.startswith("changed-")]
    is_trained = len(changed) >= TRAINED * count or any((one.check, one.severity) == ("weights-moved", "warning") for one in judged)
    if not changed or not source.is_quantized or not is_trained:
        return list(plain)
    meant = {id(one) for one in changed if one.severity == "error" and one.badness <= MOVED}
    return [_finding("warning", "weights-moved", one.where, one.value, MEANT, one.badness) if id(one) in meant else one for one in plain]


def _one(base: Weights, linear: Linear, one: Compared, margin: float, foreign: tuple[str, float] | None) -> Finding | None:
    """The worst that there is to say of one linear."""
    name, found = linear.name, one.fidelity
    behind = found.expected_db - found.sqnr_db
    if not found.is_finite:
        return _finding("error", "decode-not-finite", name, "NaN or infinite", "a scale or a code that is no number", math.inf)
    if foreign is not None:
        value = f"cosine {found.cosine:.2f} with its own original, {foreign[1]:.2f} with {foreign[0]}"
        meaning = "layers exchanged, or a buffer that was used again: the tensors of another one"
        return _finding("error", "another-layer", name, value, meaning, behind)
    if behind >= ERROR_DB + margin or (math.isnan(behind) and found.rows):
        if math.isnan(found.sqnr_db):
            return None  # zeros that decode to zeros
        cause = diagnosis.cause(linear, base, found)
        value = f"SQNR {found.sqnr_db:.1f} dB, the format keeps {found.expected_db:.1f}; gain {found.gain:.3g}"
        return _finding("error", f"fidelity-{cause.name}", name, value, cause.meaning, behind)
    return _little(name, found, behind, margin)


def _little(name: str, found: Fidelity, behind: float, margin: float) -> Finding | None:
    """What is wrong with a linear that is nearly as it should be."""
    if found.bad_rows:
        value = f"{found.bad_rows:,} of {found.rows:,} rows have more than four times the noise they should have"
        meaning = "a tile or shard written with other scales, or not at all"
        return _finding("error", "rows-apart", name, value, meaning, found.bad_rows / found.rows)
    if behind >= WARNING_DB + margin:
        value = f"SQNR {found.sqnr_db:.1f} dB, the format keeps {found.expected_db:.1f}"
        meaning = "rounded for something else than the nearest code (GPTQ does so), or slightly wrong scales"
        return _finding("warning", "fidelity-low", name, value, meaning, behind)
    if abs(found.gain - found.expected_gain) > GAIN:
        value = f"decoded {100 * (found.gain - 1):+.1f} % of the original's size"
        return _finding("warning", "gain", name, value, "scales are rounded one way or multiplied by something", abs(found.gain - 1))
    return None


def _moved(compared: dict[str, tuple[Linear, Compared]], told: dict[str, Finding | None], suspects: Set[str], *, at_all: bool) -> set[str]:
    """Linears that lie beside the base's by noise alone, where a whole kind of them does: nothing was damaged by itself.

    `suspects` have something else to be said of; `at_all`: one is enough, as the recipe says why.
    """
    noisy = {
        name: found for name, finding in told.items()
        if finding is not None and name not in suspects and _is_noise(finding, found := compared[name][1].fidelity)
    }  # fmt: skip
    kinds: dict[str, list[float]] = defaultdict(list)
    for name, found in noisy.items():
        kinds[kind_of(name)].append(_distance(found))
    counts = Counter(kind_of(name) for name in compared)
    is_meant = any(2 * len(far) >= counts[kind] > 1 and median(far) <= MOVED for kind, far in kinds.items())
    return set(noisy) if is_meant or at_all else set()


def _is_noise(finding: Finding, found: Fidelity) -> bool:
    """Unbiased, as damage that cuts off or scales is not."""
    is_about_noise = finding.check in ("fidelity-noise", "fidelity-low", "rows-apart")
    return is_about_noise and abs(found.gain - found.expected_gain) <= GAIN and _distance(found) <= MOVED_AT_MOST


def _distance(found: Fidelity) -> float:
    """How far the weights lie from the base's beyond what rounding alone does, of their size."""
    return math.sqrt(max(0.0, 10 ** (-found.sqnr_db / 10) - 10 ** (-found.expected_db / 10)))


def _foreign(compared: dict[str, tuple[Linear, Compared]]) -> dict[str, tuple[str, float]]:
    """Linear → the base's linear of the same projection whose weights it holds instead of its own, and the cosine with that."""
    kinds: dict[tuple[str, int, int], list[str]] = defaultdict(list)
    for name, (linear, _) in compared.items():
        kinds[kind_of(name), linear.rows, linear.width].append(name)
    found = {}
    for names in kinds.values():
        originals = np.stack([_unit(compared[name][1].original) for name in names])
        for place, name in enumerate(names):
            with np.errstate(all="ignore"):
                cosines = originals @ _unit(compared[name][1].own)
            if not np.isfinite(cosines).all():
                continue
            best = int(cosines.argmax())
            if best != place and cosines[best] > FOREIGN_COSINE and cosines[best] > cosines[place] + FOREIGN_LEAD:
                found[name] = (names[best], float(cosines[best]))
    return found


def _unit(sketch: "np.typing.NDArray[np.float32]") -> "np.typing.NDArray[np.float64]":
    wide = sketch.astype(np.float64)
    with np.errstate(all="ignore"):
        length = float(np.sqrt(np.square(wide).sum()))
    return wide / length if length else wide


def _finding(severity: Severity, check: str, where: str, value: str, meaning: str, badness: float) -> Finding:
    return Finding(severity=severity, area="fidelity", check=check, where=where, value=value, meaning=meaning, badness=badness)
