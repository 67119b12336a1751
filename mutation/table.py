"""The rows of a mutation run as Markdown tables, beside the true losses of `truth.json`."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mutation.other_rules import NEL_COMPARE_MAX_DROP, NEL_GATE_MAX_DROP, SGLANG_MARGIN, Said
from quantgate.judgement import ANSWERS_UNIT, decision_probabilities
from quantgate.records import Verdict

CAUGHT = ("fail", "error")
SURE = 3.0
"""From this many times the tolerance on a mutant must fail."""

RULES = {
    "vllm_absolute": "vLLM, GSM8K: accuracy >= expected - 0.08",
    "vllm_relative": "vLLM, lm-eval, formerly: within a relative 5 %",
    "vllm_lm_eval": "vLLM, lm-eval: accuracy >= 0.92 expected",
    "vllm_two_sigma": "vLLM, perf-eval: within 2 sigma, unpaired",
    "sglang": f"sglang: accuracy >= a constant, {100 * SGLANG_MARGIN:g} points below",
    "llm_compressor": "llm-compressor: round(ratio, 2) >= 0.95",
    "tensorrt_llm": "TensorRT-LLM: ref + Phi^-1(0.05) sqrt(2 sigma^2/n)",
    "nel_gate": f"NeMo Evaluator, `nel gate`, paired: {100 * NEL_GATE_MAX_DROP:g} points, its default",
    "nel_gate_at_tolerance": "NeMo Evaluator, `nel gate`, paired: this suite's tolerance",
    "nel_compare": f"NeMo Evaluator, `nel compare`, paired: {100 * NEL_COMPARE_MAX_DROP:g} points, its default",
    "nel_compare_at_tolerance": "NeMo Evaluator, `nel compare`, paired: this suite's tolerance",
}
"""Each of `OtherRules` as the table names it."""
ANSWERS_ALONE = ("boot", "answers", "answers not measured")
OTHERS_NOTE = (
    "A checkpoint that did not boot, or whose answers could not be measured, counts as rejected by every rule. In brackets: neither "
    "rejected nor accepted, and not counted as rejected. `undecided` is this suite's `inconclusive` (nothing fails, and not "
    "everything passes) and NeMo Evaluator's INCONCLUSIVE: of `nel gate` where the interval has the tolerance inside, of `nel "
    "compare` where the loss is not significant and the discordant pairs are too few to tell. `warned` is WARN of `nel compare`: a "
    "significant loss, no larger than the tolerance. Both commands exit with 1 where they reject and with 2 for what is in "
    "brackets, which `--no-strict` turns into 0."
)


class Finding(msgspec.Struct, frozen=True, array_like=True):
    """What one test said. `test`: boot, text, answers, length (of the answers), or text's or answers' drift."""

    test: str
    verdict: str
    reason: str
    drop: float | None = None
    tolerance: float | None = None
    n: int = 0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint through the suite."""

    name: str
    kind: str
    source: str
    summary: str
    findings: list[Finding]
    seconds: float
    checkpoint_fingerprint: str = ""
    perplexity: float | None = None
    accuracy: float | None = None
    others: dict[str, Said] = {}
    """What `OtherRules` say; empty where answers were not measured."""

    def caught(self) -> list[Finding]:
        return [one for one in self.findings if one.verdict in CAUGHT]

    def caught_against_bf16(self) -> list[Finding]:
        return [one for one in self.caught() if "drift" not in one.test]


class Fresh(msgspec.Struct, frozen=True):
    """One fresh suite: checkpoint → its verdicts on the text and on the questions."""

    seed: int
    verdicts: dict[str, tuple[Verdict, Verdict]]


class Report(NamedTuple):
    text: str
    is_good: bool


def tables(out: Path, truth_file: Path, pairing: str) -> Report:
    """All tables of the rows below `out`; good: nothing harmful passed beyond the stated error rate, nothing harmless failed."""
    truth = json.loads(truth_file.read_text(encoding="utf-8"))["checkpoints"]
    rows = [msgspec.json.decode(file.read_bytes(), type=Row) for file in sorted((out / "rows").glob("*.json"))]
    fresh = [msgspec.json.decode(file.read_bytes(), type=Fresh) for file in sorted((out / "fresh").glob("*.json"))]
    damaged = [row for row in rows if row.kind != "harmless"]
    harmful = sorted((row for row in damaged if truth[row.name]["harmful"]), key=lambda row: -_multiple(truth[row.name]))
    mild = sorted((row for row in damaged if not truth[row.name]["harmful"]), key=lambda row: -_multiple(truth[row.name]))
    harmless = [row for row in rows if row.kind == "harmless"]
    missed = [row for row in harmful if _multiple(truth[row.name]) >= SURE and not row.caught_against_bf16()]
    passed = [row for row in harmful if all(one.verdict == "pass" for one in row.findings if "drift" not in one.test)]
    alarms = [row for row in harmless if row.caught()]
    failed = sum(one.verdict in CAUGHT for suite in fresh for both in suite.verdicts.values() for one in both)
    expected = _expected_fails(fresh, truth)
    subtle = sum(1 <= _multiple(truth[row.name]) < SURE for row in harmful)
    parts = [
        f"{len(damaged)} mutants, {len(harmful)} of them harmful ({subtle} between 1 and {SURE:g} times the tolerance). "
        f"At {SURE:g} times and more, not failed: {len(missed)}{_names(missed)}. "
        f"Harmful and passed by every test against BF16: {len(passed)}{_names(passed)}. "
        f"Harmless changes and reruns: {len(harmless)}, false alarms: {len(alarms)}{_names(alarms)}. "
        f"Fresh suites: {len(fresh)}, fails of unharmed checkpoints: {failed}, where their true losses let expect {expected:.1f}.",
        "## Harmful mutants\n\n" + _table(harmful, truth),
        "## Mutants that cost less than the tolerance\n\n" + _table(mild, truth),
        "## Harmless changes and reruns\n\n" + _table(harmless, truth),
        "## Other rules, on the same answers\n\n" + _others(harmful, mild, harmless, truth),
        "## The same questions, paired and unpaired\n\n" + pairing,
        "## Fresh suites, unharmed checkpoints\n\n" + _fresh(fresh, truth),
    ]
    # Twice the expected fails and two more leave one Poisson run in a thousand outside.
    good = not missed and not alarms and failed <= 2 * expected + 2 and len(passed) <= max(1, round(0.05 * len(harmful)))
    return Report("\n\n".join(parts) + "\n", good)


