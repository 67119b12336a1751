"""Programs that stand in for lm-eval's and Inspect's: they ask the server as those do, with Python alone, and write what those write."""

import sys
from pathlib import Path
from typing import Any

import pytest

from quantgate.harness import inspect_tasks, lm_eval
from quantgate.programs import Environment, Tells

ASK = """
import json, os, sys, time, urllib.request
from pathlib import Path
task = json.loads(sys.argv[1])
def tell(**said):
    Path(task["told"]).write_text(json.dumps(said))
def ask(url, key, body):
    sent = urllib.request.Request(url, json.dumps(body).encode(), {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(sent, timeout=30))
"""
LM_EVAL = """
config = json.loads(Path(task["config"]).read_text())
folder = Path(config["output_path"]) / "small__nvfp4"
folder.mkdir(parents=True, exist_ok=True)
kept = Path(config["use_cache"] + ".json")
known = json.loads(kept.read_text()) if kept.exists() else {}
lines, endings = [], []
questions = QUESTIONS[: config.get("limit")]
settings = config["gen_kwargs"]
for number, question in enumerate(questions):
    if question not in known:
        sent = {key: value for key, value in settings.items() if key not in ("do_sample", "max_gen_toks")}
        body = {"model": config["model_args"]["model"], "messages": [{"role": "user", "content": question}], **sent}
        body["max_tokens"] = settings.get("max_gen_toks")
        known[question] = ask(config["model_args"]["base_url"], os.environ["OPENAI_API_KEY"], body)
        kept.write_text(json.dumps(known))
        BETWEEN
    choice = known[question]["choices"][0]
    text = choice["message"]["content"] or ""
    print(f"Requesting API:  50%|#####     | {number + 1}/{len(questions)} [00:00<00:00,  1.0it/s]", flush=True)
    right = text.endswith("#### 42")
    lines.append({
        "doc_id": number,
        "doc": {"question": question, "answer": "42"},
        "target": "42",
        "arguments": {"gen_args_0": {"arg_0": question, "arg_1": settings}},
        "resps": [[text]],
        "filtered_resps": [text.rpartition("#### ")[2] if "####" in text else "[invalid]"],
        "filter": "strict-match",
        "metrics": ["exact_match"],
        "exact_match": float(right),
        "doc_hash": f"d{number}",
        "prompt_hash": f"p{number}",
        "target_hash": "t",
    })
    endings.append({
        "task": "sums",
        "doc": str(number),
        "place": 0,
        "finish_reason": choice["finish_reason"],
        "tokens": known[question]["usage"]["completion_tokens"],
        "tail": text[-300:],
        "reasoning": len(choice["message"].get("reasoning") or ""),
    })
(folder / "samples_sums_2026-11-27T20-00-00.000001.jsonl").write_text("".join(json.dumps(line) + "\\n" for line in lines))
tell(samples=config["output_path"], endings=endings)
"""
INSPECT = """
logs = Path(task["logs"]); logs.mkdir(parents=True, exist_ok=True)
samples, settings = [], task["config"]
for number, question in enumerate(QUESTIONS[: task["limit"]]):
    sent = {key: value for key, value in settings.items() if key in ("temperature", "max_tokens", "seed", "top_p")}
    body = {"model": task["model"], "messages": [{"role": "user", "content": question}], **sent, **settings["extra_body"]}
    got = ask(os.environ["QUANTGATE_BASE_URL"] + "/chat/completions", os.environ["QUANTGATE_API_KEY"], body)
    choice = got["choices"][0]
    text = choice["message"]["content"] or ""
    message = {"role": "assistant", "content": text}
    samples.append({
        "id": f"q{number}",
        "epoch": 1,
        "input": question,
        "target": "42",
        "scores": {"match": {"value": "C" if text.endswith("#### 42") else "I", "answer": text[-2:]}},
        "output": {
            "choices": [{"message": message, "stop_reason": {"length": "max_tokens"}.get(choice["finish_reason"], "stop")}],
            "usage": {"input_tokens": 9, "output_tokens": got["usage"]["completion_tokens"]},
        },
    })
log = logs / "sums.json"
told = {"task": "sums", "model": task["model"], "model_generate_config": settings}
log.write_text(json.dumps({"version": 2, "status": "success", "eval": told, "plan": {"name": "plan", "config": {}}, "samples": samples}))
tell(log=str(log))
"""


class Programs:
    """`made` counts how often an environment was asked for; what each program is may be changed."""

    def __init__(self, folder: Path, questions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.questions, self.made = folder, questions, list[Environment]()
        self._monkeypatch = monkeypatch
        self.lm_eval(LM_EVAL)
        self.inspect(INSPECT)

    def lm_eval(self, content: str, between: str = "pass") -> None:
        """What runs instead of lm-eval; `between`: what it does behind each question that it asks."""
        self._put(lm_eval, "run_lm_eval.py", content.replace("BETWEEN", between))

    def inspect(self, content: str) -> None:
        self._put(inspect_tasks, "run_inspect.py", content)

    def _put(self, module: Any, name: str, content: str) -> None:
        file = self.folder / name
        pins = '# /// script\n# dependencies = [\n#     "some-harness==1.0",\n# ]\n# ///\n'
        file.write_text(f"{pins}{ASK}QUESTIONS = {self.questions!r}\n{content}", encoding="utf-8")
        self._monkeypatch.setattr(module, "PROGRAM", file)

    def python(self, tells: Tells, wanted: Environment) -> Path:  # noqa: ARG002 (nobody is told, since nothing is made)
        self.made.append(wanted)
        return Path(sys.executable)
