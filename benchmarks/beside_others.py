"""quantgate's load generator and others on one server of vLLM's, in alternation: do they see the same speed, and at what cost?

    pytest benchmarks/beside_others.py --family reference -m bf16 --pairs 10 [--guidellm /path/to/bin/guidellm]

Beside tests_throughput in one command it uses the servers that those tests booted. A pair is a round of ours and a round
of another client's right before or after it: same concurrency, requests, tokens in and out, prompts of its own. The server's own
counters are not looked at, since they count both. Fails where the 95 % interval of the ratio of decode_tps lies wholly below 1:
then this client is in the server's way.
"""

import json
import math
import os
from functools import partial
from statistics import fmean
from typing import NamedTuple

import pytest

from benchmarks.cpu_use import cpu_between, descendants, watched_cpu
from benchmarks.others import Asked, GuideLlm, VllmBench, closing
from fixtures.state import State
from quantgate.measure.load import Load, LoadSession, Prompts, parse_target, tpot_ms, ttft_ms
from quantgate.server import Serving, watched
from quantgate.stats import mean_interval
from quantgate.suites import LoadSuite

SEED = 1


class Figures(NamedTuple):
    decode_tps: float
    ttft_ms: float
    tpot_ms: float
    cpu_seconds_per_1000: float


@pytest.mark.server
@pytest.mark.throughput
def test_others_see_no_faster_server(server: Serving, load: LoadSuite, quantgate: State, pytestconfig: pytest.Config) -> None:
    tokens = load.requests * load.max_tokens
    plan = Load(load.concurrency, load.requests, load.max_tokens, load.prompt_tokens, seed=SEED)
    whom = parse_target(server.base_url, server.model, server.api_key)
    root = server.base_url.removesuffix("/v1")
    seen: list[dict[str, Figures]] = []
    session = LoadSession(whom, plan, Prompts(SEED, server.folder), partial(watched, server), shares_cores=server.slot.is_cpu)
    not_theirs = list(descendants(os.getpid(), ()))
    with session, closing(_clients(server, pytestconfig)) as clients:

        def ours() -> Figures:
            one = session.round()
            spent = sum(report.cpu_seconds for report in one.reports)
            return Figures(one.figures.decode_tps, fmean(ttft_ms(one.answers)), fmean(tpot_ms(one.answers)), 1000 * spent / tokens)

        def theirs(client: VllmBench | GuideLlm, number: int) -> Figures:
            asked = Asked(
                root,
                server.model,
                server.folder,
                load.concurrency,
                load.requests,
                load.max_tokens,
                load.prompt_tokens,
                number,
                server.api_key,
            )
            with watched_cpu(not_theirs) as samples:  # not while we are timed: looking costs CPU time
                said = client(asked)
            assert said.tpot_mean is not None
            assert said.started is not None
            spent = cpu_between(samples, int(said.started * 1e9), int((said.started + said.seconds) * 1e9))
            return Figures(tokens / said.seconds, said.ttft_mean, said.tpot_mean, 1000 * spent / tokens)

        session.warm_up()
        for number in range(pytestconfig.option.pairs):
            pair = {"quantgate": ours} | {one.name: partial(theirs, one, number) for one in clients}
            order = list(pair) if number % 2 else list(reversed(pair))
            seen.append({name: pair[name]() for name in order})
    ratios = _show(f"{server.model} {load.name}", seen)
    file = quantgate.records / server.checkpoint.family / server.checkpoint.name / f"{load.name}.beside.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        json.dumps({"pairs": [{name: one._asdict() for name, one in pair.items()} for pair in seen], "ratios": ratios}), "utf-8"
    )
    slower = [f"{name}: {low:.3f} to {high:.3f}" for name, (_, low, high) in ratios.items() if high < 1]
    assert not slower, f"decode_tps over another client's, of {len(seen)} pairs: {', '.join(slower)}"


def _clients(server: Serving, config: pytest.Config) -> list[VllmBench | GuideLlm]:
    program = config.option.guidellm
    return [VllmBench(server.api_key), *([GuideLlm(program, server.api_key)] if program else [])]


def _show(title: str, seen: list[dict[str, Figures]]) -> dict[str, tuple[float, float, float]]:
    """Prints the table; the ratio of our decode_tps to each other client's, with its 95 % interval."""
    print(f"\n{title}, n = {len(seen)} rounds each, alternating; load average {os.getloadavg()[0]:.1f}")
    print(f"{'':18}{'decode_tps':>11}{'TTFT ms':>9}{'TPOT ms':>9}{'CPU s/1000':>11}   decode_tps, quantgate's over its [95 %]")
    ratios = {}
    for name in sorted(seen[0], key="quantgate".__ne__):
        means = Figures(*(fmean(column) for column in zip(*(pair[name] for pair in seen), strict=True)))
        beside = ""
        if name != "quantgate":
            logs = mean_interval([math.log(pair["quantgate"].decode_tps / pair[name].decode_tps) for pair in seen])
            ratio, (low, high) = math.exp(logs.value), map(math.exp, logs.interval)
            ratios[name] = ratio, low, high
            beside = f"   {ratio:.3f} [{low:.3f}, {high:.3f}]"
        print(f"{name:18}{means.decode_tps:11,.0f}{means.ttft_ms:9.1f}{means.tpot_ms:9.2f}{means.cpu_seconds_per_1000:11.4f}{beside}")
    return ratios
