"""A vLLM server of ours: boot, wait until it is ready, watch, stop, leave nothing behind.

A process under a watchdog (`process.py`), on loopback, with a random key (handed over in the environment, so that no
process list shows it), its log in a file and its temporary files in a folder of its own. Ready means: healthy, and a
`prompt_logprobs` request came back with a token and finite values.
"""

import re
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from quantgate import folders
from quantgate.devices import Slot, cores_of, is_free_and_shared, look_at_health
from quantgate.errors import PortTakenError, ServerError
from quantgate.records import DeviceHealth
from quantgate.registry import Checkpoint
from quantgate.server import launch, vllm_log
from quantgate.server.process import Ended, Process
from quantgate.server.serving import REQUEST_SECONDS, Secret, Serving
from quantgate.server.vllm_log import Chosen
from quantgate.server.vllm_warnings import warnings

if TYPE_CHECKING:
    import httpx

BOOT_SECONDS = 300.0
SECONDS_PER_GIB = 10.0  # weights from a slow disk, or into pinned memory of the host
LEAST_GIB_SHOWN = 0.1
POLL_SECONDS = 0.25
SIGTERM_EXIT = -15
OOM_KILLS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))


class Server(Serving):
    """A running vLLM. Make one with `Server(...)`, then `wait_until_ready()`; `stop()` is safe at any time."""

    is_ours = True

    def __init__(
        self,
        checkpoint: Checkpoint,
        folder: Path,
        slot: Slot,
        log: Path,
        env: dict[str, str] | None = None,
        keep_open: Sequence[int] = (),
    ) -> None:
        """`folder` holds the weights; `env` is added to the environment; `keep_open`: descriptors to hold until nothing is left."""
        self.checkpoint, self.folder, self.slot, self.log = checkpoint, folder, slot, log
        self.model = str(checkpoint)
        self.api_key = Secret(secrets.token_urlsafe(24))
        launch.require_room(checkpoint, folder, slot)
        folders.private(log.parent)
        log.unlink(missing_ok=True)  # an earlier run's, which would be read until the watchdog begins its own
        self._reservation = reserve_port()
        self.base_url = f"http://127.0.0.1:{self._reservation.getsockname()[1]}"
        self._oom_kills = oom_kills()
        scratch = folders.scratch()
        environment = launch.environment(checkpoint, slot, self.api_key, scratch) | (env or {})
        command = launch.command(checkpoint, folder, slot, self._reservation.getsockname()[1])
        self._process = Process(command, environment, log, scratch, cores_of(slot), keep_open)
        self.ended: Ended | None = None

    @property
    def pid(self) -> int | None:
        """The API server's process."""
        return self._process.pid

    @property
    def watchdog_pid(self) -> int:
        """All processes of this server are this one's descendants."""
        return self._process.watchdog_pid

    def kernels(self, *, quantized: bool = False) -> list[str]:
        """As the log says."""
        return vllm_log.kernels(vllm_log.read(self.log), quantized=quantized)

    def chosen(self) -> list[Chosen]:
        """As the log says."""
        return vllm_log.chosen(vllm_log.read(self.log), quantized=True)

    def warnings(self) -> list[str]:
        """What its log warns of so far that concerns the checkpoint."""
        return warnings(vllm_log.read(self.log))

    def health(self) -> DeviceHealth | None:
        return look_at_health(self.slot, launch.vllm_version())

    def weights_gib(self) -> float:
        in_device = vllm_log.weights_gib(vllm_log.read(self.log))
        return folders.size_gib(self.folder) if in_device is None else in_device

    def versions(self) -> dict[str, str]:
        return launch.versions()

    def wait_until_ready(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Returns once the server answers with finite numbers; `say` is told how far it is, twice a second.

        Raises ServerError with the reason and the log's tail, PortTakenError where another boot may succeed at once.
        """
        import httpx

        weights_gib = folders.size_gib(self.folder)
        started, allowed = time.monotonic(), boot_seconds(self.checkpoint, weights_gib)
        with self.client() as client:
            while not self._is_healthy(client):
                seconds = time.monotonic() - started
                if self._process.has_ended():
                    raise self.died("did not boot")
                if seconds > allowed:
                    raise self.died(f"was not ready after {allowed:.0f} s")
                text = vllm_log.read(self.log)
                loaded = vllm_log.share_loaded(text)
                size = (
                    ""
                    if loaded is None or weights_gib < LEAST_GIB_SHOWN
                    else f", {loaded * weights_gib:.1f} of {weights_gib:.1f} GiB loaded"
                )
                say(f"{vllm_log.phase(text)}{size}, {seconds:.0f} s")
                time.sleep(POLL_SECONDS)
            try:
                self.probe(client)
            except httpx.TransportError as error:
                self._process.wait_for_end(REQUEST_SECONDS / 10)
                raise self.died(f"did not answer its first request ({type(error).__name__})") from error
            except ServerError as error:
                if vllm_log.FOLLOWS.search(str(error)) is None:
                    raise
                self._process.wait_for_end(REQUEST_SECONDS / 10)  # the engine is dead, and its log says of what
                raise self.died("died of its first request") from error
        self._reservation.close()

    def _is_healthy(self, client: "httpx.Client") -> bool:
        import httpx

        try:
            return client.get("/health").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False  # not listening yet

    def names_a_cause(self) -> bool:
        """Whether the log has an exception, so that another boot would end in it as well."""
        return vllm_log.cause(vllm_log.read(self.log)) is not None

    def raise_if_dead(self) -> None:
        if self.death is not None:
            raise self.death
        if self._process.has_ended():
            raise self.died("died")

    def died(self, what: str) -> ServerError:
        if self.death is None:
            alive = not self._process.has_ended()
            # Its remains go while the test fails: whoever waits to hear of it does not wait for them.
            self._process.let_go(at_once=alive and what.startswith("hangs"))
            text = vllm_log.read(self.log)
            found = vllm_log.cause(text)
            if found is not None and found.kind == vllm_log.TAKEN and is_free_and_shared(self.slot):
                found = msgspec.structs.replace(vllm_log.PAGE_CACHE, line=found.line)
            code = None if alive else self._process.exit_code
            why = str(found) if found else self._unnamed_cause(code)
            exit_code = "" if code is None else f" (exit {code})"
            kind = PortTakenError if found is not None and found.kind == "the port is taken" else ServerError
            self.death = kind(f"{self.model} {what}{exit_code}: {why}; its log is {self.log}\n{vllm_log.tail(text)}")
        return self.death

    def _unnamed_cause(self, code: int | None) -> str:
        if oom_kills() > self._oom_kills:
            return "the kernel's out-of-memory killer ended a process meanwhile; free host memory, or lower cpu_offload_gb"
        if code is not None and code < 0:
            return f"killed by signal {-code}, by whoever may do that here; its log names no exception"
        return "its log names no exception"

    def stop(self) -> None:
        """End it with all its processes. Raises ServerError where one is left."""
        if self.ended is None:
            self._reservation.close()
            self._log_at_stop = len(vllm_log.read(self.log))
            self.ended = self._process.stop()

    def trouble_at_end(self) -> str | None:
        """What was wrong with a stop in good order: a bad exit code, processes that had to be killed, an exception in the log."""
        if self.ended is None or self.death is not None:
            return None
        said = vllm_log.cause(vllm_log.read(self.log)[self._log_at_stop :])
        troubles = [
            f"exit code {self.ended.code}" if self.ended.code not in (0, SIGTERM_EXIT) else "",
            f"{self.ended.killed} processes had to be killed" if self.ended.killed else "",
            f"its log says {said.line}" if said else "",
        ]
        found = ", ".join(filter(None, troubles))
        return f"{self.model} did not end cleanly: {found}; see {self.log}" if found else None


def boot_seconds(checkpoint: Checkpoint, weights_gib: float) -> float:
    """How long it may take until it is ready: several devices wait for one another, and weights have to come from and go somewhere."""
    serve = checkpoint.serve
    return BOOT_SECONDS * min(serve.tensor_parallel, 2) + SECONDS_PER_GIB * (weights_gib + serve.cpu_offload_gb * serve.tensor_parallel)


def reserve_port() -> socket.socket:
    """A socket bound to a free port of loopback that nobody else is given while it is open.

    vLLM binds with SO_REUSEADDR, as this does and nobody listens here, so that it can take the port, and no one is given
    it by chance between our choice and that moment.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def oom_kills() -> int:
    """How often the kernel has killed for want of memory, on this machine or in this container, since it began to count."""
    count = 0
    for file in OOM_KILLS:
        try:
            count += sum(map(int, re.findall(r"(?m)^oom_kill (\d+)$", file.read_text(encoding="ascii"))))
        except OSError:
            continue
    return count
