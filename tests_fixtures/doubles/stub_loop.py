"""The process behind `stub_server`: one thread, one epoll loop, in steps as an engine with continuous batching has them.

At every step each request in progress gets its next chunk. Unpaced, a request's whole answer is written at once, for the
client to drown in.
"""

import contextlib
import json
import select
import socket
import sys
import time
from typing import Any

import msgspec

from tests_fixtures.doubles.stub_server import Behaviour, Truth, chunked, event

SPIN_SECONDS = 0.0015
"""epoll waits in whole milliseconds; what is nearer than this is slept through in small pieces instead."""
NAP_SECONDS = 0.00005


class _Peer:
    """One connection: what it has asked, and how far its answer is."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.asked = b""
        self.unsent = b""
        self.active = False
        self.reset()

    def reset(self) -> None:
        """Forget the request before."""
        self.truth = Truth(0, [])
        self.left = 0
        self.due_ns = 0
        self.limit = 0
        self.fault = ""


class _Server:
    """The loop: every connection, and at every step the next chunk of each request in progress."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)
        self.epoll = select.epoll()
        self.epoll.register(self.listener, select.EPOLLIN)
        self.epoll.register(sys.stdin, select.EPOLLIN)  # it ends when whoever started us does
        self.peers: dict[int, _Peer] = {}
        self.role = event({"role": "assistant", "content": ""})
        self.chunk = event({"content": " word"})
        self.textless = event({"content": ""})
        self.behave(behaviour)

    def behave(self, behaviour: Behaviour) -> None:
        """Start anew, like this."""
        self.behaviour = behaviour
        self.active: list[_Peer] = []
        self.truths: list[Truth] = []
        self.requests = self.generated = self.prompted = self.late_reads = 0
        self.step_ns = int(behaviour.step_ms * 1e6)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
        self.head = head + (b"\r\n" if behaviour.keep_alive else b"Connection: close\r\n\r\n")

    def serve(self) -> None:
        """Answer until stdin ends."""
        next_ns = time.monotonic_ns()
        while True:
            wait = (next_ns - time.monotonic_ns()) / 1e9 if self.active else 60.0
            if wait > SPIN_SECONDS:
                events = self.epoll.poll(wait - SPIN_SECONDS / 2)
            else:
                if wait > NAP_SECONDS:
                    time.sleep(NAP_SECONDS)
                events = self.epoll.poll(0)
            woken_ns = time.monotonic_ns()
            for number, _ in events:
                if number == sys.stdin.fileno():
                    return
                if number == self.listener.fileno():
                    self._accept()
                elif number in self.peers:
                    was_idle = not self.active
                    self._read(self.peers[number], woken_ns)
                    if was_idle:
                        next_ns = time.monotonic_ns()
            if self.active and (now_ns := time.monotonic_ns()) >= next_ns:
                self._step(now_ns)
                next_ns = max(next_ns + self.step_ns, time.monotonic_ns() - self.step_ns)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                sock, _ = self.listener.accept()
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.peers[sock.fileno()] = _Peer(sock)
                self.epoll.register(sock, select.EPOLLIN)

    def _close(self, peer: _Peer) -> None:
        if self.peers.pop(peer.sock.fileno(), None) is not None:
            self.epoll.unregister(peer.sock)
            peer.sock.close()
        if peer in self.active:
            self.active.remove(peer)

    def _read(self, peer: _Peer, woken_ns: int) -> None:
        try:
            data = peer.sock.recv(1 << 20)
        except BlockingIOError:
            data = b"" if not peer.unsent else b" "
        except OSError:
            data = b""
        if peer.unsent and self._flush(peer) and data == b" ":
            return
        if not data:
            self._close(peer)
            return
        peer.asked += data
        head, found, rest = peer.asked.partition(b"\r\n\r\n")
        if not found:
            return
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])}
        length = int(fields.get("content-length", 0))
        if len(rest) < length:
            return
        peer.asked = b""
        self._answer(peer, head.split(b" ", 2)[1].decode(), fields, rest[:length], woken_ns)

    def _answer(self, peer: _Peer, path: str, fields: dict[str, str], body: bytes, woken_ns: int) -> None:
        it = self.behaviour
        if path == "/truth":
            self._plain(peer, 200, msgspec.json.encode(self.truths))
        elif path == "/behave":
            self.behave(msgspec.json.decode(body, type=Behaviour))
            self._plain(peer, 200, b"{}")
        elif path == "/metrics":
            self._plain(peer, *((200, self._metrics()) if it.metrics else (404, b"")))
        elif path == "/v1/models":
            self._plain(peer, 200, json.dumps({"object": "list", "data": [{"id": "stub", "object": "model", "owned_by": "stub"}]}).encode())
        elif path != "/v1/chat/completions":
            self._plain(peer, it.health if path == "/health" else 404, b"{}")
        elif it.api_key and fields.get("authorization") != f"Bearer {it.api_key}":
            self._plain(peer, 401, json.dumps({"error": f"no such key: {fields.get('authorization')}"}).encode())
        else:
            self._chat(peer, json.loads(body), woken_ns)

    def _chat(self, peer: _Peer, body: dict[str, Any], woken_ns: int) -> None:
        it = self.behaviour
        self.requests += 1
        peer.reset()
        peer.truth = Truth(woken_ns, [], body)
        self.truths.append(peer.truth)
        faults = {"fail": it.fail_every, "half": it.half_close_every, "reset": it.reset_every, "stall": it.stall_every}
        faults |= {"short": it.short_every, "error": it.error_event_every, "usage": it.wrong_usage_every}
        peer.fault = next((name for name, every in faults.items() if every and self.requests % every == 0), "")
        if peer.fault == "fail":
            self._plain(peer, 500, it.body_of_500.encode())
            return
        peer.limit = peer.left = body.get("max_tokens") or body.get("max_completion_tokens") or 16
        if peer.fault == "short":
            peer.left = peer.limit = it.fault_after
        if not body.get("stream"):
            self._plain(peer, 200, json.dumps({"choices": [{"message": {"content": "word"}}], "usage": self._usage(peer)}).encode())
            self._count(peer)
            return
        peer.due_ns = peer.truth.received_ns + int(it.ttft_ms * 1e6)
        peer.active = True
        if self.step_ns or it.ttft_ms:
            self.active.append(peer)
        else:
            self._drown(peer)

    def _step(self, now_ns: int) -> None:
        for peer in list(self.active):
            if now_ns < peer.due_ns:
                continue
            it, sent = self.behaviour, len(peer.truth.sent_ns)
            if peer.fault in {"half", "stall", "error", "reset"} and sent >= it.fault_after:
                self._misbehave(peer)
                continue
            textless = it.textless_every and (sent + 1) % it.textless_every == 0
            data = self.textless if textless else self.chunk
            if not sent:
                data = self.head + self.role + data
            peer.left -= it.tokens_a_chunk
            ended = peer.left <= 0
            if ended:
                self._count(peer)  # before the client can know that it is over
                data += self._ending(peer)
            peer.truth.sent_ns.append(time.monotonic_ns())
            self._send(peer, data)
            if ended:
                self._over(peer)

    def _drown(self, peer: _Peer) -> None:
        """The whole answer at once."""
        it = self.behaviour
        chunks = -(-peer.left // it.tokens_a_chunk) + it.chunks_too_many
        until = it.fault_after if peer.fault in {"half", "stall", "error", "reset"} else chunks
        textless = range(it.textless_every, until + 1, it.textless_every) if it.textless_every else ()
        data = self.chunk * until if not textless else b"".join(self.textless if n in textless else self.chunk for n in range(1, until + 1))
        data = self.head + self.role + data
        if until == chunks:
            self._count(peer)
            data += self._ending(peer)
        peer.truth.sent_ns = [time.monotonic_ns()] * until
        self._send(peer, data)
        self._misbehave(peer) if peer.fault in {"half", "stall", "error", "reset"} else self._over(peer)

    def _misbehave(self, peer: _Peer) -> None:
        if peer.fault == "error":
            self._send(peer, chunked(b'data: {"error":{"message":"EngineCore died","code":500}}\n\n'))
        if peer in self.active:
            self.active.remove(peer)
        if peer.fault == "reset":
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        if peer.fault in {"half", "reset"}:
            self._close(peer)

    def _over(self, peer: _Peer) -> None:
        if peer in self.active:
            self.active.remove(peer)
        if not self.behaviour.keep_alive and not peer.unsent:
            self._close(peer)

    def _usage(self, peer: _Peer) -> dict[str, int]:
        completion = peer.limit - 1 if peer.fault == "usage" else peer.limit
        return {"prompt_tokens": self._prompt_tokens(peer), "completion_tokens": completion}

    def _prompt_tokens(self, peer: _Peer) -> int:
        content = peer.truth.body["messages"][0]["content"]
        text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        return len(text.split()) + self.behaviour.template_tokens

    def _count(self, peer: _Peer) -> None:
        self.generated += peer.limit
        self.prompted += self._prompt_tokens(peer)

    def _ending(self, peer: _Peer) -> bytes:
        parts = [event({"content": ""}, finish="length")] if self.behaviour.empty_before_end else []
        if self.behaviour.usage:
            parts.append(chunked(b"data: " + json.dumps({"choices": [], "usage": self._usage(peer)}).encode() + b"\n\n"))
        parts += [chunked(b"data: [DONE]\n\n")] if self.behaviour.done else []
        return b"".join([*parts, b"0\r\n\r\n"])

    def _metrics(self) -> bytes:
        it = self.behaviour
        late = self.generated and self.late_reads < it.metrics_late_reads
        self.late_reads += bool(late)
        half = self.generated * it.metrics_factor / 2 * (0.5 if late else 1)
        lines = [f'vllm:generation_tokens_total{{engine="{engine}",model_name="stub"}} {half}' for engine in (0, 1)]
        lines.append(f'vllm:prompt_tokens_total{{engine="0",model_name="stub"}} {self.prompted * it.metrics_factor}')
        return ("# TYPE vllm:generation_tokens_total counter\n" + "\n".join(lines) + "\n").encode()

    def _plain(self, peer: _Peer, status: int, body: bytes) -> None:
        self._send(peer, f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def _send(self, peer: _Peer, data: bytes) -> None:
        size = self.behaviour.crumbs
        for piece in [data[at : at + size] for at in range(0, len(data), size)] if size else [data]:
            if peer.unsent:
                peer.unsent += piece
                continue
            try:
                sent = peer.sock.send(piece)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._close(peer)
                return
            if sent < len(piece):
                peer.unsent = piece[sent:]
                self.epoll.modify(peer.sock, select.EPOLLIN | select.EPOLLOUT)

    def _flush(self, peer: _Peer) -> bool:
        with contextlib.suppress(BlockingIOError):
            peer.unsent = peer.unsent[peer.sock.send(peer.unsent) :]
        if not peer.unsent:
            self.epoll.modify(peer.sock, select.EPOLLIN)
        return True


def main() -> None:
    """Serve until whoever started us ends; the port is the one line that is printed."""
    server = _Server(msgspec.json.decode(sys.argv[1] if len(sys.argv) > 1 else "{}", type=Behaviour))
    print(server.listener.getsockname()[1], flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve()


if __name__ == "__main__":
    main()
