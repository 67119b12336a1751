"""One checkpoint served on one slot, told by lines on standard input what to do: what `many_gpus` starts once a GPU.

    measure   one measurement of the suite, printed as JSON
    work      rounds of the load, one after the other, until
    rest      the round at hand has ended
    end       the server is stopped
Each is answered by a line as soon as it holds: "ready" after the boot, "working" once the first round has ended, "resting".
"""

import argparse
import json
import sys
import threading
from pathlib import Path

from fixtures.bf16_speed import Plain
from quantgate import devices, registry
from quantgate.measure import measure_throughput
from quantgate.measure.load import Load, LoadSession, Prompts, parse_target
from quantgate.server import Pool, Serving
from quantgate.suites import LoadSuite, catalogue

SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--gpu", "--checkpoint", "--suite"):
        parser.add_argument(name, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    options = parser.parse_args()
    loaded = registry.load(options.models)
    suite = catalogue(loaded.suite, options.models)[options.suite][1](None)
    if not isinstance(suite, LoadSuite):
        parser.error(f"--suite={options.suite}: that is no load")
    family, _, name = options.checkpoint.partition("/")
    checkpoint = next(one for one in loaded.select(family)[0].checkpoint if one.name == name)
    slot = devices.select(options.gpu)[0]
    held = devices.lock_devices(slot.devices, " ".join(sys.argv))
    pool = Pool(slot, options.logs, lambda line: print(line, file=sys.stderr, flush=True), keep_open=held.descriptors)
    try:
        _obey(pool.get(checkpoint), suite)
    finally:
        pool.close()
        held.release()


def _obey(server: Serving, suite: LoadSuite) -> None:
    _say("ready")
    rest, worker = threading.Event(), None
    for line in sys.stdin:
        if (word := line.strip()) == "measure":
            found = measure_throughput(server, None, suite, Plain())
            health = found.health
            _say(
                json.dumps(
                    {
                        "decode_tps": found.decode_tps,
                        "rounds": [one.decode_tps for one in found.rounds],
                        "ttft_ms": found.ttft_ms.mean,
                        "itl_ms_p99": found.itl_ms.p99,
                        "copy_gb_s": health.copy_gb_s if health else None,
                        "matmul_tflops": health.matmul_tflops if health else None,
                        "trouble": health.trouble if health else None,
                    }
                )
            )
        elif word == "work":
            rest.clear()
            worker = threading.Thread(target=_work, args=(server, suite, rest))
            worker.start()
        elif word == "rest":
            rest.set()
            if worker is not None:
                worker.join()
            _say("resting")
        elif word == "end":
            return


def _work(server: Serving, suite: LoadSuite, rest: threading.Event) -> None:
    load = Load(suite.concurrency, suite.requests, suite.max_tokens, suite.prompt_tokens, seed=SEED)
    whom = parse_target(server.base_url, server.model, server.api_key)
    with LoadSession(whom, load, Prompts(SEED, server.folder), shares_cores=server.slot.is_cpu) as session:
        session.warm_up()
        _say("working")
        while not rest.is_set():
            session.round()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
