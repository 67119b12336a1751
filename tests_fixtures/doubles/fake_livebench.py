"""A checkout that stands in for LiveBench's: its command line, its layout, and Python alone."""

import json
import sys
from pathlib import Path

PROGRAM = """
import argparse, json, os, sys, urllib.request
from pathlib import Path
parser = argparse.ArgumentParser(allow_abbrev=False)
for name in ("mode", "model", "model-display-name", "livebench-release-option", "api-base", "api-key-name", "question-source"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--bench-name", nargs="+", required=True)
for name in ("parallel-requests", "max-tokens", "question-begin", "question-end"):
    parser.add_argument(f"--{name}", type=int)
parser.add_argument("--force-temperature", type=float)
parser.add_argument("--resume", action="store_true")
parser.add_argument("--ignore-missing-answers", action="store_true")
asked = parser.parse_args()
assert Path("gen_api_answer.py").exists(), os.getcwd()
Path("asked.json").write_text(json.dumps(vars(asked)))
for file in sorted(Path("data", "live_bench").glob("*/*/question.jsonl")):
    folder, (category, task) = file.parent, file.parts[2:4]
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    answers = folder / "model_answer" / f"{asked.model_display_name}.jsonl"
    judgments = folder / "model_judgment" / "ground_truth_judgment.jsonl"
    for one in (answers, judgments):
        one.parent.mkdir(exist_ok=True)
    done = {json.loads(line)["question_id"] for line in answers.read_text().splitlines()} if asked.resume and answers.exists() else set()
    for row in rows[: asked.question_end]:
        if row["question_id"] in done:
            continue
        body = {"model": asked.model, "messages": [{"role": "user", "content": row["turns"][0]}], "temperature": asked.force_temperature,
            "max_tokens": asked.max_tokens}
        sent = urllib.request.Request(f"{asked.api_base}/chat/completions", json.dumps(body).encode(),
            {"Authorization": f"Bearer {os.environ[asked.api_key_name]}", "Content-Type": "application/json"})
        got = json.load(urllib.request.urlopen(sent, timeout=30))
        text = got["choices"][0]["message"]["content"] or "$ERROR$"
        name, whose = row["question_id"], asked.model_display_name
        answer = {"question_id": name, "answer_id": f"a-{name}", "model_id": whose, "choices": [{"index": 0, "turns": [text]}],
            "tstamp": 1.0, "total_output_tokens": got["usage"]["completion_tokens"]}
        judgment = {"question_id": name, "task": task, "model": whose, "turn": 1, "score": float(text.endswith("42")), "tstamp": 2.0,
            "category": category, "answer_id": f"a-{name}"}
        for out, line in ((answers, answer), (judgments, judgment)):
            with out.open("a") as opened:
                opened.write(json.dumps(line) + "\\n")
"""


def checkout(folder: Path) -> Path:
    """A checkout with an environment in it, which is this one."""
    program = folder / "livebench"
    program.mkdir(parents=True)
    (program / "run_livebench.py").write_text(PROGRAM, encoding="utf-8")
    (program / "gen_api_answer.py").touch()
    (program / "data").mkdir()
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return folder


def questions(folder: Path, counts: dict[str, list[str]]) -> Path:
    """Questions below --data-dir, by "category/task"."""
    for place, asked in counts.items():
        file = folder / "livebench" / "live_bench" / place / "question.jsonl"
        file.parent.mkdir(parents=True)
        rows = [{"question_id": f"{place.replace('/', '-')}-{number}", "turns": [text]} for number, text in enumerate(asked)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder
