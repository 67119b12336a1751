"""Every command of README.md and docs/ is run, read by the program's own parser, or marked with the reason why not."""

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quantgate.cli import main, make_parser
from tests_fixtures.doubles.documented import RULES, Command, by, commands, rule_of

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "fixtures" / "reference"
MODELS = {"Qwen3-14B": "bf16", "Qwen3-14B-NVFP4": "nvfp4"}
"""What the pages call their model, and what stands there instead."""


def lines(found: list[Command]) -> list[str]:
    return [one.line for one in found]


def test_no_command_is_unaccounted_for_and_no_rule_is_idle() -> None:
    assert [one for one in commands() if rule_of(one) is None] == []
    assert [rule for rule in RULES if not any(rule_of(one) is rule for one in commands())] == []
    assert [rule for rule in RULES if (rule.way == "run") != (rule.reason == "")] == []
    assert len(commands()) > 100


def test_lines_of_blocks_and_spans_are_found_and_prose_is_not(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Run `pytest -m fp8` or `quantgate`:\n\n    A=/b quantgate suites   # all\n    cd x && pytest -q\n    others\n\n"
        "```\n$ quantgate table\nquantgate  12\n```\ntext\n    pytest none\n",
        encoding="utf-8",
    )
    assert lines(commands((page,))) == ["pytest -m fp8", "A=/b quantgate suites", "cd x", "pytest -q", "quantgate table"]
    assert Command("", "A=/b quantgate compare B C [--metric NAME] [--columns …]").words == [
        "quantgate", "compare", "B", "C", "--metric", "NAME", "--columns", "X",
    ]  # fmt: skip


@pytest.mark.parametrize("command", [one for one in by("run", "parse") if "quantgate" in one.words[0]], ids=lambda one: one.line)
def test_the_command_line_reads_it(command: Command) -> None:
    words = command.words[1:]
    words = words[: words.index("--")] if "--" in words else words  # what is behind it is pytest's
    if len(words) == 1 and words[0] in ("compare", "inspect", "quantize", "init", "table"):
        words.append("--help")  # a command's name alone, in prose
    with contextlib.suppress(SystemExit) if "--help" in words else contextlib.nullcontext():
        assert make_parser().parse_args(_whole(words)).command == words[0]


def _whole(words: list[str]) -> list[str]:
    """An option named in prose stands without what the command wants besides."""
    wanted = ["--base-url", "http://127.0.0.1:8000", "--model", "M", "--concurrency", "1", "--requests", "1", "--max-tokens", "1"]
    return [*words, "1", *wanted] if words == ["bench", "--request-rate"] else words


@pytest.mark.parametrize("command", [one for one in by("run", "collect", "parse") if "pytest" in one.words[0]], ids=lambda one: one.line)
def test_pytest_reads_it(command: Command, pytestconfig: pytest.Config) -> None:
    _, unknown = pytestconfig._parser.parse_known_and_unknown_args(command.words[1:])  # the parser with every plugin's options
    assert unknown == []


@pytest.mark.parametrize("command", by("target"), ids=lambda one: one.line)
def test_make_has_it(command: Command) -> None:
    asked = subprocess.run(["make", "--dry-run", *command.words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize("command", by("module"), ids=lambda one: one.line)
def test_python_finds_it(command: Command) -> None:
    assert importlib.util.find_spec(command.words[2]) is not None


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A home with the pages' model in it and a project made of it, under git, with baselines to look at."""
    (tmp_path / "models").mkdir()
    for name, source in MODELS.items():
        (tmp_path / "models" / name).symlink_to(REFERENCE / source)
    made = tmp_path / "made"
    names = [str(tmp_path / "models" / name) for name in MODELS]
    assert main(["init", str(made), "--family=qwen3-14b", *names]) == 0
    (made / "my-models.toml").write_bytes((made / "models.toml").read_bytes())
    (made / "baselines").mkdir()
    (made / "baselines" / "one.json").write_text("{}\n", encoding="utf-8")
    return made


@pytest.fixture
def typed(project: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Type a line into a shell there; paths of the pages lie in the home, and GPUs are CPU slots."""
    home = project.parent

    def run(line: str) -> subprocess.CompletedProcess[str]:
        there = re.sub(r"(?<![\w.])/(models|srv|data|tmp)\b", rf"{home}/\1", line)
        there = there.replace("--gpu=0,1", "--gpu=cpu:0,cpu:1").replace("--gpu=0", "--gpu=cpu")
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "QUANTGATE_", "GIT_"))}
        env |= {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        env |= {f"GIT_{who}_{what}": "a" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        before = f"mkdir -p {home}/gates; git init -q .; git add -A; git commit -qm one; echo >> baselines/one.json"
        return subprocess.run(
            ["bash", "-ec", f"{before}; {there}"],  # noqa: S607
            cwd=project,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.thorough
@pytest.mark.parametrize("command", by("run"), ids=lambda one: one.line)
def test_it_runs_as_written(command: Command, typed: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    done = typed(command.line)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize("command", by("collect"), ids=lambda one: one.line)
def test_it_collects_as_written(command: Command, typed: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    done = typed(f"{command.line} --collect-only -q")
    none = 5 if re.search("fp8|throughput", command.line) else 0  # this project has no FP8, and a CPU no speed that counts
    assert done.returncode in (0, none), done.stdout + done.stderr
