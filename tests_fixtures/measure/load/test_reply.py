"""Responses taken apart however their bytes arrive."""

import pytest

from quantgate.measure.load.outcome import RequestError
from quantgate.measure.load.reply import Reply

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"6\r\nabc\r\nd\r\n3;ext=1\r\nefg\r\n0\r\n\r\n"


def fed(content: bytes, size: int) -> tuple[Reply, bytes]:
    reply, body = Reply(), b""
    for start in range(0, len(content), size):
        body += b"".join(reply.feed(content[start : start + size]))
    return reply, body


@pytest.mark.parametrize("size", range(1, 90))
def test_chunks_come_out_whole_however_their_bytes_arrive(size: int) -> None:
    reply, body = fed(HEAD + BODY, size)
    assert body == b"abc\r\ndefg"
    assert (reply.status, reply.done, reply.reusable) == (200, True, True)


def test_a_response_is_not_done_a_byte_before_its_end() -> None:
    reply, body = fed((HEAD + BODY)[:-1], 7)
    assert body == b"abc\r\ndefg"
    assert not reply.done
    assert not reply.ended()


def test_a_trailer_belongs_to_the_response() -> None:
    reply, _ = fed(HEAD + BODY[:-2] + b"X-Sum: 1\r\n", 11)
    assert not reply.done
    reply.feed(b"\r\n")
    assert reply.done


@pytest.mark.parametrize(
    ("head", "reusable"),
    [("HTTP/1.1 500 Oh\r\nContent-Length: 4", True), ("HTTP/1.1 500 Oh\r\ncontent-length: 4\r\nConnection: close", False)],
)
def test_a_response_of_known_length_ends_there(head: str, reusable: bool) -> None:
    reply, body = fed(head.encode() + b"\r\n\r\noops", 3)
    assert (reply.status, reply.done, reply.reusable, body) == (500, True, reusable, b"oops")


def test_without_a_length_the_end_of_the_connection_ends_it() -> None:
    reply, body = fed(b"HTTP/1.1 200 OK\r\n\r\noops", 5)
    assert (body, reply.done, reply.reusable) == (b"oops", False, False)
    assert reply.ended()


def test_an_interim_answer_comes_before_the_answer() -> None:
    reply, body = fed(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + BODY, 9)
    assert (reply.status, body) == (200, b"abc\r\ndefg")


@pytest.mark.parametrize("content", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/2 200\r\n\r\n", HEAD + b"zz\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_is_an_error(content: bytes) -> None:
    with pytest.raises(RequestError, match=r"answer that is no HTTP/1\.1|chunk whose size is b'zz'"):
        Reply().feed(content)
