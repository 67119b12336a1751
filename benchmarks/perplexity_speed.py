"""How fast does a server give a perplexity, beside how fast it reads? quantgate's whole measurement, plain prefill, lm-eval's requests.

    python -m benchmarks.perplexity_speed --base-url URL --tokenizer DIR --text FILE [--pairs 5] [--documents 133] [--times 1] [--echo]
    python -m benchmarks.perplexity_speed --synthetic --tokenizer DIR --text FILE --times 8

The texts are FILE's first paragraphs of at least 16 tokens, `--times` over. Each pair is one round of each, in turn first and last:

- ours: `measure_text_loss` from beginning to end, with the sample for the divergence, and the fingerprints of the folder;
- prefill: the same ids, as many at once, one token and no logprobs: what the server's arithmetic allows. Each has a cache salt of its
  own, so that no round reads another's prefixes;
- echo (`--echo`): what lm-eval's `local-completions` sends for a loglikelihood, one request after another: `echo`, `logprobs` 1, JSON
  read by the standard library.

DIR is the checkpoint's folder; the server has to serve it under that path, or its last part. Its key is in QUANTGATE_API_KEY. Figures are
scored tokens a second, and CPU seconds of this process for 200,000 of them, which are the client's alone. `--synthetic` needs no engine:
a process beside answers with entries of vLLM's shape, and what is seen is the client's cost and how much it could take.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import NamedTuple

from quantgate.measure import measure_text_loss
from quantgate.registry import Checkpoint
from quantgate.server import Endpoint, Serving
from quantgate.suites import Document, TextSuite, encode

CONCURRENCY = 32
LEAST_TOKENS = 16
TOKENS = 200_000
SECONDS = 300.0


class Figures(NamedTuple):
    tokens_a_second: float
    cpu_seconds: float
    """Of this process, for TOKENS tokens."""


def texts(file: Path, tokenizer: Path, documents: int, times: int) -> TextSuite:
    """The first paragraphs that are long enough, so many times over, each under an id of its own."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    paragraphs = TextSuite("paragraphs", [Document(str(number), line) for number, line in enumerate(line for line in lines if line)])
    encoded = encode(TextSuite("first", paragraphs.documents[: 4 * documents]), tokenizer)
    long = {one.id for one in encoded if len(one.ids) >= LEAST_TOKENS}
    kept = [one for one in paragraphs.documents if one.id in long][:documents]
    return TextSuite("speed", [Document(f"{one.id}-{time}", one.text) for time in range(times) for one in kept])


async def prefill(server: Serving, prompts: list[list[int]]) -> None:
    """Every prompt once, CONCURRENCY at a time."""
    import aiohttp

    turns = asyncio.Semaphore(CONCURRENCY)

    async def ask(session: aiohttp.ClientSession, ids: list[int]) -> None:
        body = {"model": server.model, "prompt": ids, "max_tokens": 1, "temperature": 0, "cache_salt": os.urandom(8).hex()}
        async with turns, session.post(f"{server.base_url}/v1/completions", json=body) as answer:
            await answer.read()
            answer.raise_for_status()

    async with aiohttp.ClientSession(headers=server.headers, timeout=aiohttp.ClientTimeout(SECONDS)) as session:
        await asyncio.gather(*(ask(session, ids) for ids in prompts))


