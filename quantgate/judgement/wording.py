"""A verdict as one line for a tired reader: who, what was found, within what, on how much, and why it came out so."""

import math
from collections.abc import Sequence

from quantgate.plain_text import in_a_line
from quantgate.records import AS_DECLARED, NOT_KNOWN, NOT_RECORDED, PLAIN, Answers, Measurement, Noise, TextLoss, Verdict
from quantgate.stats import RESOLUTION_NATS

TEXT_UNIT = "ln(PPL ratio)"
ANSWERS_UNIT = "points"
SPEEDUP_UNIT = "ln(speed ratio)"
DECODE_UNIT = "ln(decode_tps ratio)"
TTFT_UNIT = "ln(TTFT ratio)"
LENGTH_UNIT = "ln(tokens ratio)"
NOUNS = {
    TEXT_UNIT: "documents",
    ANSWERS_UNIT: "items",
    SPEEDUP_UNIT: "rounds",
    DECODE_UNIT: "rounds",
    TTFT_UNIT: "rounds",
    LENGTH_UNIT: "answers",
}
RATIOS = {TTFT_UNIT: "TTFT", LENGTH_UNIT: "tokens"}
ASPECTS = {"length": "length", "ttft": "TTFT"}


def sentence(verdict: Verdict) -> str:
    """One line: who, what was found, within what, on how much, and why it came out so. A name that a task brought along steers no
    terminal."""
    return in_a_line(_sentence(verdict))


def _sentence(verdict: Verdict) -> str:
    since = " since its approval" if verdict.against == "own" else ""
    aspect = f" {ASPECTS[verdict.aspect]}" if verdict.aspect else ""
    head = f"{verdict.verdict}: {verdict.family}/{verdict.checkpoint} {verdict.suite}{aspect}{since}: "
    if verdict.drop is None or verdict.tolerance is None:
        return head + verdict.reason
    count = f"n = {verdict.n} {NOUNS.get(verdict.unit, '')}".rstrip() if verdict.discordant is None else f"n = {verdict.n}"
    if verdict.clusters is not None:
        count += f" in {verdict.clusters} clusters"
    if verdict.discordant is not None:
        count += f" ({verdict.discordant.regressed} regressed, {verdict.discordant.improved} improved)"
    if verdict.verdict == "pass" and verdict.against == "own" and verdict.drop == 0 and not _moved(verdict):
        rest = verdict.reason.removeprefix("within tolerance")
        return f"{head}unchanged, {count.partition(' (')[0]}{rest}"
    apart = ""
    if verdict.divergence is not None and verdict.divergence.kl_nats.mean > 0:
        apart = f", KL >= {verdict.divergence.kl_nats.mean:.2g} nats, same top token {100 * verdict.divergence.top1_agreement:.1f} %"
    found, wanted = _found(verdict, verdict.drop), _wanted(verdict, verdict.tolerance)
    return f"{head}{found}, {wanted}, {count}{apart}; {_computed(verdict)}{verdict.reason}"


def _computed(verdict: Verdict) -> str:
    """In how many bits, and by which kernels; nothing of BF16, and nothing since an approval, where a change is a note."""
    if verdict.against == "own" or verdict.numerics in ("", NOT_RECORDED, PLAIN):
        return ""
    return f"{computed(verdict.numerics, verdict.kernels)}; "


def computed(numerics: str, kernels: Sequence[str]) -> str:
    """ "W4A16 by MarlinNvFp4LinearKernel"; behind what is not certain a kernel is named, and answers for nothing."""
    told = f"numerics {numerics}" if numerics in (NOT_KNOWN, NOT_RECORDED) else numerics
    by = ", by " if told != numerics or told.endswith(AS_DECLARED) else " by "
    return told + (by + ", ".join(kernels) if kernels else "")


def loss(verdict: Verdict) -> str:
    """What was lost, with its interval; "" where nothing could be judged."""
    return "" if verdict.drop is None else _found(verdict, verdict.drop)


def wanted(verdict: Verdict) -> str:
    """What was asked for, in the unit of the loss; "" where nothing could be judged."""
    return "" if verdict.tolerance is None else _wanted(verdict, verdict.tolerance)


