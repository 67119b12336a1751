"""Does vLLM take the checkpoint: load it, generate from it, give numbers that are numbers, and end in good order?"""

import pytest

from quantgate.measure import generate, sprinkle
from quantgate.registry import REFERENCE_PRECISION
from quantgate.server import Serving


@pytest.mark.server
def test_it_generates(server: Serving, accepted: str) -> None:
    for answer in generate(server):
        print(f"{accepted}: {answer.prompt!r} -> {' '.join(answer.tokens[:12])!r} ({answer.finish_reason})")


@pytest.mark.server
def test_every_logprob_is_finite(server: Serving, accepted: str) -> None:
    print(f"{accepted}: {sprinkle(server)} logprobs, all finite")


@pytest.mark.server
def test_its_kernel_is_named(server: Serving, chosen_kernels: list[str]) -> None:
    if server.checkpoint.precision != REFERENCE_PRECISION:
        assert chosen_kernels, f"{server.model}: vLLM's log names no kernel of a quantized linear layer; was it quantized at all?"


@pytest.mark.server
def test_its_server_ends_in_good_order(ending: str | None) -> None:
    assert ending is None, ending
