"""The first thing in the sandbox: it lowers the limits, runs the program's text, and fetches the token when that has come to its end.

Run as a script by the bare interpreter: standard library only. An exit code proves nothing (`os._exit(0)` is one line), so success is a
random token, which lies in a pipe until the last check is behind us: no name, no frame and no text that the program can look at has it.
A program that reads this file and imitates it can still fetch it. Nothing inside one process could prevent that; it is no answer to a task.
"""

import json
import os
import resource
import sys
import types


def main() -> None:
    setup = json.loads(sys.argv[1])
    with open(setup["program"], encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes longer to import than all the rest
        text = file.read()
    for name, (soft, hard) in setup["limits"].items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    # What the program may replace in os and builtins is taken before it runs.
    read, write, leave, result, token = os.read, os.write, os._exit, setup["result_fd"], setup["token_fd"]
    flush_out, flush_err = sys.stdout.flush, sys.stderr.flush
    write(result, b"started\n")
    # Not "__main__": what stands under `if __name__ == "__main__":` in an answer is a demonstration, which the data sets' own harnesses,
    # too, leave out. It is in sys.modules, because dataclasses and pickle look a class's module up there.
    module = types.ModuleType("program")
    sys.modules["program"] = module
    sys.argv = ["program.py"]
    exec(compile(text, "program.py", "exec"), module.__dict__)  # noqa: S102 - what this file is for
    write(result, read(token, 64))
    flush_out()
    flush_err()
    leave(0)  # threads that the program left behind would keep the interpreter


if __name__ == "__main__":
    main()
