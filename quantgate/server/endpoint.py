"""A vLLM that somebody else runs: asked, never started, never stopped."""

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quantgate import folders
from quantgate.devices import Device, Slot
from quantgate.errors import ConfigurationError, ServerError
from quantgate.records import DeviceHealth
from quantgate.registry import Checkpoint
from quantgate.server.serving import Secret, Serving

if TYPE_CHECKING:
    import httpx

KEY = "QUANTGATE_API_KEY"


def parse_endpoint(url: str) -> str:
    """The base URL without a trailing `/` or `/v1`. Raises ConfigurationError, which never repeats a password."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"--endpoint has a user or a password in it, which logs would keep; put the key into {KEY}")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(f"--endpoint={url} is no address of a server; give http://HOST:PORT")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"


def endpoint_slot(base_url: str) -> Slot:
    """Where an endpoint computes is not for us to know: its class is its own address, so that speeds compare with themselves alone."""
    return Slot(devices=[Device(name=f"endpoint {urlsplit(base_url).netloc.replace(':', '-')}", uuid="")])


class Endpoint(Serving):
    """A server at an address. Raises ServerError at once unless it serves the checkpoint."""

    def __init__(self, base_url: str, checkpoint: Checkpoint, folder: Path) -> None:
        self.base_url, self.checkpoint, self.folder, self.slot = base_url, checkpoint, folder, endpoint_slot(base_url)
        self.api_key = Secret(os.environ.get(KEY, ""))
        with self.client() as client:
            self.model = self._served(client)
            self.probe(client)

    def _served(self, client: "httpx.Client") -> str:
        """The name by which it serves the checkpoint: family/name, name, path, the path's last part, or a model whose root is that."""
        import httpx

        try:
            answer = client.get("/v1/models")
        except httpx.HTTPError as error:
            raise ServerError(f"--endpoint={self.base_url} does not answer: {error}; is the server up, and the address right?") from None
        if answer.status_code in (401, 403):
            said = f"refuses the key in {KEY}" if self.api_key else f"wants a key, and {KEY} is not set"
            raise ServerError(f"--endpoint={self.base_url} {said} (HTTP {answer.status_code}); put the right one into it")
        try:
            models = [(str(one["id"]), str(one.get("root"))) for one in answer.json()["data"]]
        except (ValueError, KeyError, TypeError):
            raise ServerError(
                f"--endpoint={self.base_url} is no OpenAI-compatible server: /v1/models answers {answer.status_code} {answer.text[:80]!r}"
            ) from None
        wanted = {str(self.checkpoint), self.checkpoint.name, self.checkpoint.path, str(self.folder), Path(self.checkpoint.path).name}
        for name, root in models:
            if {name, root, Path(root).name} & wanted:
                return name
        served = ", ".join(name for name, _ in models) or "nothing"
        raise ServerError(
            f"--endpoint={self.base_url} serves {served}, and {self.checkpoint} was selected ({self.checkpoint.path}); "
            f"select the checkpoint that it serves, or serve it with --served-model-name {self.checkpoint}"
        )

    def kernels(self, *, quantized: bool = False) -> list[str]:  # noqa: ARG002 (its log is not ours to read)
        return []

    def raise_if_dead(self) -> None:
        if self.death is not None:
            raise self.death

    def died(self, what: str) -> ServerError:
        self.death = ServerError(f"{self.model} at {self.base_url} {what}; its log is where it runs")
        return self.death

    def health(self) -> DeviceHealth | None:
        return None

    def weights_gib(self) -> float:
        return folders.size_gib(self.folder)

    def versions(self) -> dict[str, str]:
        import httpx

        try:
            with self.client() as client:
                vllm = f"vllm {client.get('/version').json()['version']}"
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            vllm = "unknown"
        return {"vllm": vllm, "torch": "unknown", "transformers": "unknown"}
