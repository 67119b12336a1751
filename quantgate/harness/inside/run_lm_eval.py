# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#     "lm-eval[api,math,ifeval]==0.4.13",
#     "datasets==5.2.0",
#     "transformers==5.14.1",
# ]
# ///
"""lm-eval's own command line, with two more models to choose: its chat and its completions, which also write down how answers ended.

A program in an environment of its own. Its one argument is a task in JSON: `config` (what `lm_eval run --config` reads), `endings` (a
file for a line an answer), `data`, `folder`, `aliases` (data sets from local files, see `local_hub.py`) and `told` (a file for what is to
be said at the end: {"samples"}, or what was refused).
"""

import contextvars
import hashlib
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, ClassVar

PROMPT: contextvars.ContextVar[str] = contextvars.ContextVar("prompt", default="")
TAIL = 300


def main(task: dict[str, Any]) -> int:
    sys.path.insert(0, str(Path(__file__).parent))
    import local_hub

    return int(local_hub.told(task, run, names))


def names() -> list[str]:
    """Every task and group that there is."""
    from lm_eval.tasks import TaskManager

    return list(TaskManager().all_tasks)


def run(task: dict[str, Any]) -> dict[str, Any]:
    register(Path(task["endings"]))
    from lm_eval.__main__ import cli_evaluate

    config = Path(task["config"])
    sys.argv = ["lm_eval", "run", "--config", str(config)]
    cli_evaluate()
    output = Path(json.loads(config.read_text(encoding="utf-8"))["output_path"])
    samples = sorted(output.rglob("samples_*.jsonl"))
    return {"samples": str(output), "endings": ended(samples, Path(task["endings"]))}


def register(endings: Path) -> None:
    from lm_eval.api.registry import register_model
    from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI

    class Noting:
        """How each answer ended, and how long it was, which lm-eval itself does not keep. A prompt that is asked several times has
        a seed of its own each time: with one seed all would be one answer."""

        asked: ClassVar[Counter[str]] = Counter()

        async def amodel_call(self, session: Any, sem: Any, messages: Any, **more: Any) -> Any:
            PROMPT.set(key_of(messages[0]))
            return await super().amodel_call(session, sem, messages, **more)  # type: ignore[misc]

        def _create_payload(self, messages: Any, *, generate: bool = False, seed: int = 0, **more: Any) -> Any:
            times = 0
            if generate:
                self.asked[PROMPT.get()] += 1
                times = self.asked[PROMPT.get()] - 1
            return super()._create_payload(messages, generate=generate, seed=seed + times, **more)  # type: ignore[misc]

        def parse_generations(self, outputs: Any, **more: Any) -> Any:
            texts = super().parse_generations(outputs, **more)  # type: ignore[misc]
            with endings.open("a", encoding="utf-8") as file:
                file.write(json.dumps(ending_of(outputs, texts)) + "\n")
            return texts

    @register_model("quantgate-chat")
    class Chat(Noting, LocalChatCompletion):  # type: ignore[misc]
        pass

    @register_model("quantgate-completions")
    class Completions(Noting, LocalCompletionsAPI):  # type: ignore[misc]
        pass


def key_of(prompt: Any) -> str:
    """A prompt is a text, or lm-eval's tuple that holds one, or token ids."""
    while isinstance(prompt, list | tuple) and len(prompt) == 1:
        prompt = prompt[0]
    return hashlib.sha256((prompt if isinstance(prompt, str) else json.dumps(prompt)).encode()).hexdigest()


def ending_of(outputs: Any, texts: list[str | None]) -> dict[str, Any]:
    choice = (outputs.get("choices") or [{}])[0]
    message = choice.get("message") or {}
    reasoning = message.get("reasoning") or message.get("reasoning_content") or ""
    return {
        "prompt": PROMPT.get(),
        "text": hashlib.sha256((texts[0] or "").encode()).hexdigest() if texts else "",
        "tail": (texts[0] or "")[-TAIL:] if texts else "",
        "finish_reason": choice.get("finish_reason") or "",
        "tokens": (outputs.get("usage") or {}).get("completion_tokens") or 0,
        "reasoning": len(reasoning),
    }


def ended(samples: list[Path], endings: Path) -> list[dict[str, Any]]:
    """For each document, and each of its answers, how it ended: by the prompt and the text of the answer."""
    known = defaultdict(list)
    for line in endings.read_text(encoding="utf-8").splitlines() if endings.exists() else ():
        try:
            one = json.loads(line)
        except ValueError:  # a line that a killed run left half written
            continue
        known[one.pop("prompt"), one.pop("text")].append(one)
    found, done = [], set()
    for file in samples:
        task = file.name.removeprefix("samples_").rpartition("_")[0]
        for line in file.read_text(encoding="utf-8").splitlines():
            sample = json.loads(line)
            if (task, sample["doc_id"]) in done:  # once more, for another filter
                continue
            done.add((task, sample["doc_id"]))
            prompt = key_of(next(iter((sample["arguments"].get("gen_args_0") or {"": ""}).values())))
            for place, text in enumerate(texts_of(sample["resps"])):
                several = known.get((prompt, hashlib.sha256(text.encode()).hexdigest()), [])
                if several:
                    one = several[0] if len(several) == 1 else several.pop(0)
                    found.append({"task": task, "doc": str(sample["doc_id"]), "place": place, **one})
    return found


def texts_of(resps: Any) -> list[str]:
    found = list[str]()
    for one in resps if isinstance(resps, list) else ():
        found += [one] if isinstance(one, str) else [part for part in one if isinstance(part, str)] if isinstance(one, list) else []
    return found


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
