"""Does the client keep up, and does it tell the truth? quantgate's load generator beside vLLM's, guidellm and the openai client.

Every one of them follows 64 streams of the same stub, which knows when it really sent each chunk. Unpaced, the chunks that a
client follows a second, and its CPU seconds for a thousand of them; paced as an engine with 64 requests is, what each
client says of the first token and of the gaps between chunks, less what was true, in milliseconds.

    python benchmarks/client_against_others.py [--guidellm /path/to/bin/guidellm] [--only quantgate,vllm] [--json]

The stub has the last core for itself and the clients have the others, as long as there are two. CPU seconds are read from
/proc while requests are in flight, over all of a client's processes, so that nobody pays for imports. guidellm is
to be installed in an environment of its own; without the option it is left out. On a busy machine the figures mean
little: the load average is printed beside them.
"""

import argparse
import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# From this checkout, wherever it was started.
from benchmarks.cpu_use import cpu_between, watched_cpu  # noqa: E402
from benchmarks.others import PATIENCE_SECONDS, Asked, GuideLlm, Said, VllmBench, closing, finished, percentile99  # noqa: E402
from tests_fixtures.doubles.stub_server import Behaviour, Stub, Truth, stub  # noqa: E402

CONNECTIONS = 64
PROMPT_TOKENS = 16
TOKENIZER = ROOT / "fixtures" / "reference" / "bf16"
PACES = {"unpaced": (0.0, 192, 1000), "1k/s": (64.0, 128, 30), "5k/s": (12.8, 128, 80), "20k/s": (3.2, 192, 200)}
"""Name → milliseconds a step, requests, tokens."""
FIRST_MS = 20.0
"""No engine answers at once; while requests are still being sent, no client can read."""

Runner = Callable[[Stub, int, int], Said]


def mine(url: str, requests: int, tokens: int) -> None:
    """quantgate's client, in a process of its own: prints what it measured, also where it would call itself saturated."""
    from quantgate.measure.load import Answered, Load, Prompts, itl_ms, job, parse_target, run_job, seconds, ttft_ms

    asked = job(Load(CONNECTIONS, requests, tokens, PROMPT_TOKENS), parse_target(url, "stub"), Prompts(0, TOKENIZER), 0)
    answers = [one for one in asyncio.run(run_job(asked)).outcomes if isinstance(one, Answered)]
    gaps = itl_ms(answers)
    print(json.dumps([seconds(answers), fmean(ttft_ms(answers)), fmean(gaps), percentile99(gaps)]))


def openai_client(url: str, requests: int, tokens: int) -> None:
    """The openai package's client, read the plain way."""
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    firsts: list[float] = []
    gaps: list[float] = []

    async def one(client: AsyncOpenAI, bodies: Iterator[int]) -> None:
        for number in bodies:
            asked = time.perf_counter()
            stream = await client.chat.completions.create(
                model="stub", messages=[{"role": "user", "content": f"prompt {number}"}], max_tokens=tokens, stream=True
            )
            arrived = [time.perf_counter() async for chunk in stream if chunk.choices and chunk.choices[0].delta.content]
            firsts.append(1000 * (arrived[0] - asked))
            gaps.extend(1000 * (after - before) for before, after in itertools.pairwise(arrived))

    async def all_of_them() -> float:
        transport = DefaultAsyncHttpxClient(trust_env=False, timeout=PATIENCE_SECONDS)
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, http_client=transport) as client:
            bodies, started = iter(range(requests)), time.perf_counter()
            await asyncio.gather(*(one(client, bodies) for _ in range(CONNECTIONS)))
            return time.perf_counter() - started

    took = asyncio.run(all_of_them())
    print(json.dumps([took, fmean(firsts), fmean(gaps), percentile99(gaps)]))


def itself(name: str) -> Runner:
    def run(running: Stub, requests: int, tokens: int) -> Said:
        command = [sys.executable, __file__, "--be", name, "--url", running.url, "--size", str(requests), str(tokens)]
        return Said(*json.loads(finished(command, dict(os.environ))))

    return run


