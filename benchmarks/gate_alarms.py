"""Does the gate of decode speed cry wolf, and does it see a wolf? An unchanged checkpoint, and the same one behind a throttle.

Two servers of one checkpoint, each behind a proxy of its own; the candidate's proxy stretches the time that an answer takes. A run is
what a test does: rounds that alternate between the two, judged with a speed-up of at least 0.95 wanted. So without a throttle a
fail is a false alarm, and with one of 20 % anything else is a miss.

    python benchmarks/gate_alarms.py --out alarms.jsonl [--runs 30] [--throttle 0,5,10,20] [--boots 3] [--rounds 10]

Every run is a line of the file as soon as it is over; a file that is there is gone on with.
"""

import argparse
import asyncio
import contextlib
import copy
import json
import math
import multiprocessing
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fixtures.bf16_speed import Plain  # noqa: E402 (from this checkout, wherever it was started)
from quantgate import devices, registry  # noqa: E402
from quantgate.judgement import judge_speedup  # noqa: E402
from quantgate.measure import measure_throughput  # noqa: E402
from quantgate.server import Server, Serving  # noqa: E402
from quantgate.suites import LoadSuite  # noqa: E402

WANTED = 0.95
PIECE, PATIENCE_SECONDS = 1 << 16, 60.0
POWERED = 2.80
"""Standard errors between no drop and a drop that is seen in 80 % of runs at p <= 0.025."""


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: int, slower: float) -> None:
    """One connection. What the server sends t seconds after a request goes on t / (1 - slower) after it."""
    from_server, to_server = await asyncio.open_connection("127.0.0.1", upstream)
    clock, asked = asyncio.get_running_loop().time, 0.0
    due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def requests() -> None:
        nonlocal asked
        while data := await reader.read(PIECE):
            asked = clock()
            to_server.write(data)
        to_server.close()

    async def answers() -> None:
        while data := await from_server.read(PIECE):
            due.put_nowait((asked + (clock() - asked) / (1 - slower), data))
        due.put_nowait((0.0, b""))

    async def releases() -> None:
        while (next_one := await due.get())[1]:
            if (seconds := next_one[0] - clock()) > 0:
                await asyncio.sleep(seconds)
            writer.write(next_one[1])
        writer.close()

    with contextlib.suppress(ConnectionError):
        await asyncio.gather(requests(), answers(), releases())


def _proxy(upstream: int, slower: float, port: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.start_server(lambda reader, writer: _pass_on(reader, writer, upstream, slower), "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def behind_a_proxy(server: Serving, slower: float = 0.0) -> Iterator[Serving]:
    """The same server, its answers stretched so that it decodes at 1 - slower of its speed."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    upstream = int(server.base_url.rpartition(":")[2])
    process = multiprocessing.get_context("spawn").Process(target=_proxy, args=(upstream, slower, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(PATIENCE_SECONDS):
            sys.exit("the proxy did not start")
        seen = copy.copy(server)
        seen.base_url = f"http://127.0.0.1:{ours.recv()}"
        yield seen
    finally:
        process.terminate()
        process.join()


def one_run(candidate: Serving, reference: Serving, suite: LoadSuite, percent: float) -> dict[str, object]:
    with behind_a_proxy(reference) as bf16, behind_a_proxy(candidate, percent / 100) as throttled:
        measured = measure_throughput(throttled, bf16, suite, Plain())
    judged = judge_speedup(measured, speedup_over_bf16=WANTED)
    return {
        "throttle_percent": percent,
        "verdict": judged.verdict,
        "drop": judged.drop,
        "interval": judged.interval,
        "log_speedup": measured.log_speedup_over_bf16,
        "decode_tps": measured.decode_tps,
    }


def table(runs: list[dict[str, Any]]) -> str:
    """By throttle: verdicts, what was seen, and the rounds with which 80 % of runs would show the throttle as a drop at all."""
    lines = [
        f"{'throttle':>8} {'runs':>5} {'fail':>5} {'inconcl.':>8} {'pass':>5}  {'ratio seen [5 %, 95 %]':24} {'sd/round':>8}  rounds needed"
    ]
    for percent in sorted({one["throttle_percent"] for one in runs}):
        mine = [one for one in runs if one["throttle_percent"] == percent]
        count = Counter(one["verdict"] for one in mine)
        ratios = sorted(math.exp(fmean(one["log_speedup"])) for one in mine)
        low, high = ratios[int(0.05 * len(ratios))], ratios[min(len(ratios) - 1, int(0.95 * len(ratios)))]
        spread = median(stdev(one["log_speedup"]) for one in mine)
        needed = math.ceil((POWERED * spread / -math.log(1 - percent / 100)) ** 2) if percent else "-"
        seen = f"{median(ratios):.3f} [{low:.3f}, {high:.3f}]"
        lines.append(
            f"{percent:7g}% {len(mine):5} {count['fail']:5} {count['inconclusive']:8} {count['pass']:5}  {seen:24} {spread:8.3f}  {needed}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="false alarms of the gate of decode speed, and what it sees of a throttle")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="a line of JSON for every run")
    parser.add_argument("--runs", type=int, default=30, metavar="N", help="of each throttle (30)")
    parser.add_argument("--throttle", default="0,5,10,20", metavar="PERCENTS", help="how much slower (0,5,10,20)")
    parser.add_argument("--boots", type=int, default=3, metavar="N", help="pairs of servers, one after another (3)")
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="of a run (10)")
    parser.add_argument("--requests", type=int, default=32, metavar="N", help="of a round (32)")
    options = parser.parse_args()
    percents = [float(one) for one in options.throttle.split(",")]
    suite = LoadSuite("decode-16x16", 16, options.requests, 16, 16, options.rounds, warm_up_rounds=1)
    done = [json.loads(line) for line in options.out.read_text("utf-8").splitlines()] if options.out.exists() else []
    bf16 = registry.load(ROOT / "models.toml").select("reference")[0].reference()
    assert bf16 is not None
    again = msgspec.structs.replace(bf16, name="again", precision="fp8")
    wanted = [(number, percent) for number in range(options.runs) for percent in percents]
    left = wanted[len(done) :]
    boot_every = math.ceil(len(wanted) / options.boots)
    while left:
        now, left = left[:boot_every], left[boot_every:]
        with tempfile.TemporaryDirectory() as logs, ExitStack() as stack:
            servers = []
            for one in (bf16, again):
                server = Server(one, Path(one.path), devices.select("cpu")[0], Path(logs, one.name, "server.log"))
                stack.callback(server.stop)
                servers.append(server)
            for server in servers:
                server.wait_until_ready()
            for number, percent in now:
                done.append(one_run(servers[1], servers[0], suite, percent))
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(done[-1]) + "\n")
                print(f"{number + 1}/{options.runs} at {percent:g} %: {done[-1]['verdict']}", flush=True)
    print(table(done))


if __name__ == "__main__":
    main()
