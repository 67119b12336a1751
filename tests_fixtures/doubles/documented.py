"""The commands that README.md and docs/ tell people to type, and what becomes of each under test."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from benchmarks.draw_troubleshooting import MARK

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PROGRAMS = ("quantgate", "pytest", "make", "python", "vllm", "git", "cd", "uv", "hf")
SPAN = re.compile(r"`((?:quantgate|pytest|make|python -m) [^`\n]+)`")
SETTING = re.compile(r"[A-Z_]+=\S+")


class Command(NamedTuple):
    """A line as the page has it, without its remark, and where it stands."""

    page: str
    line: str

    @property
    def words(self) -> list[str]:
        """As a shell splits it, without the variables before it and what a synopsis marks as optional."""
        words = ["1" if word == "N" else word for word in shlex.split(re.sub(r"[\[\]]", "", self.line).replace("…", " X"))]
        while words and SETTING.fullmatch(words[0]):
            words = words[1:]
        return words


def commands(pages: tuple[Path, ...] = PAGES) -> list[Command]:
    """All of them, each once a page; what stands behind `&&` by itself."""
    found = {
        Command(page.name, part.strip()): None
        for page in pages
        for line in _lines(page.read_text(encoding="utf-8").partition(MARK)[0])
        for part in re.sub(r"\s+#.*$", "", line).split(" && ")
    }
    return list(found)


def _lines(page: str) -> Iterator[str]:
    """Lines of indented blocks, and behind the prompt of fenced ones, that begin with a program of ours; the same in backticks."""
    is_fenced, is_block, before = False, False, ""
    for line in page.splitlines():
        if line.startswith("```"):
            is_fenced = not is_fenced
        elif is_fenced:
            if line.startswith("$ "):
                yield line[2:]
        else:
            is_block = line.startswith("    ") and (is_block or not before.strip())
            if is_block and _program(line) in PROGRAMS and "──" not in line:  # no drawing
                yield line.strip()
            elif not is_block:
                yield from SPAN.findall(line)
        before = line


def _program(line: str) -> str:
    words = [word for word in line.split() if not SETTING.fullmatch(word)]
    return words[0] if words else ""


Way = Literal["run", "collect", "parse", "target", "module", "marked"]


class Rule(NamedTuple):
    """What becomes of the commands that begin like `pattern`. run: as written, in a temporary project; collect: the same, with
    --collect-only behind it; parse: its options are read; target: make has it; module: Python finds it; marked: none of that. `reason`
    says why it is not run."""

    pattern: str
    way: Way
    reason: str = ""


RULES = (
    Rule(r"quantgate (suites( gsm8k| mine| NAME)|suites humaneval)", "parse", "data: the network"),
    Rule(r"quantgate (suites|devices|init ~|inspect /models/\S+( --against /models/\S+)?$)", "run"),
    Rule(r"quantgate table --records \.quantgate/records|quantgate table$", "parse", "the records of a run on servers"),
    Rule(r"quantgate (compare|table|bench|quantize|inspect|init)", "parse", "files of one's own, a server, llm-compressor, or a synopsis"),
    Rule(r"quantgate plan", "parse", "the history of nights, or another machine's devices"),
    Rule(r"quantgate (report|nightly|history|bisect)", "parse", "the records and the history of nights on servers"),
    Rule(r"quantgate fan-out", "parse", "a cluster"),
    Rule(r"quantgate merge", "parse", "the records of shards on servers"),
    Rule(r"pytest --shard", "marked", "a shard of a run on servers"),
    Rule(r"git bisect", "marked", "a repository of one's own"),
    Rule(r"pytest --gpu=list", "run"),
    Rule(r"pytest benchmarks/", "marked", "another program (GuideLLM) and a GPU"),
    Rule(r"pytest --suites prose-48,gsm8k", "parse", "a model, and other harnesses' environments"),
    Rule(r"pytest .*(--tp 2|--suites=arc|--data-dir|--models=families)", "parse", "two GPUs, a model, or data"),
    Rule(r"pytest .*--family=shape", "parse", "a GPU"),
    Rule(r"(QUANTGATE_CACHE=\S+ )?pytest ", "collect", "it boots a server"),
    Rule(r"make ", "target", "minutes to an hour"),
    Rule(r"python -m vllm\.", "marked", "vLLM's own command, which wants a model"),
    Rule(r"python -m ", "module", "minutes, a GPU, or it writes into the tree"),
    Rule(r"vllm serve|hf ", "marked", "vLLM's own command, which wants a model; the hub's, which wants the network"),
    Rule(r"git (add|diff|checkout|commit|log)|cd ", "run"),
)


def rule_of(command: Command) -> Rule | None:
    """The first that fits; None: nobody has said what becomes of it."""
    return next((rule for rule in RULES if re.match(rule.pattern, command.line)), None)


def by(*ways: Way) -> list[Command]:
    """The commands of these ways, each line once."""
    found = {one.line: one for one in commands() if (rule := rule_of(one)) is not None and rule.way in ways}
    return list(found.values())
