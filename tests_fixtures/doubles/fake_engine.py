"""An interpreter that stands for another vLLM's: it speaks the engine's protocol, and does what the folder's `engine.json` says.

`answer` is written as the answer, `exit` is the child's exit code, `seconds` how long it sleeps before, `mib` what it takes of memory;
`dies` ends the process itself.
"""

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    print("a line of vLLM's log", file=sys.stderr, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        wanted = json.loads(Path(request["folder"], "engine.json").read_text(encoding="utf-8"))
        if wanted.get("dies"):
            sys.exit("no libcudart.so")
        child = os.fork()
        if not child:
            _be(wanted, request)
        print(json.dumps({"pid": child}), flush=True)
        print(json.dumps({"exit": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}), flush=True)


def _be(wanted: dict[str, object], request: dict[str, object]) -> None:
    answer = dict(wanted.get("answer") or {}) | {"quantization": " ".join(map(str, request["args"]))}  # type: ignore[call-overload]
    Path(str(request["answer"])).write_text(json.dumps(answer), encoding="utf-8")
    held = b"\1" * (int(str(wanted.get("mib", 0))) << 20)
    time.sleep(float(str(wanted.get("seconds", 0))))
    del held
    os._exit(int(str(wanted.get("exit", 0))))


if __name__ == "__main__":
    main()
