"""The servers of this run: one a checkpoint, booted when first needed, stopped after the last test that needs it."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from quantgate.devices import MemoryBefore, Slot, used_gib
from quantgate.errors import PortTakenError, ServerError
from quantgate.registry import Checkpoint, local_folder
from quantgate.server.boots import Boots
from quantgate.server.endpoint import Endpoint
from quantgate.server.server import Server
from quantgate.server.serving import Serving

BOOTS = 2
"""Of a checkpoint whose server dies, or whose worker (xdist) dies with it: the tests that remain get one more."""
PORTS = 3


class Pool:
    """Servers by checkpoint.

    `report` takes lines for the summary, `warn` those of vLLM's warnings there, once each, `now` what is going on ("": nothing any
    more); `keep_open` are locks that a server's watchdog is to hold on to; `workers`: where the workers of this run note their boots for
    one another, if it has workers.
    """

    def __init__(
        self,
        slot: Slot,
        logs: Path,
        report: Callable[[str], None],
        now: Callable[[str], None] = lambda _: None,
        keep_open: Sequence[int] = (),
        endpoint: str | None = None,
        *,
        warn: Callable[[str], None] = lambda _: None,
        workers: Path | None = None,
    ) -> None:
        self.slot, self.logs, self.report, self.now, self.warn = slot, logs, report, now, warn
        self._noted = Boots(workers)
        self._warned: set[str] = set()
        self.boots: Counter[str] = Counter()
        self.keep_open, self._endpoint = tuple(keep_open), endpoint
        self._servers: dict[str, Server] = {}
        self._attached: dict[str, Endpoint] = {}
        self.endings: dict[str, str | None] = {}
        """How the servers that were stopped have ended: None in good order, else what was wrong."""
        self._ready: set[str] = set()
        self._given_up: dict[str, str] = {}
        self._needed: Counter[str] = Counter()
        self._before: MemoryBefore | None = None

    @property
    def is_attached(self) -> bool:
        """Whether the server is somebody else's, and not ours to stop."""
        return self._endpoint is not None

    def expect(self, needs: Iterable[str]) -> None:
        """One more test will use these checkpoints."""
        self._needed.update(needs)

    def get(self, checkpoint: Checkpoint, *ahead: Checkpoint) -> Serving:
        """The ready server of this checkpoint; those in `ahead` begin to boot meanwhile, on a CPU, where memory allows it.

        A server that has died since it was ready fails the test that finds out, and boots again for the next one, once.
        One that does not boot is tried again only where its log names no cause. Raises ServerError.
        """
        if self._endpoint is not None:
            return self._attach(self._endpoint, checkpoint)
        key = str(checkpoint)
        if (old := self._servers.get(key)) is not None and old.death is not None:
            self.close([key])
            if self.boots[key] >= BOOTS:
                self._given_up[key] = _first_line(old.death)
        if key not in self._servers and (died := self._noted.died(key)) >= BOOTS:
            raise ServerError(
                f"{key} was given up earlier in this run: {died} pytest workers have died with its server; "
                f"its logs are in {self.logs / checkpoint.family / checkpoint.name}, and the kernel's (dmesg) names what it has killed"
            )
        if key in self._given_up:
            raise ServerError(f"{key} was given up earlier in this run: {self._given_up[key]}")
        try:
            return self._ready_one(checkpoint, ahead)
        except ServerError as error:
            if key not in self._ready and _is_final(self._servers.get(key)):
                self._given_up[key] = _first_line(error)
                self.close([key])
            raise
        finally:
            self.now("")

    def _ready_one(self, checkpoint: Checkpoint, ahead: Sequence[Checkpoint]) -> Server:
        key, started = str(checkpoint), time.monotonic()
        server = self._start(checkpoint)
        if key not in self._ready:
            for other in ahead if self.slot.is_cpu else ():
                self._start(other)
            for ports_left in reversed(range(PORTS)):
                try:
                    server.wait_until_ready(lambda line: self.now(f"{key}: {line}"))
                    break
                except PortTakenError:
                    if not ports_left:
                        raise
                    self.close([key])
                    server = self._start(checkpoint, again=True)
            self._ready.add(key)
            again = ", booted again" if self.boots[key] > 1 else ""
            self.report(f"{key}: vLLM ready on {server.slot} after {time.monotonic() - started:.0f} s{again}")
            self._pass_on_warnings(key, server)
        server.raise_if_dead()
        return server

    def _attach(self, url: str, checkpoint: Checkpoint) -> Endpoint:
        key = str(checkpoint)
        if key not in self._attached:
            self._attached[key] = Endpoint(url, checkpoint, local_folder(checkpoint))
            self.report(f"{key}: attached to {url}, which serves it as {self._attached[key].model}")
        self._attached[key].raise_if_dead()
        return self._attached[key]

    def _start(self, checkpoint: Checkpoint, *, again: bool = False) -> Server:
        key = str(checkpoint)
        if key not in self._servers:
            self._before = self._before or MemoryBefore(self.slot)
            self.boots[key] = max(self.boots[key], self._noted.died(key)) + (not again)
            name = "server.log" if self.boots[key] == 1 else f"server.{self.boots[key]}.log"
            log = self.logs / checkpoint.family / checkpoint.name / name
            slot = self.slot.first(checkpoint.serve.tensor_parallel)
            self._noted.begin(key)
            try:
                self._servers[key] = Server(checkpoint, local_folder(checkpoint), slot, log, keep_open=self.keep_open)
            finally:
                if key not in self._servers:
                    self._noted.end(key)
        return self._servers[key]

    def done(self, needs: Iterable[str], keep: Iterable[str] | None = None) -> None:
        """A test has ended: stop what no later test needs; with `keep`, stop everything but that (what comes is unknown)."""
        self._needed.subtract(needs)
        kept = {key for key, count in self._needed.items() if count > 0} if keep is None else set(keep)
        self.close(self._servers.keys() - kept)

    def close(self, keys: Iterable[str] | None = None) -> None:
        """Stop these servers, or all; the first failure to stop is raised after all were tried."""
        failures = []
        for key in list(self._servers if keys is None else keys):
            server = self._servers.pop(key, None)
            self._ready.discard(key)
            if server is None:
                continue
            try:
                self._stop(key, server)
            except ServerError as error:
                failures.append(error)
            finally:
                self._noted.end(key)
        if failures:
            raise failures[0]

    def _pass_on_warnings(self, key: str, server: Server) -> None:
        """What vLLM warns of, with the checkpoint's name, once."""
        for said in server.warnings():
            if (line := f"{key}: vLLM warns: {said}") not in self._warned:
                self._warned.add(line)
                self.warn(line)

    def _stop(self, key: str, server: Server) -> None:
        serving_gib = used_gib(self.slot)
        self._pass_on_warnings(key, server)
        server.stop()
        self.endings[key] = trouble = server.trouble_at_end()
        if trouble is not None:
            self.report(trouble)
        if self._servers or self._before is None:
            return
        before, self._before = self._before, None
        after_gib = before.raise_unless_back()
        if None not in (before.gib, serving_gib, after_gib):
            used = f"{before.gib:.1f} GiB in use before, {serving_gib:.1f} at its end, {after_gib:.1f} after"
            self.report(f"{key}: ended; {self.slot} {used}")


def _is_final(server: Server | None) -> bool:
    """Whether a server that never was ready would fail in the same way again: it answers nonsense, or its log names a cause."""
    return server is None or server.death is None or server.names_a_cause()


def _first_line(error: ServerError) -> str:
    return str(error).splitlines()[0]
