# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#     "inspect-ai==0.3.285",
#     "inspect-evals[math]==0.26.0",
#     "openai==3.52.0",
#     "datasets==5.2.0",
# ]
# ///
"""A task of Inspect's, by its own Python face, against a server with OpenAI's API.

A program in an environment of its own; where the server is, and its key, stand in the environment. Its one argument is a task in JSON:
`task`, `args`, `model`, `limit`, `epochs`, `config` (Inspect's generation settings), `concurrency`, `may_fail` (a share of the items),
`logs` (a folder; a log in it that was not finished is gone on with), `data`, `folder`, `aliases` (data sets from local files, see
`local_hub.py`) and `told` (a file for what is to be said at the end: {"log"}, or what was refused).
"""

import json
import os
import sys
from pathlib import Path
from typing import Any


def main(task: dict[str, Any]) -> int:
    sys.path.insert(0, str(Path(__file__).parent))
    import local_hub

    return int(local_hub.told(task, run, names))


def names() -> list[str]:
    """Every task that installed packages have."""
    from inspect_ai._util.entrypoints import ensure_entry_points
    from inspect_ai._util.registry import registry_find, registry_info

    ensure_entry_points()
    return sorted(registry_info(one).name for one in registry_find(lambda info: info.type == "task"))


def run(task: dict[str, Any]) -> dict[str, Any]:
    from inspect_ai import eval as evaluate
    from inspect_ai import eval_retry
    from inspect_ai.log import list_eval_logs, read_eval_log, write_eval_log

    ask_the_hub_once()
    shared: dict[str, Any] = {
        "log_dir": task["logs"],
        "log_format": "eval",
        "display": "plain",
        "fail_on_error": task["may_fail"],  # at the end: what has come till then is kept, and not asked again
        "continue_on_fail": True,
        "max_samples": task["concurrency"],
    }
    unfinished = [one for one in list_eval_logs(task["logs"]) if read_eval_log(one, header_only=True).status != "success"]
    if unfinished:
        print(f"going on with {unfinished[0].name}", flush=True)
        before = read_eval_log(unfinished[0])
        before.eval.model_base_url = None  # the server of that run; this one's stands in the environment
        logs = eval_retry(before, max_connections=task["concurrency"], **shared)
    else:
        logs = evaluate(
            task["task"],
            model=f"openai-api/quantgate/{task['model']}",
            task_args=task["args"],
            limit=task["limit"],
            epochs=task["epochs"],
            max_connections=task["concurrency"],
            **shared,
            **task["config"],
        )
    found = logs[0]
    if found.status != "success":
        raise RuntimeError(why_it_ended(found, read_eval_log(found.location)))
    # The log as JSON: a .eval is packed in a way that the zipfile of our Python does not know.
    beside = Path(task["told"]).with_name("log.json")
    write_eval_log(read_eval_log(found.location), str(beside), format="json")
    return {"log": str(beside)}


def why_it_ended(found: Any, log: Any) -> str:
    """The task's own error, or how many items ended in one, and the first of these."""
    if found.error is not None:
        return str(found.error.message)
    failed = [one for one in log.samples or () if one.error is not None]
    first = f": {failed[0].id}: {' '.join(failed[0].error.message.split())}" if failed else ""
    return f"the task ended with {found.status}, {len(failed)} of {len(log.samples or ())} items in errors{first}"


def ask_the_hub_once() -> None:
    """Where nobody answers, Inspect would ask again after minutes, and again."""
    from inspect_ai.dataset._sources import hf

    if hasattr(hf, "_hf_max_tries"):
        hf._hf_max_tries = lambda: 1


if __name__ == "__main__":
    os.environ.setdefault("INSPECT_DISABLE_UPDATE_CHECK", "1")
    sys.exit(main(json.loads(sys.argv[1])))
