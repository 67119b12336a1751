"""lm-evaluation-harness: its own command line, from a configuration, with the server as a model behind OpenAI's API."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec

from quantgate.harness.asked import CONCURRENCY, LOG, Asked, Command
from quantgate.harness.data import data_for
from quantgate.harness.inside import HERE
from quantgate.measure import NEUTRAL
from quantgate.measure.adopt import Choice, Run, adopt
from quantgate.programs import Environment
from quantgate.records import Answer
from quantgate.suites import HarnessSuite

NAME = "lm-eval"
PROGRAM = HERE / "run_lm_eval.py"
GIB = 1.0
DEFAULT_TOKENS = 2048
"""Where neither the declaration nor the task says how long an answer may be; lm-eval's own 256 cut answers off without a word."""
ATTEMPTS = 3


class LmEval:
    """As `Harness` has it."""

    name = NAME

    def environment(self, suite: HarnessSuite) -> Environment:
        return Environment(NAME, PROGRAM, suite.packages, GIB)

    def pins(self, suite: HarnessSuite) -> list[str]:
        return self.environment(suite).needs

    def command(self, asked: Asked, python: Path | None) -> Command:
        config = asked.folder / "config.json"
        shutil.rmtree(asked.folder / "results", ignore_errors=True)  # of a run that ended behind it
        config.write_text(json.dumps(config_of(asked), indent=1), encoding="utf-8")
        task = {
            "config": str(config),
            "endings": str(asked.folder / "endings.jsonl"),
            "told": str(asked.folder / "told.json"),
            "name": asked.suite.task,
            "without_examples": asked.suite.fewshot == 0,
            **data_for(asked.suite),
        }
        line = [str(python), "-I", "-u", str(PROGRAM), json.dumps(task)]
        return Command(line, {"OPENAI_API_KEY": str(asked.server.api_key)}, asked.place)

    def results(self, asked: Asked, told: dict[str, Any]) -> Run:
        for samples in Path(told["samples"]).rglob("samples_*.jsonl"):  # where its reader looks for what lm-eval did without being told
            if (asked.folder / LOG).is_file():
                shutil.copyfile(asked.folder / LOG, samples.with_name(LOG))
        choice = Choice(filter=asked.suite.filter, metric=asked.suite.metric, suite=asked.suite.task)
        (run,) = adopt(Path(told["samples"]), choice).values()
        run.sent.setdefault("max_gen_toks", DEFAULT_TOKENS)
        run.items = with_endings(run.items, told["endings"])
        return run


def config_of(asked: Asked) -> dict[str, Any]:
    """What `lm_eval run --config` reads."""
    suite, server = asked.suite, asked.server
    path = "chat/completions" if suite.chat_template else "completions"
    model: dict[str, Any] = {
        "model": server.model,
        "base_url": f"{server.base_url}/v1/{path}",
        "num_concurrent": CONCURRENCY,
        "max_retries": ATTEMPTS,
        "timeout": int(asked.request_seconds),
        "max_gen_toks": suite.max_tokens or DEFAULT_TOKENS,
        "seed": suite.seed,
    }
    if suite.chat_template:
        model |= {"tokenizer_backend": "none", "tokenized_requests": False}
    else:
        # Log-likelihoods want the ids of what is asked; the prompt stands there as the task writes it, without a BOS of lm-eval's own.
        model |= {"tokenizer": str(server.folder), "tokenizer_backend": "huggingface", "tokenized_requests": True}
        if (room := server.checkpoint.serve.max_model_len) is not None:
            model["max_length"] = room
    sent: dict[str, Any] = {"temperature": suite.temperature, "do_sample": suite.temperature > 0, **NEUTRAL}
    if suite.max_tokens is not None:
        sent["max_gen_toks"] = suite.max_tokens
    if suite.thinking is not None:
        sent["chat_template_kwargs"] = {"enable_thinking": suite.thinking}
    config: dict[str, Any] = {
        "model": "quantgate-chat" if suite.chat_template else "quantgate-completions",
        "model_args": model,
        "tasks": [suite.task],
        "apply_chat_template": suite.chat_template,
        "gen_kwargs": sent,
        "output_path": str(asked.folder / "results"),
        "log_samples": True,
        "use_cache": str(asked.folder / "cache"),
        "seed": [suite.seed] * 4,
    }
    if suite.fewshot is not None:
        config["num_fewshot"] = suite.fewshot
    if asked.limit is not None:
        config["limit"] = asked.limit
    return config


def with_endings(items: list[Answer], endings: list[dict[str, Any]]) -> list[Answer]:
    """The items with how they ended and how long they were, as lm-eval's model wrote it down."""
    found: dict[str, dict[str, Any]] = {}
    for one in endings:
        for doc in (one["doc"], f"{one['task']}:{one['doc']}"):
            found[f"{doc}:{one['place'] + 1}"] = one
            if one["place"] == 0:
                found.setdefault(doc, one)
    return [_ended(item, found[item.id]) if item.id in found else item for item in items]


def _ended(item: Answer, how: dict[str, Any]) -> Answer:
    thought = how["reasoning"]
    return msgspec.structs.replace(
        item,
        answer=how["tail"] if how["finish_reason"] == "length" else item.answer,
        finish_reason=how["finish_reason"],
        completion_tokens=how["tokens"],
        open_think=item.open_think or (thought > 0 and not how["tail"]),
        reasoning_characters=thought or item.reasoning_characters,
    )
