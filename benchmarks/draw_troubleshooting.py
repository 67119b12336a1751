"""The index at the end of docs/troubleshooting.md: every sentence that asks something of the user, below the section that helps.

`python -m benchmarks.draw_troubleshooting` writes it anew; a test holds that it is up to date and that no sentence is without a section.
"""

import re
from collections.abc import Iterable, Mapping

from benchmarks.sentences import ROOT, Sentence, sentences

PAGE = ROOT / "docs" / "troubleshooting.md"
MARK = "<!-- Below this line: `python -m benchmarks.draw_troubleshooting`. -->\n"

TABLE: tuple[tuple[str, str, str], ...] = (
    # file, a part of the sentence, the section's title; the first that fits counts
    ("quantgate/merging|cli/merge", "", "Shards that are no one whole"),
    ("quantgate/(matrix|nightly/part)|cli/plan|fixtures/(shard|reuse)|records/shard", "", "Shards, and what is measured already"),
    ("fan_out/slurm", "", "A matrix on Slurm"),
    ("quantgate/fan_out/|cli/fan_out", "", "A matrix on Ray"),
    ("quantgate/(history|nightly|report/page)|cli/(history|nightly|bisect)|fixtures/report", "", "Nights, their history, and the page"),
    (
        "",
        r"not all finite|NaN and Inf|every logprob becomes NaN|the logprob of",
        "NaN and infinite numbers",
    ),
    ("fixtures/for_tests", "cannot be served on", "Weights do not fit"),
    ("fixtures/for_tests|tests_quant", "", "A checkpoint's files are unsound"),
    ("fixtures/(gate|snapshots|options)", "review it|not stored|--reason|not approved", "Not approved, and why"),
    (
        "fixtures/stop_early|judgement/(admissible|failed|early)",
        "to approve|a baseline (has every item|holds all)|measure it whole",
        "Stopped early",
    ),
    ("judgement/(early|admissible)", "measure it (again|whole)|the baseline has", "Stopped early"),
    (
        "fixtures/(gate|options)|quantgate/folders",
        "<records>|is a file; name a folder|cannot be written|name a folder that",
        "A folder cannot be written",
    ),
    ("quantgate/folders", "GiB", "A disk is full"),
    ("fixtures/placement", "--records", "Records are in use by another run"),
    ("fixtures/placement", "speed is not measured|-n <count>", "Speed, and several workers"),
    ("fixtures/placement", "--gpu-wait", "A device is busy"),
    ("fixtures/(placement|plugin)", "--endpoint", "An endpoint"),
    ("fixtures/placement", "", "Choosing devices"),
    ("fixtures/options", "no suite|no such suite", "An unknown suite, family or key"),
    ("fixtures/(plugin|parametrization|options)", "", "The command line is not understood"),
    ("quantgate/baselines/(where)", "", "The command line is not understood"),
    (
        "quantgate/baselines/(store|objects|chain|shared)|records/apart",
        r"<url>|<self.url>|<what>|store|folder before",
        "A store of baselines is away",
    ),
    ("quantgate/baselines|quantgate/records", "", "A baseline or record cannot be read"),
    ("judgement/judge", "", "No BF16 baseline"),
    ("cli/init", "", "No BF16 baseline"),
    ("judgement/endings|judgement/wellformed|suites/room", "", "Answers cut off, or without an end"),
    ("judgement/answers", "cannot discriminate", "Too easy or too hard to tell anything"),
    ("judgement/", "better by|faster by|shorter by|carr(y|ies)", "Better than it should be"),
    ("judgement/foresight", "", "Inconclusive or underpowered"),
    ("judgement/(rule|paired|means|text|groups)", "measure more|do not decide|lies too near", "Inconclusive or underpowered"),
    ("judgement/(speed|admissible)", r"TTFT|speed|well and free|ask for more at once", "A speed that counts for nothing"),
    ("judgement/failed", "", "Requests failed"),
    ("judgement/comparison", "", "Comparing results"),
    ("judgement/(tolerances|rule)", "", "Tolerances and values in models.toml"),
    ("judgement/", "", "Not comparable with its baseline"),
    ("devices/(locks|memory)|quantgate/locks", "", "A device is busy"),
    ("devices/health", "", "A speed that counts for nothing"),
    ("devices/", "", "Choosing devices"),
    ("server/endpoint|cli/bench", "key|--endpoint|address", "An endpoint"),
    ("server/launch", "GiB", "Weights do not fit"),
    ("server/vllm_log", "memory|max_num_seqs|page cache|max_model_len", "Weights do not fit"),
    ("server/vllm_log", "compute this precision|dtype", "No kernel for this device"),
    ("server/vllm_log", "temporary folder", "A disk is full"),
    ("checkpoint/engine/telling", "dtype", "No kernel for this device"),
    ("server/server", "killed by|kernel's out-of-memory", "Weights do not fit"),
    ("server/", "", "vLLM did not boot, died or hangs"),
    ("sandbox/|measure/code", "", "The sandbox does not hold"),
    ("registry/hub", "has not been made yet", "A checkpoint was not made yet"),
    ("registry/hub|suites/public", "--data-dir|name a folder with", "Local data: --data-dir"),
    ("registry/hub|uv|suites/(public|questions)", "", "No network, or gated data"),
    ("registry/(limits|mistakes)", "", "Tolerances and values in models.toml"),
    ("registry/(reading|models)", "unknown|no such family|is no name|twice|no family|has no <name>", "An unknown suite, family or key"),
    ("registry/", "", "Tolerances and values in models.toml"),
    ("suites/harnesses|harness/", "", "Another harness, and its environment"),
    ("suites/declared", "", "A suite of your own"),
    ("cli/suites", "no suite", "An unknown suite, family or key"),
    ("cli/suites", "--verify", "The sandbox does not hold"),
    ("quantize/|programs/", "", "Making a checkpoint"),
    ("measure/adopt|cli/compare|quantgate/notebook", "", "Comparing results"),
    ("measure/load|measure/throughput|cli/bench|report/load", "", "A speed that counts for nothing"),
    ("measure/mathematics", "", "vLLM did not boot, died or hangs"),
    ("measure/text_loss", "<model> gives <told>", "NaN and infinite numbers"),
    ("measure/text_loss", "tokens were sent|no logprob", "An endpoint"),
    ("measure/text_loss", "", "Answers cut off, or without an end"),
    ("measure/", "", "Requests failed"),
    ("quantgate/fingerprint", "", "Tokenizer or template differ"),
    ("checkpoint/companions", "", "Tokenizer or template differ"),
    ("checkpoint/", "", "A checkpoint's files are unsound"),
    ("report/table", "", "Not comparable with its baseline"),
    ("cli/(new_project|inspect|table|suites)|quantgate/elsewhere|stats/", "", "The command line is not understood"),
)


