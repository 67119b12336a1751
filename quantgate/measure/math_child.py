"""Says of pairs of mathematical texts whether they are equal: a program of its own, which `mathematics.py` starts and can afford to lose.

It says "ready" first. A line in: JSON, [said, answer]; a line out: JSON, [what was read, whether it is equal]. One pair may take so many
seconds of CPU time and so much memory. Beyond the first the kernel ends this program, whatever C code it is in, which no signal handler of
Python's could: a power of a power is one call. CPU time, since whether an answer is right must not depend on what else the machine does.
"""

import json
import logging
import resource
import signal
import sys

MEMORY_BYTES = 2 << 30
READY = "ready"


def main(pair_cpu_seconds: float) -> None:
    logging.disable(logging.CRITICAL)  # it warns that its own time limits, which are signal handlers, are off
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from math_verify import parse, verify

    print(READY, flush=True)
    for line in sys.stdin:
        said, answer = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, pair_cpu_seconds)  # SIGPROF, which nobody handles, ends it
        found = parse(said, parsing_timeout=None)
        gold = parse(f"$\\boxed{{{answer}}}$", parsing_timeout=None)
        equal = bool(found) and bool(gold) and verify(gold, found, allow_set_relation_comp=True, timeout_seconds=None)
        signal.setitimer(signal.ITIMER_PROF, 0)
        read = found[-1] if found and isinstance(found[-1], str) else ""
        print(json.dumps([read, equal]), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
