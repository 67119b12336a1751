"""What other projects would have said of the same answers; each rule as the project's own test, command or dashboard states it."""

import math
from statistics import NormalDist
from typing import Literal, NamedTuple, TypeAlias

from quantgate import stats
from quantgate.records import Answers

Said: TypeAlias = Literal["accepted", "warned", "undecided", "rejected"]
"""Only the last says that a checkpoint is worse than allowed. "warned": worse for certain, by no more than allowed."""

NEL_GATE_MAX_DROP = 0.015
NEL_COMPARE_MAX_DROP = 0.05
SGLANG_MARGIN = 0.05


class OtherRules(NamedTuple):
    """`_at_tolerance`: the same rule with this suite's tolerance in the place of the project's default."""

    vllm_absolute: Said
    vllm_relative: Said
    vllm_lm_eval: Said
    vllm_two_sigma: Said
    sglang: Said
    llm_compressor: Said
    tensorrt_llm: Said
    nel_gate: Said
    nel_gate_at_tolerance: Said
    nel_compare: Said
    nel_compare_at_tolerance: Said


class Pairs(NamedTuple):
    """Questions that both answered; right before and wrong now; wrong before and right now."""

    n: int
    regressed: int
    improved: int


def other_rules(measured: Answers, baseline: Answers, accuracy_points: float) -> OtherRules:
    """What each rule says, the baseline's accuracy in the place of the value that a project expects.

    vLLM, tests/evals/gsm8k/test_gsm8k_correctness.py: at least the expected value - 0.08.
    vLLM, .buildkite/lm-eval-harness/test_lm_eval_correctness.py: at least the expected value less 8 %; formerly
    numpy.isclose(expected, measured, rtol=0.05), both ways and 5 % of what is measured (`vllm_relative`).
    sglang, GSM8KMixin of python/sglang/test/kits/eval_accuracy_kit.py, and check_evaluation_test_results of
    python/sglang/test/test_utils.py: score >= a constant for each model. MODEL_SCORE_THRESHOLDS of
    test/registered/eval/test_text_models_gsm8k_eval.py stand 5 points below a reported or measured score ("84.5% - 5%", pull
    request 27342), which is the reading here, without their rounding to a whole point. Other constants stand 1.4 to 7.6
    points below the mean of repeated runs, 3.6 on average (pull requests 20304, 22237, 23099, 27101, 31702).
    llm-compressor's lm-eval tests: round(measured / expected, 2) >= 0.95.
    TensorRT-LLM: at least the reference plus Phi^-1(0.05)*sqrt(2 sigma^2/n) points, sigma = 50.
    The others have functions of their own, below.
    """
    base, found, n = baseline.accuracy, measured.accuracy, len(measured.items)
    margin = NormalDist().inv_cdf(0.05) * math.sqrt(2 * 50.0**2 / n)
    pairs = paired(measured, baseline)
    return OtherRules(
        vllm_absolute=_said(found >= base - 0.08),
        vllm_relative=_said(abs(found - base) <= 1e-8 + 0.05 * found),
        vllm_lm_eval=_said(found >= base * (1 - 0.08)),
        vllm_two_sigma=two_sigma(base, len(baseline.items), found, n),
        sglang=_said(found >= base - SGLANG_MARGIN),
        llm_compressor=_said(round(found / base, 2) >= 0.95),
        tensorrt_llm=_said(100 * found >= 100 * base + margin),
        nel_gate=nel_gate(pairs, NEL_GATE_MAX_DROP),
        nel_gate_at_tolerance=nel_gate(pairs, accuracy_points / 100),
        nel_compare=nel_compare(pairs, NEL_COMPARE_MAX_DROP),
        nel_compare_at_tolerance=nel_compare(pairs, accuracy_points / 100),
    )


def _said(accepted: bool) -> Said:
    return "accepted" if accepted else "rejected"


def paired(measured: Answers, baseline: Answers) -> Pairs:
    """The questions of one id, whatever their order."""
    before = {item.id: item.correct for item in baseline.items}
    both = [(before[item.id], item.correct) for item in measured.items if item.id in before]
    return Pairs(len(both), both.count((True, False)), both.count((False, True)))


def two_sigma(base: float, n_base: int, found: float, n: int) -> Said:
    """vLLM's nightly check: perf-eval's lib/compare_via_api.py (--eval-sigma 2.0) asks vllm-dashboard, which decides in
    classifyEvalDelta of src/lib/compare.ts.

    Unpaired; there a baseline is another vLLM under the same checkpoint. Rejected ("regression", exit code 1) where the drop
    is at least 2*sqrt(e_base^2 + e_found^2), e = sqrt(p (1 - p)/(n - 1)) being lm-eval's standard error. Less is "noisy" and
    accepted, as is any improvement; without any spread every drop counts. Needs two items each.
    """
    drop = base - found
    if drop < 1e-12:
        return "accepted"
    sigma = math.sqrt(base * (1 - base) / (n_base - 1) + found * (1 - found) / (n - 1))
    return _said(sigma > 0 and drop / sigma < 2)


def nel_gate(pairs: Pairs, max_drop: float) -> Said:
    """NVIDIA NeMo Evaluator, `nel gate`: _paired_delta_ci and _apply_thresholds of src/nemo_evaluator/engine/gate.py.

    Paired. The two-sided 95 % t interval of the mean item difference, (n - 1) degrees of freedom, ends rounded to 6 decimals.
    BREACH (NO-GO, exit code 1) where all of it lies above `max_drop`, PASS (GO) where none of it does, otherwise and below 10
    pairs INSUFFICIENT_EVIDENCE (INCONCLUSIVE; exit code 2, or 0 with --no-strict): undecided. max_drop is 0.015 where a policy
    states none (GatePolicy). Left out: its relative threshold, which is off by default, and its clustered interval, for
    items that all name a category, which its own GSM8K does not.
    """
    from scipy import special

    n, regressed, improved = pairs
    if n < 10:
        return "undecided"
    drop = (regressed - improved) / n
    variance = max(0.0, regressed + improved - n * drop**2) / (n - 1)
    reach = float(special.stdtrit(n - 1, 0.975)) * math.sqrt(variance / n)
    if round(drop - reach, 6) > max_drop:
        return "rejected"
    return "accepted" if round(drop + reach, 6) <= max_drop else "undecided"


def nel_compare(pairs: Pairs, max_drop: float) -> Said:
    """NVIDIA NeMo Evaluator, `nel compare`: _compute_verdict of src/nemo_evaluator/engine/comparison.py with mcnemar_test and
    mde_estimate of metrics/paired_tests.py.

    Paired. BLOCK (exit code 1) where the exact one-sided McNemar test has p < 0.05 and the drop is above `max_drop`; WARN where
    it is not above: warned. Without significance INCONCLUSIVE, undecided, where 2.8/sqrt(discordant) > 2*max_drop, that is
    below (1.4/max_drop)^2 discordant pairs, otherwise PASS; nothing discordant passes too. WARN and INCONCLUSIVE exit with 2,
    or with 0 under --no-strict. max_drop is the command's --max-drop, 0.05. (2.8 is said to be for 80 % power; it compares
    a share of the discordant pairs with a share of all.)
    """
    n, regressed, improved = pairs
    discordant = regressed + improved
    if discordant == 0:
        return "accepted"
    if round(stats.mcnemar_p(regressed, improved), 6) < 0.05:
        return "rejected" if round((regressed - improved) / n, 6) > max_drop else "warned"
    return "undecided" if 2.8 / math.sqrt(discordant) > 2 * max_drop else "accepted"
