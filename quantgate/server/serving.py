"""A vLLM that can be asked: where it is, with which key, which checkpoint it serves. Ours (`server.py`) or a stranger's (`endpoint.py`)."""

import math
import re
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quantgate.devices import Slot
from quantgate.errors import ServerError
from quantgate.records import DeviceHealth
from quantgate.registry import Checkpoint
from quantgate.server.vllm_log import Chosen

if TYPE_CHECKING:
    import httpx

REQUEST_SECONDS = 60.0
DYING_SECONDS = 2.0
POLL_SECONDS = 0.1
PROBE_IDS = (1, 2, 3, 4)
"""Ids and no words: every vocabulary has these, and not every tokenizer has a token for a given word."""
PROGRESS = ("vllm:generation_tokens_total", "vllm:prompt_tokens_total", "vllm:request_success_total")


class Secret(str):
    """A string that no traceback with local variables shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'(secret)'"


class Serving(ABC):
    """What measurements need of a server. `model` is its name in requests, `folder` has the checkpoint's files on this machine."""

    checkpoint: Checkpoint
    folder: Path
    slot: Slot
    model: str
    base_url: str
    api_key: Secret
    is_ours: bool = False
    """Whether it was started as models.toml says."""
    death: ServerError | None = None
    """Why it has ended, once that has been raised to a test."""

    @abstractmethod
    def kernels(self, *, quantized: bool = False) -> list[str]:
        """Kernels that were chosen, in order of appearance; none where nobody can tell; `quantized`: of quantized layers alone."""

    def chosen(self) -> list[Chosen]:
        """The kernels of its quantized layers, with what they are for; none where nobody can tell."""
        return []

    @abstractmethod
    def health(self) -> DeviceHealth | None:
        """Whether its device is fit to measure speed on, asked while it idles; None where nobody can tell."""

    @abstractmethod
    def weights_gib(self) -> float:
        """What a step reads of weights, as far as is known: in the device's memory, else on disk."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Of `vllm`, `torch` and `transformers`, as provenance has them; "unknown" where nobody can tell."""

    @abstractmethod
    def raise_if_dead(self) -> None:
        """Raises ServerError, with the reason and what to do, when the server has ended since it was ready."""

    @abstractmethod
    def died(self, what: str) -> ServerError:
        """The error for a server that has ended or must be (`what`: "died", "hangs: …"); one of ours is ended with all that is left."""

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": Secret(f"Bearer {self.api_key}")} if self.api_key else {}

    def client(self, seconds: float = REQUEST_SECONDS) -> "httpx.Client":
        """A client for small requests; loopback is not for proxies."""
        import httpx

        return httpx.Client(base_url=self.base_url, headers=self.headers, timeout=seconds, trust_env=False)

    def confirm_alive(self) -> None:
        """After a request has failed: raises ServerError if the server is what failed, and returns if it is as healthy as before.

        An engine that dies fails its requests first; its API server ends seconds later and says 503 until then.
        """
        import httpx

        deadline = time.monotonic() + DYING_SECONDS
        with self.client(DYING_SECONDS) as client:
            while time.monotonic() < deadline:
                self.raise_if_dead()
                try:
                    if (status := client.get("/health").status_code) == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    status = 0
                if status == httpx.codes.SERVICE_UNAVAILABLE:
                    break
                time.sleep(POLL_SECONDS)
        raise self.died("died" if status else "no longer answers")

    def probe(self, client: "httpx.Client") -> None:
        """One token and finite logprobs: a checkpoint full of NaN answers everything else. Raises ServerError.

        Of dummy weights nothing is asked but a token: NVFP4's random scales give NaN, at the speed of any number.
        """
        import httpx

        body: dict[str, Any] = {"model": self.model, "prompt": PROBE_IDS, "max_tokens": 1, "temperature": 0}
        if self.checkpoint.has_weights:
            body["prompt_logprobs"] = 0
        answer = client.post("/v1/completions", json=body)
        if answer.status_code != httpx.codes.OK:
            why = "its logprobs are not finite; check the checkpoint's scales for NaN and Inf"
            said = why if "not JSON compliant" in answer.text else answer.text[:300]
            raise ServerError(f"{self.model} answers {answer.status_code} to a request for one token: {said}")
        if not self.checkpoint.has_weights:
            return
        choice = answer.json()["choices"][0]
        positions = choice["prompt_logprobs"][1:]
        if not positions or not all(math.isfinite(entry["logprob"]) for position in positions for entry in position.values()):
            raise ServerError(f"{self.model} gives no finite prompt_logprobs; check the checkpoint's scales for NaN and Inf")


def progress_of(metrics: str) -> float:
    """Of a /metrics page: the sum of what only grows, and only while the engine works."""
    pattern = rf"(?m)^(?:{'|'.join(map(re.escape, PROGRESS))})(?:\{{[^}}]*\}})? (\S+)$"
    return sum(float(value) for value in re.findall(pattern, metrics))