def echo(server: Serving, prompts: list[list[int]]) -> None:
    """As lm-eval's `local-completions`, in its default of one request at a time."""
    body = {"model": server.model, "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True}
    with server.client(SECONDS) as client:
        for ids in prompts:
            answer = client.post("/v1/completions", json=body | {"prompt": ids})
            answer.raise_for_status()
            said = json.loads(answer.text)["choices"][0]["logprobs"]
            sum(said["token_logprobs"][1:-1])


def timed(run: Callable[[], object], scored: int) -> Figures:
    began, spent = time.perf_counter(), time.process_time()
    run()
    seconds, cpu = time.perf_counter() - began, time.process_time() - spent
    return Figures(scored / seconds, cpu * TOKENS / scored)


def _pretend(pipe: Connection, name: str) -> None:
    """A server of nothing: each token likelier than it is, beside one that is likelier still."""

    def answer(path: str, asked: bytes) -> str:
        if not path.endswith("/completions"):
            return json.dumps({"data": [{"id": name}]})
        body = json.loads(asked)
        if (wanted := body.get("prompt_logprobs")) is None:
            return '{"choices": [{"text": " a"}]}'
        entry = '"%d":{"logprob":-%d.234567880630493,"rank":%d,"decoded_token":" the"}'
        likelier = "".join("," + entry % (1_000_000 + rank, 0, rank) for rank in range(1, wanted + 1))
        places = ",".join(f"{{{entry % (token, token % 9, 300)}{likelier}}}" for token in body["prompt"][1:])
        return f'{{"id":"cmpl-0","choices":[{{"index":0,"text":" a","logprobs":null,"prompt_logprobs":[null,{places}]}}]}}'

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
                lengths = [int(line.partition(":")[2]) for line in head.splitlines() if line.lower().startswith("content-length:")]
                said = answer(head.split()[1], await reader.readexactly(sum(lengths))).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def listen() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(listen())


@contextmanager
def pretending(name: str) -> Iterator[str]:
    """The URL of a server of nothing, in a process of its own."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_pretend, args=(there, name), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.kill()
        process.join()


def rounds(server: Serving, suite: TextSuite, options: argparse.Namespace) -> dict[str, list[Figures]]:
    prompts = [one.ids for one in encode(suite, options.tokenizer)]
    scored = sum(len(ids) - 1 for ids in prompts)
    ways: dict[str, Callable[[], object]] = {"ours": lambda: measure_text_loss(server, suite, options.tokenizer)}
    if not options.synthetic:
        ways["prefill"] = lambda: asyncio.run(prefill(server, prompts))
    if options.echo:
        ways["echo"] = lambda: echo(server, prompts)
    print(f"{len(prompts)} documents, {scored:,} scored tokens; load average {os.getloadavg()[0]:.1f}", flush=True)
    asyncio.run(prefill(server, prompts[:CONCURRENCY]))  # a server's first requests are slow, and ours load what they need
    measure_text_loss(server, TextSuite("first", suite.documents[:CONCURRENCY]), options.tokenizer)
    found: dict[str, list[Figures]] = {name: [] for name in ways}
    for number in range(options.pairs):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            found[name].append(timed(ways[name], scored))
            print(f"{number + 1}/{options.pairs} {name:8} {found[name][-1].tokens_a_second:10,.0f} tokens/s", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="perplexity beside plain prefill on one server")
    parser.add_argument("--base-url", metavar="URL", help="of the server, without /v1")
    parser.add_argument("--synthetic", action="store_true", help="no server: a process that answers at once")
    parser.add_argument("--tokenizer", type=Path, required=True, metavar="DIR", help="the checkpoint's folder")
    parser.add_argument("--text", type=Path, required=True, metavar="FILE", help="a paragraph a line, such as WikiText-2's wiki.test.raw")
    parser.add_argument("--documents", type=int, default=133, metavar="N", help="paragraphs (133)")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="how often each is asked (1)")
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="rounds of each (5)")
    parser.add_argument("--echo", action="store_true", help="lm-eval's requests too, which take a while")
    options = parser.parse_args()
    if bool(options.base_url) == options.synthetic:
        parser.error("give --base-url or --synthetic")
    if options.synthetic and options.echo:
        parser.error("--echo wants a real server; leave --synthetic out")
    suite = texts(options.text, options.tokenizer, options.documents, options.times)
    checkpoint = Checkpoint(name=options.tokenizer.name, precision="bf16", path=str(options.tokenizer), family="measured")
    if options.synthetic:
        with pretending(str(checkpoint)) as url:
            found = rounds(Endpoint(url, checkpoint, options.tokenizer), suite, options)
    else:
        found = rounds(Endpoint(options.base_url, checkpoint, options.tokenizer), suite, options)
    print(f"\n{'median of ' + str(options.pairs):12} {'tokens/s':>10} {'of prefill':>10} {'CPU s/200k':>10}")
    for name, ones in found.items():
        pairs = zip(ones, found.get("prefill", []), strict=False)
        share = f"{median(one.tokens_a_second / other.tokens_a_second for one, other in pairs):.2f}" if "prefill" in found else "-"
        print(f"{name:12} {median(one.tokens_a_second for one in ones):10,.0f} {share:>10} {median(one.cpu_seconds for one in ones):10.2f}")


if __name__ == "__main__":
    main()
