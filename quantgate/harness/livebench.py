"""LiveBench, which no package index has: a checkout that people have made, run by its own command line in a folder of the measurement's.

LIVEBENCH names the checkout. Its program reads and writes `data/` where it runs, so it runs beside links to the checkout's files: answers
and judgments are the measurement's own, and those of an interrupted run are there when it goes on (--resume).
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from quantgate import fingerprint
from quantgate.errors import ConfigurationError, MeasurementError
from quantgate.harness.asked import CONCURRENCY, Asked, Command
from quantgate.measure.adopt import Choice, Run, adopt
from quantgate.programs import Environment
from quantgate.suites import HarnessSuite

NAME = "LiveBench"
LIVEBENCH = "QUANTGATE_LIVEBENCH"
PROGRAM = Path("livebench", "run_livebench.py")
KEY = "QUANTGATE_LIVEBENCH_KEY"
NO_KEY = "none"
PYTHONS = (".venv", "venv", "env")
BENCH = "live_bench"


class LiveBench:
    """As `Harness` has it."""

    name = NAME

    def environment(self, suite: HarnessSuite) -> Environment | None:  # noqa: ARG002 (it has its own)
        return None

    def pins(self, suite: HarnessSuite) -> list[str]:  # noqa: ARG002 (whatever the release, the program is the checkout's)
        """Which LiveBench it is: the checkout's commit, or its program's content where it is no checkout of git."""
        checkout = _checkout()
        git = shutil.which("git")
        if git is not None and (checkout / ".git").exists():
            told = subprocess.run([git, "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
            if told.returncode == 0:
                return [f"LiveBench {told.stdout.strip()}"]
        return [f"LiveBench {fingerprint.of((checkout / PROGRAM).read_text(encoding='utf-8'))}"]

    def command(self, asked: Asked, python: Path | None) -> Command:  # noqa: ARG002 (it has its own)
        checkout, suite, server = _checkout(), asked.suite, asked.server
        interpreter = next((found for name in PYTHONS if (found := checkout / name / "bin" / "python").exists()), None)
        if interpreter is None:
            raise ConfigurationError(
                f"suite {suite.name}: {LIVEBENCH}={checkout} has no environment in .venv; make it: "
                f"cd {checkout} && uv venv && uv pip install -e ."
            )
        work = _laid_out(asked, checkout)
        line = [str(interpreter), "-u", PROGRAM.name, "--mode", "single", "--bench-name", BENCH, "--model", server.model]
        line += ["--model-display-name", display_name(asked), "--livebench-release-option", suite.task]
        line += ["--api-base", f"{server.base_url}/v1", "--api-key-name", KEY, "--parallel-requests", str(CONCURRENCY), "--resume"]
        line += ["--force-temperature", f"{suite.temperature:g}", "--question-source", "huggingface" if suite.data is None else "jsonl"]
        if suite.max_tokens is not None:
            line += ["--max-tokens", str(suite.max_tokens)]
        if asked.limit is not None:
            line += ["--question-begin", "0", "--question-end", str(asked.limit), "--ignore-missing-answers"]
        path = f"{interpreter.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return Command(line, {KEY: str(server.api_key) or NO_KEY, "PATH": path, "PYTHONPATH": str(checkout)}, work)

    def results(self, asked: Asked, told: dict[str, Any]) -> Run:  # noqa: ARG002 (LiveBench tells nothing else)
        data = asked.folder / "work" / "data"
        if not any(data.rglob("ground_truth_judgment.jsonl")):
            raise MeasurementError(
                f"{asked.server.checkpoint} {asked.suite.name}: LiveBench wrote no judgment below {data}; see its log beside"
            )
        (run,) = adopt(data, Choice(model=display_name(asked), mean=asked.suite.mean)).values()
        return run


def display_name(asked: Asked) -> str:
    """A model's name in LiveBench's files, which is a file's name too."""
    return str(asked.server.checkpoint).replace("/", "-").lower()


def _checkout() -> Path:
    """Raises ConfigurationError where none is named, or none is there."""
    named = os.environ.get(LIVEBENCH)
    if not named:
        raise ConfigurationError(
            f"LiveBench is on no package index: check it out (github.com/LiveBench/LiveBench), make its environment in .venv, and name the "
            f"folder with {LIVEBENCH}"
        )
    checkout = Path(named).expanduser().resolve()
    if not (checkout / PROGRAM).is_file():
        raise ConfigurationError(f"{LIVEBENCH}={named}: {PROGRAM} is not in it; name a checkout of LiveBench")
    return checkout


def _laid_out(asked: Asked, checkout: Path) -> Path:
    """A folder with links to what lies beside LiveBench's program, and a `data` of its own; of --data-dir its questions are linked."""
    work = asked.folder / "work"
    work.mkdir(exist_ok=True)
    (work / "data").mkdir(exist_ok=True)
    for one in sorted((checkout / PROGRAM).parent.iterdir()):
        if one.name != "data" and not (work / one.name).exists():
            (work / one.name).symlink_to(one)
    if asked.suite.data is not None:
        place = asked.suite.data.resolve() / (asked.suite.folder or "livebench")
        questions = sorted(place.glob(f"{BENCH}/*/*/question.jsonl"))
        if not questions:
            raise ConfigurationError(
                f"--data-dir={asked.suite.data}: suite {asked.suite.name} needs LiveBench's questions there, as "
                f"{place}/{BENCH}/CATEGORY/TASK/question.jsonl"
            )
        for one in questions:
            linked = work / "data" / one.relative_to(place)
            linked.parent.mkdir(parents=True, exist_ok=True)
            if not linked.exists():
                linked.symlink_to(one)
    return work
