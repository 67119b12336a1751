"""Ray as an engine: an actor for each attempt, which starts the keeper on its node and hands over what that says.

An actor, since a generator that streams does not work through a client (ray://), and since it ends by itself with its driver, with its
node, and with its node's Ray; with it the keeper's standard input ends, and the keeper ends pytest and its servers. Ray sends what
needs to be run by name (quantgate has to be there), nothing of this process's environment, and logs none of what is told.
"""

import contextlib
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quantgate.errors import ConfigurationError
from quantgate.fan_out.engine import Lost, Need, Place
from quantgate.fan_out.wire import Job, News, frames, pack, unpack_news

POLL_SECONDS, CONNECT_SECONDS = 5.0, 10.0
LAST_PORT = 65_535
KEEPER = ("-m", "quantgate.fan_out.keeper")
MISSING = "fan-out on Ray needs Ray: install it with `uv pip install 'quantgate[ray]'`, here as on every node"


class OnNode:
    """The actor. Its methods run in threads beside each other."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._taken = 0
        self._is_over = False
        self._news = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, content: bytes, project: str | None) -> str:
        """Start the keeper and give it its job (a frame); returns the node's id."""
        import ray

        here = project if project is not None and Path(project).is_dir() else None
        self._process = subprocess.Popen([sys.executable, *KEEPER], cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        threading.Thread(target=self._read, daemon=True).start()
        self._process.stdin.write(content)
        self._process.stdin.flush()
        node: str = ray.get_runtime_context().get_node_id()
        return node

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for content in frames(self._process.stdout.fileno()):
            with self._news:
                self._frames.append(content)
                self._news.notify_all()
        self._process.wait()
        with self._news:
            self._is_over = True
            self._news.notify_all()

    def news(self, since: int, seconds: float) -> tuple[int, list[bytes], bool]:
        """What was said from that number on, which counts as heard before it; waits for it. And whether no more will come."""
        with self._news:
            del self._frames[: max(0, since - self._taken)]
            self._taken = max(self._taken, since)
            self._news.wait_for(lambda: self._frames or self._is_over, seconds)
            return self._taken, list(self._frames), self._is_over

    def stop(self) -> None:
        """The end of the keeper's standard input, which tells it to stop."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


class RayAttempt:
    """One actor. `pending`: what it is asked at the moment, for `ray.wait`."""

    def __init__(self, ray: Any, actor: Any, job: Job) -> None:
        self._ray, self._actor = ray, actor
        self._heard, self.is_closed = 0, False
        self.pending = actor.begin.remote(pack(job), job.project)
        self._node: str | None = None

    def news(self) -> Sequence[News]:
        if not self._ray.wait([self.pending], timeout=0)[0]:
            return []
        try:
            found = self._ray.get(self.pending)
        except self._ray.exceptions.ActorUnavailableError:  # for now: what was said meanwhile is kept there until it is heard
            self._ask()
            return []
        except self._ray.exceptions.RayError as error:
            raise Lost(self._why(error)) from None
        if self._node is None:
            self._node = found
            self._ask()
            return []
        first, contents, is_over = found
        self._heard = first + len(contents)
        news = [self._on_its_node(unpack_news(content)) for content in contents]
        if is_over and not any(one.kind == "ended" for one in news):
            raise Lost("what ran the tests on its node was killed")
        if not is_over:
            self._ask()
        return news

    def _on_its_node(self, news: News) -> News:
        """Several nodes may be on one host."""
        return msgspec.structs.replace(news, host=f"{news.host} {(self._node or '')[:6]}".strip())

    def _ask(self) -> None:
        self.pending = self._actor.news.remote(self._heard, POLL_SECONDS)

    def _why(self, error: BaseException) -> str:
        exceptions = self._ray.exceptions
        if isinstance(error, exceptions.RuntimeEnvSetupError):
            raise ConfigurationError(f"a node could not make its environment: {_last_line(error)}") from None
        if isinstance(error, exceptions.RayTaskError | exceptions.ActorDiedError) and "No module named" in str(error):
            how = "lay the project at the same path on every node, or give --ship, --runtime-env or --image"
            raise ConfigurationError(f"a node cannot import quantgate: {how}") from None
        return "its node, or Ray on it, has died"

    def stop(self) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._actor.stop.remote()

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            with contextlib.suppress(self._ray.exceptions.RayError, ValueError, ConnectionError):
                self._ray.kill(self._actor)


def _last_line(error: BaseException) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)


def _refuse_where_nobody_listens(address: str) -> None:
    """Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdecimal() or int(port) > LAST_PORT:
        raise ConfigurationError(f"--on={address}: give auto, HOST:PORT, ray://HOST:PORT, or slurm")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise _absent(address, error.strerror or str(error)) from None


def _absent(address: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"--on={address}: no Ray cluster answers there ({why}); start one with `ray start --head`, or name its address"
    )


def _without_its_prints() -> None:
    """Of a node that dies Ray prints the last lines of its log, whatever `log_to_driver` says; that it died is said by us. There is no
    setting for that: where Ray has another name for it one day, it prints them."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None


class RayEngine:
    """A cluster that runs. Raises ConfigurationError where there is none, or no Ray."""

    def __init__(self, address: str, runtime_env: Mapping[str, Any] | None = None) -> None:
        try:
            import ray
            import ray.exceptions
        except ModuleNotFoundError:
            raise ConfigurationError(MISSING) from None
        _refuse_where_nobody_listens(address)
        self._ray: Any = ray
        _without_its_prints()
        try:
            ray.init(
                address=address,
                runtime_env=dict(runtime_env) if runtime_env else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=True,
            )
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            raise _absent(address, _last_line(error)) from None
        self._actor = ray.remote(OnNode)
        self._attempts: list[RayAttempt] = []

    def places(self) -> list[Place]:
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        return [Place(f"{node['NodeManagerHostname']} {node['NodeID'][:6]}", node["Resources"]) for node in nodes]

    def start(self, job: Job, need: Need) -> RayAttempt:
        actor = self._actor.options(
            num_cpus=need.cpus,
            num_gpus=need.gpus,
            resources=dict(need.resources),
            max_restarts=0,
            max_concurrency=4,
            scheduling_strategy="SPREAD",
        ).remote()
        attempt = RayAttempt(self._ray, actor, job)
        self._attempts = [*(one for one in self._attempts if not one.is_closed), attempt]
        return attempt

    def wait(self, seconds: float) -> None:
        if pending := [one.pending for one in self._attempts if not one.is_closed]:
            self._ray.wait(pending, num_returns=1, timeout=seconds)
        else:
            threading.Event().wait(seconds)

    def close(self) -> None:
        self._ray.shutdown()