def section_of(one: Sentence) -> str | None:
    """The title of the section that helps; None where nobody has said."""
    return next((title for file, part, title in TABLE if re.search(file, one.file) and re.search(part, one.text)), None)


def anchor(title: str) -> str:
    """As Markdown's table of contents makes it."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip())


def titles(page: str) -> list[str]:
    """The sections written by hand."""
    return re.findall(r"^## (.+)$", page.partition(MARK)[0], flags=re.MULTILINE)


def quoted(page: str) -> dict[str, list[str]]:
    """By section, the sentences that it shows as printed: the lines of its ```text blocks."""
    sections = re.split(r"^## (.+)$", page.partition(MARK)[0], flags=re.MULTILINE)[1:]
    blocks = (re.findall(r"^```text\n(.*?)^```$", body, flags=re.MULTILINE | re.DOTALL) for body in sections[1::2])
    return {title: "\n".join(found).splitlines() for title, found in zip(sections[::2], blocks, strict=True)}


def pattern(text: str) -> re.Pattern[str]:
    """What matches a sentence as it is printed, whatever stands in the place of <…>."""
    return re.compile(".*?".join(re.escape(part) for part in re.split(r"<[^<>]*>", text)))


def index(found: Iterable[Sentence], sections: Iterable[str]) -> str:
    """The generated half: by section, each sentence once."""
    by_title: Mapping[str, list[str]] = {title: [] for title in sections}
    for one in found:
        title = section_of(one)
        if title is not None and one.text not in by_title[title]:
            by_title[title].append(one.text)
    parts = ["## Every message\n\nWhat changes stands in <…>; a message may be put together from several of these.\n"]
    for title, texts in by_title.items():
        lines = "".join(f"- `` {text} ``\n" for text in texts)
        parts.append(f"**[{title}](#{anchor(title)})**\n\n{lines}")
    return "\n".join(parts)


def drawn(page: str) -> str:
    """The page with its index as the sources are now."""
    by_hand = page.partition(MARK)[0]
    return by_hand + MARK + "\n" + index(sentences(), titles(by_hand))


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