def _moved(verdict: Verdict) -> bool:
    if verdict.discordant is not None:
        return verdict.discordant.regressed + verdict.discordant.improved > 0
    return verdict.interval != (0.0, 0.0)


def figure(measured: Measurement, old: Measurement | None = None) -> str:
    """A measurement's one figure with its name and unit, behind the old one's where there is one."""
    name, shown, unit = figure_parts(measured)
    before = f"{figure_parts(old)[1]} -> " if old is not None else ""
    return f"{name} {before}{shown}{unit}"


def figure_parts(measured: Measurement) -> tuple[str, str, str]:
    """Name, value and unit of a measurement's one figure; the unit begins with its space."""
    if isinstance(measured, TextLoss):
        return "perplexity", f"{measured.perplexity:.5g}", ""
    if isinstance(measured, Answers):
        of = "" if measured.stopped is None else f" of {measured.stopped.asked:,} asked"
        if measured.category_mean is not None:
            by, other, figure = "question", "category", measured.category_mean
            if measured.mean == "category":
                by, other, figure = other, by, measured.accuracy
            of = f"{of} by {by} ({100 * figure:.2f} % by {other})"
            return "accuracy", f"{100 * measured.figure:.2f}", f" %{of}"
        return "accuracy", f"{100 * measured.accuracy:.2f}", f" %{of}"
    return "decode", f"{measured.decode_tps:.0f}", " tokens/s"


def _found(verdict: Verdict, drop: float) -> str:
    low, high = verdict.interval or (math.nan, math.nan)
    if verdict.unit == TEXT_UNIT:
        shown = [_per_cent(value) for value in (drop, low, high)]
        found = f"perplexity {shown[0]}"
    elif verdict.unit in (SPEEDUP_UNIT, DECODE_UNIT):
        shown = [f"{_exp(-value):.2f}" for value in (drop, high, low)]
        found = f"{shown[0]}x of {'BF16' if verdict.unit == SPEEDUP_UNIT else 'its baseline'}"
    elif verdict.unit in RATIOS:
        shown = [f"{_exp(value):.2f}" for value in (drop, low, high)]
        found = f"{RATIOS[verdict.unit]} {shown[0]}x of {'its baseline' if verdict.against == 'own' else 'BF16'}"
    else:
        # The interval is turned to the word: behind "better", positive is better.
        low, high = (low, high) if drop >= 0 else (-high, -low)
        shown = [f"{value + 0.0:.2f}" for value in (abs(drop), low, high)]
        by = next((f" by {one.name}" for one in verdict.means if one.gated), "")
        found = f"{shown[0]} {verdict.unit} {'worse' if drop >= 0 else 'better'}{by}"
    return f"{found}{f' [{shown[1]}, {shown[2]}]' if verdict.interval else ''}"


def _wanted(verdict: Verdict, tolerance: float) -> str:
    if verdict.unit == TEXT_UNIT:
        return f"tolerance {_per_cent(tolerance)}"
    if verdict.unit in (SPEEDUP_UNIT, DECODE_UNIT):
        return f"at least {_exp(-tolerance):.2f}x wanted"
    if verdict.unit in RATIOS:
        return f"at most {_exp(tolerance):.2f}x wanted"
    return f"tolerance {tolerance + 0.0:.2f}"


def _per_cent(value: float) -> str:
    """Of a perplexity, from the logarithm of its ratio; a million per cent and more by their power of ten."""
    percent = 100 * (_exp(value) - 1)
    return f"{percent:+.2f} %" if percent < 1e6 else f"{percent:+.1e} %"


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))  # beyond, a float overflows, and the reader has long understood


def noise_in_words(noise: Noise | None, checkpoint: str) -> str | None:
    """A note for the verdict, or None where a second run changed nothing."""
    if noise is None:
        return None
    if noise.flipped or noise.changed:
        return f"{checkpoint} asked twice flips {noise.flipped} of {noise.n} answers and words {noise.changed} otherwise"
    if noise.max_nll_per_token > RESOLUTION_NATS:
        return f"{checkpoint} measured twice moves a document by up to {noise.max_nll_per_token:.1g} nats/token"
    return None
