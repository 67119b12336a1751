"""As much of a vLLM server as clients need that ask who it is and how it is: in a thread of the test, which changes it as it likes."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOGPROBS: list[Any] = [None, {"5": {"logprob": -1.5}}, {"7": {"logprob": -0.25}}]


class LittleVllm:
    """`models`: (id, root); `key`: what it asks for; `made`: tokens so far, one more at every look if it `moves`.

    `answers`: path → (status, body) instead of its own, status 0 to hang up; `score`: the ids of a prompt and the number
    wanted → `logprobs` for it; if it `hangs`, requests for tokens wait for the end; `seen` counts requests by path, `asked`
    has the body of the last one.
    """

    def __init__(self) -> None:
        self.models: list[tuple[str, str]] = [("small/nvfp4", "/models/x")]
        self.key = ""
        self.health = 200
        self.logprobs: list[Any] | None = LOGPROBS
        self.score: Callable[[list[int], int], list[Any] | None] | None = None
        self.made, self.moves = 10, False
        self.hangs, self.released = False, threading.Event()
        self.answers: dict[str, tuple[int, str]] = {}
        self.seen: dict[str, int] = {}
        self.asked: dict[str, bytes] = {}
        self.url = ""

    def answer(self, path: str, key: str | None, body: bytes) -> tuple[int, str]:
        """Status and body; a status of 0 is no answer at all."""
        self.seen[path] = self.seen.get(path, 0) + 1
        if path in self.answers:
            return self.answers[path]
        if path == "/health":
            return self.health, ""
        if path != "/metrics":
            return self._keyed(path, key, body)
        self.made += self.moves
        return 200, f'vllm:generation_tokens_total{{engine="0"}} {self.made}.0\nvllm:num_requests_running{{engine="0"}} 1.0\n'

    def _keyed(self, path: str, key: str | None, body: bytes) -> tuple[int, str]:
        logprobs = self.logprobs
        if self.score is not None and path == "/v1/completions":
            asked = json.loads(body)
            logprobs = self.score(asked["prompt"], asked["prompt_logprobs"])
        found: dict[str, Any] = {
            "/v1/models": {"data": [{"id": name, "root": root} for name, root in self.models]},
            "/v1/completions": {"choices": [{"prompt_logprobs": logprobs}]},
            "/version": {"version": "0.32.0"},
        }
        if self.key and key != f"Bearer {self.key}":
            return 401, '{"error": "Unauthorized"}'
        if self.hangs and path == "/v1/completions":
            self.released.wait()
        return (200, json.dumps(found[path])) if path in found else (404, '{"detail": "Not Found"}')


@contextmanager
def running(prefix: str = "", made: Callable[[], LittleVllm] = LittleVllm) -> Iterator[LittleVllm]:
    """One that listens on a free port of loopback, below `prefix`."""
    little = made()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            little.asked[self.path] = asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = little.answer(self.path.removeprefix(prefix), self.headers.get("Authorization"), asked)
            if not self.path.startswith(prefix):
                status, body = 404, "nobody is here"
            if not status:
                return  # hang up without a word
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body.encode())))
            with contextlib.suppress(ConnectionError):  # of a client that has lost its patience
                self.end_headers()
                self.wfile.write(body.encode())

        do_GET = do_POST = _answer  # noqa: N815 (the library's names)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # clients connect many times at once, and one that finds no room waits for a second

    with Server(("127.0.0.1", 0), Handler) as server:
        little.url = f"http://127.0.0.1:{server.server_address[1]}{prefix}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield little
        finally:
            little.released.set()
            server.shutdown()
            thread.join()
