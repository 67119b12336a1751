"""Which events of a stream are output, however they are cut."""

import json
from typing import Any

import msgspec
import pytest

from quantgate.measure.load.events import Event, Stream, Usage
from quantgate.measure.load.outcome import RequestError

DECODER = msgspec.json.Decoder(Event)


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def delta(**fields: Any) -> bytes:
    return event(choices=[{"index": 0, "delta": fields, "finish_reason": None}], usage=None)


def taken(*pieces: bytes) -> Stream:
    """Pieces arrive at 1, 2, 3, … ns."""
    stream = Stream()
    for now_ns, piece in enumerate(pieces, 1):
        stream.take(piece, now_ns, DECODER)
    return stream


USAGE = event(choices=[], usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12})
DONE = b"data: [DONE]\n\n"


def test_role_usage_and_an_empty_end_are_no_output_and_everything_else_is() -> None:
    role, end = delta(role="assistant", content=""), event(choices=[{"delta": {}, "finish_reason": "length"}])
    stream = taken(role, delta(content="a"), delta(reasoning_content="b"), delta(reasoning="c"), end, USAGE, DONE)
    assert stream.output_ns() == [2, 3, 4]
    assert stream.usage == Usage(9, 3)
    assert stream.done


def test_a_token_without_text_of_its_own_is_output() -> None:
    half_a_character = delta(content="")
    assert taken(delta(content="a"), half_a_character, delta(content="é"), USAGE, DONE).output_ns() == [1, 2, 3]


def test_the_role_is_no_output_though_there_are_fewer_chunks_than_tokens() -> None:
    assert taken(delta(role="assistant", content=""), delta(content="abc"), USAGE, DONE).output_ns() == [2]


def test_an_empty_text_that_no_token_stands_behind_is_none() -> None:
    assert taken(*[delta(content="a")] * 3, delta(content=""), USAGE, DONE).output_ns() == [1, 2, 3]


def test_a_role_in_every_chunk_hides_no_output() -> None:
    assert taken(*[delta(role="assistant", content="a")] * 3, USAGE, DONE).output_ns() == [1, 2, 3]


@pytest.mark.parametrize("size", range(1, 40))
def test_events_are_read_however_they_are_cut(size: int) -> None:
    content = (
        b": ping\r\n\r\nevent: x\n" + delta(content='ü\u2028"data: ') + delta(content="b").replace(b"\n\n", b"\r\n\r\n") + USAGE + DONE
    )
    stream = taken(*(content[start : start + size] for start in range(0, len(content), size)))
    assert len(stream.output_ns()) == 2
    assert stream.done


def test_several_events_that_arrive_together_have_one_time() -> None:
    assert taken(delta(content="a") + delta(content="b") + delta(content="c") + USAGE).output_ns() == [1, 1, 1]


def test_an_error_and_a_line_that_is_no_chunk_are_errors_and_say_what_came() -> None:
    with pytest.raises(RequestError, match=r'error in the stream after 1 chunks: \{"error": \{"message": "dead"'):
        taken(delta(content="a"), event(error={"message": "dead"}))
    with pytest.raises(RequestError, match="stream with a line that is no chunk: <html>"):
        taken(b"data: <html>\n")


def used(tokens: int) -> bytes:
    return event(choices=[], usage={"prompt_tokens": 9, "completion_tokens": tokens})


def first_tokens(*pieces: bytes) -> int:
    stream = taken(*pieces)
    return stream.first_tokens(len(stream.output_ns()))


def test_a_first_chunk_of_many_tokens_is_known_by_its_share_of_the_text() -> None:
    single = [delta(content=" word")] * 24
    assert first_tokens(delta(role="assistant", content=""), delta(content=" word" * 40), *single, used(64)) == 40
    assert first_tokens(delta(reasoning=" word" * 40), *single, used(64)) == 40
    assert first_tokens(*[delta(content=" word" * 8)] * 8, used(64)) == 8


def test_where_chunks_are_as_many_as_tokens_each_carries_one_however_long() -> None:
    assert first_tokens(delta(content="a" * 400), *[delta(content="b")] * 63, used(64)) == 1


def test_a_first_chunk_is_one_token_unless_it_is_clearly_several() -> None:
    rest = [delta(content=" word")] * 50
    assert first_tokens(delta(content=" a longer word"), *rest, used(64)) == 1
    assert first_tokens(delta(content=" word" * 100), *rest, used(54)) == 4  # the others carry one at least


def test_what_the_server_counts_at_the_first_chunk_is_believed() -> None:
    def counted(tokens: int) -> bytes:
        return event(choices=[{"delta": {"content": "x"}}], usage={"prompt_tokens": 9, "completion_tokens": tokens})

    assert first_tokens(counted(3), counted(6), counted(9)) == 3
    assert first_tokens(counted(1), counted(5), counted(9)) == 1


def test_an_answer_in_one_chunk_is_all_in_its_first() -> None:
    assert first_tokens(delta(content=" word" * 64), used(64)) == 64
    assert first_tokens(delta(content=""), used(1)) == 1