def other(client: VllmBench | GuideLlm) -> Runner:
    def run(running: Stub, requests: int, tokens: int) -> Said:
        return client(Asked(running.url, "stub", TOKENIZER, CONNECTIONS, requests, tokens, PROMPT_TOKENS))

    return run


class Row(NamedTuple):
    client: str
    pace: str
    chunks_a_second: float
    cpu_seconds_per_1000: float
    ttft_error_ms: float
    itl_mean_error_ms: float
    itl_p99_error_ms: float | None


def measure(name: str, pace: str, runner: Runner, running: Stub) -> Row:
    step_ms, requests, tokens = PACES[pace]
    if not step_ms and name in {"openai", "guidellm"}:
        requests //= 3  # they would take minutes
    running.behave(Behaviour(step_ms=step_ms, ttft_ms=FIRST_MS if step_ms else 0))
    with watched_cpu([running.pid]) as samples:
        said = runner(running, requests, tokens)
    truth: list[Truth] = sorted(running.truth(), key=lambda one: one.received_ns)[-requests:]
    chunks = sum(len(one.sent_ns) for one in truth)
    started = truth[0].received_ns
    gaps = [(after - before) / 1e6 for one in truth for before, after in itertools.pairwise(one.sent_ns)]
    ttft = fmean((one.sent_ns[0] - one.received_ns) / 1e6 for one in truth)
    return Row(
        client=name,
        pace=pace,
        chunks_a_second=chunks / said.seconds,
        cpu_seconds_per_1000=1000 * cpu_between(samples, started, started + int(said.seconds * 1e9)) / chunks,
        ttft_error_ms=said.ttft_mean - ttft,
        itl_mean_error_ms=said.itl_mean - fmean(gaps),
        itl_p99_error_ms=None if said.itl_p99 is None else said.itl_p99 - percentile99(gaps),
    )


def table(rows: list[Row]) -> None:
    print(f"{'client':10} {'pace':8} {'chunks/s':>10} {'CPU s/1000':>11} {'TTFT off ms':>12} {'ITL mean off':>13} {'ITL p99 off':>12}")
    for row in rows:
        p99 = "-" if row.itl_p99_error_ms is None else f"{row.itl_p99_error_ms:+.2f}"
        errors = [f"{row.ttft_error_ms:+.2f}", f"{row.itl_mean_error_ms:+.3f}", p99] if row.pace != "unpaced" else ["-", "-", "-"]
        numbers = f"{row.chunks_a_second:10,.0f} {row.cpu_seconds_per_1000:11.4f}"
        print(f"{row.client:10} {row.pace:8} {numbers} {errors[0]:>12} {errors[1]:>13} {errors[2]:>12}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="quantgate's load generator beside others, on a stub that knows the truth")
    parser.add_argument("--guidellm", type=Path, metavar="FILE", help="its program, in an environment of its own")
    parser.add_argument("--only", metavar="NAMES", help="of these clients: quantgate, vllm, openai, guidellm")
    parser.add_argument("--paces", metavar="NAMES", default=",".join(PACES), help=f"of these: {', '.join(PACES)}")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--be", choices=("quantgate", "openai"), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--size", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.be:
        (mine if options.be == "quantgate" else openai_client)(options.url, *options.size)
        return
    rows = []
    with stub() as running:
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(running.pid, cores[-1:])
            os.sched_setaffinity(0, cores[:-1])
        others = {"vllm": VllmBench()} | ({"guidellm": GuideLlm(options.guidellm)} if options.guidellm else {})
        with closing(list(others.values())):
            runners = {"quantgate": itself("quantgate"), "openai": itself("openai")} | {name: other(one) for name, one in others.items()}
            chosen = options.only.split(",") if options.only else list(runners)
            for pace, name in itertools.product(options.paces.split(","), chosen):
                rows.append(measure(name, pace, runners[name], running))
                if not options.json:
                    table(rows[-1:])
    load = os.getloadavg()[0]
    if options.json:
        print(json.dumps({"load_average": load, "rows": [row._asdict() for row in rows]}))
    else:
        print(f"\n{len(cores)} cores, load average {load:.1f}\n")
        table(rows)


if __name__ == "__main__":
    main()