def _multiple(true: dict[str, Any]) -> float:
    return float("inf") if true["multiple"] is None else float(true["multiple"])


def _names(rows: Sequence[Row]) -> str:
    return f" ({', '.join(row.name for row in rows)})" if rows else ""


def _table(rows: Sequence[Row], truth: dict[str, Any]) -> str:
    head = ["mutant", "true loss: PPL, points", "x tolerance", "text", "answers", "length", "text drift", "answers drift", "caught by"]
    lines = []
    for row in rows:
        true = truth.get(row.name)
        loss = "not measured" if true is None else "no model" if true["void"] else _loss(true)
        times = "" if true is None else "inf" if true["multiple"] is None else f"{true['multiple']:.2f}"
        by = {one.test: one for one in row.findings}
        cells = [_cell(by.get(test)) for test in ("text", "answers", "length", "text drift", "answers drift")]
        first = ", ".join(f"{one.test}" + (f" (n = {one.n})" if one.n else "") for one in row.caught()) or "-"
        lines.append([f"{row.name}: {row.summary}", loss, times, *cells, first])
    return _markdown(head, lines)


def _loss(true: dict[str, Any]) -> str:
    return f"{100 * (true['perplexity_ratio'] - 1):+.1f} %, {true['accuracy_drop_points']:+.1f}"


def _cell(one: Finding | None) -> str:
    return "" if one is None else one.verdict


def _others(harmful: Sequence[Row], mild: Sequence[Row], harmless: Sequence[Row], truth: dict[str, Any]) -> str:
    sure = [row for row in harmful if _multiple(truth[row.name]) >= SURE]
    subtle = [row for row in harmful if row not in sure]
    groups = {f"harmful, {SURE:g} x and more": sure, f"harmful, 1 to {SURE:g} x": subtle, "below the tolerance": mild, "harmless": harmless}
    head = ["rejected by", *(f"{name} ({len(rows)})" for name, rows in groups.items())]
    tests: dict[str, Callable[[Row], Said]] = {said: partial(_said_by, rule) for rule, said in RULES.items()}
    tests["this suite, answers alone, against BF16"] = lambda row: _suite([one for one in row.findings if one.test in ANSWERS_ALONE])
    tests["this suite, against BF16"] = lambda row: _suite([one for one in row.findings if "drift" not in one.test])
    tests["this suite, drift included"] = lambda row: _suite(row.findings)
    lines = [[said, *(_counts(list(map(test, rows))) for rows in groups.values())] for said, test in tests.items()]
    return _markdown(head, lines) + "\n\n" + OTHERS_NOTE


def _said_by(rule: str, row: Row) -> Said:
    if row.accuracy is None:
        return "rejected"
    if rule not in row.others:
        raise SystemExit(f"{row.name}: its row was stored before the rule {rule}; --judge-again fills it in from the stored answers")
    return row.others[rule]


def _suite(findings: Sequence[Finding]) -> Said:
    if any(one.verdict in CAUGHT for one in findings):
        return "rejected"
    return "accepted" if all(one.verdict == "pass" for one in findings) else "undecided"


def _counts(said: Sequence[Said]) -> str:
    """How many reject, and in brackets how many neither reject nor accept."""
    counts = Counter(said)
    neither = ", ".join(f"{counts[one]} {one}" for one in ("warned", "undecided") if counts[one])
    return f"{counts['rejected']}" + (f" ({neither})" if neither else "")


def _fails_expected(of: list[Verdict], true: dict[str, Any]) -> float:
    """Fails that the true loss lets expect of these verdicts on answers; of text, whose spread is small beside the rest, none."""
    return sum(
        decision_probabilities(one.n, true["discordance"], true["accuracy_drop_points"] / 100, (one.tolerance or 0.0) / 100, 2)[1]
        for one in of
        if one.unit == ANSWERS_UNIT
    )


def _expected_fails(fresh: Sequence[Fresh], truth: dict[str, Any]) -> float:
    return sum(_fails_expected(list(both), truth[name]) for suite in fresh for name, both in suite.verdicts.items())


def _fresh(fresh: Sequence[Fresh], truth: dict[str, Any]) -> str:
    lines = []
    for name in fresh[0].verdicts if fresh else ():
        for place, what in enumerate(("text", "answers")):
            found = [one.verdicts[name][place] for one in fresh]
            counts = [str(sum(one.verdict == word for one in found)) for word in ("pass", "inconclusive", "fail", "error")]
            drops = sorted(one.drop for one in found if one.drop is not None)
            loss = _loss(truth[name]).split(", ")[place]
            expected = f"{_fails_expected(found, truth[name]):.1f}"
            seen = f"{drops[0]:.4f} to {drops[-1]:.4f} {found[0].unit}"
            lines.append([f"{name}, {what}", loss, f"{found[0].n}", *counts, expected, seen])
    return _markdown(["", "true loss", "n", "pass", "inconclusive", "fail", "error", "fails to expect", "drops seen"], lines)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))
