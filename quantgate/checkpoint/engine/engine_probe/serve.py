"""Requests from standard input, a line of JSON each, every one answered in a child: what is imported once serves all."""

import contextlib
import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from .answer import Answer, told

PR_SET_PDEATHSIG = 1
SETTINGS = {
    "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "WARNING", "VLLM_NO_USAGE_STATS": "1",
}  # fmt: skip


def serve() -> None:
    """A request has `folder`, `args` (of `vllm serve`), `env` and `answer` (a file to write).

    Printed, a line of JSON each: {"pid"} when an answer is begun, {"exit"} when it is over (negative: by a signal).
    """
    _end_with_the_asker()
    lines, sys.stdout = sys.stdout, sys.stderr  # whatever vLLM prints is no answer
    os.environ.update(SETTINGS)
    problem = _prepare()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _answer(json.loads(line), problem)
            sys.stderr.flush()
            os._exit(0)
        print(json.dumps({"pid": child}), file=lines, flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"exit": os.waitstatus_to_exitcode(status)}), file=lines, flush=True)


def _end_with_the_asker() -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _prepare() -> dict[str, str] | None:
    """None, or why vLLM cannot be imported."""
    try:
        from . import stand_ins

        stand_ins.on_the_cpu()
        from . import boot

        boot.prepare()
    except Exception as error:  # noqa: BLE001 (a vLLM that cannot be imported fails in any way it likes)
        return told(error)
    return None


def _answer(request: dict[str, Any], problem: dict[str, str] | None) -> None:
    _end_with_the_asker()
    os.environ.update(request.get("env", {}))
    answer = Answer(Path(request["answer"]))
    if problem is not None:
        answer.tell(error=problem)
        return
    from . import boot

    try:
        boot.boot(request, answer)
    except Exception as error:  # noqa: BLE001 (whatever vLLM says is the answer)
        answer.tell(error=told(error))
    else:
        answer.tell(stage="done")
