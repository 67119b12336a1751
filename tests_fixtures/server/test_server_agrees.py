"""The harness against other tools, on the servers that the gates use: transformers' forward pass, vLLM's own kernel."""

import math
from pathlib import Path

import pytest

from quantgate.measure import measure_text_loss, turns
from quantgate.server.server import Server
from quantgate.suites import Document, TextSuite, encode

ROOT = Path(__file__).parents[2]
RELATIVE = 0.002
REFERENCE_TEXT = "reference-text"


def transformers_nll_per_token(folder: Path, suite: TextSuite, tokenizer: Path) -> float:
    """The same figure from transformers: FP32 forward passes over the same ids, one document at a time."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    nll_sum, tokens = 0.0, 0
    for document in encode(suite, tokenizer):
        ids = torch.tensor([document.ids])
        with torch.no_grad():
            logprobs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        nll_sum -= float(logprobs.gather(-1, ids[0, 1:, None]).sum())
        tokens += len(document.ids) - 1
    return nll_sum / tokens


def real_text() -> TextSuite:
    """English that nobody made for this model: the paragraphs of our licence, byte by byte to its tokenizer."""
    paragraphs = [" ".join(part.split()) for part in (ROOT / "LICENSE").read_text(encoding="utf-8").split("\n\n")]
    kept = [part[:900] for part in paragraphs if len(part) >= 64]
    return TextSuite("licence", [Document(f"paragraph-{number:02}", part) for number, part in enumerate(kept)])


@pytest.mark.server
@pytest.mark.only("bf16")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # torch's and transformers' own
def test_perplexity_is_what_transformers_says(server: Server, text_suite: TextSuite, tokenizer: Path) -> None:
    for suite in (text_suite, real_text()):
        measured = measure_text_loss(server, suite, tokenizer)
        expected = transformers_nll_per_token(server.folder, suite, tokenizer)
        print(f"{suite.name}: NLL {measured.nll_per_token:.6f}, transformers {expected:.6f}; top-1 PPL {measured.top1_perplexity:.3f}")
        assert measured.nll_per_token == pytest.approx(expected, rel=RELATIVE)
        assert measured.perplexity == pytest.approx(math.exp(expected), rel=0.01)
        assert measured.top1_perplexity < 0.9 * measured.perplexity, "the likeliest token was read instead of the one that stands there"


@pytest.mark.server
@pytest.mark.only("nvfp4")
def test_decoded_kernel_gives_the_logprobs_of_vllms_own(
    server: Server, text_suite: TextSuite, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One at a time: on some processors a product's last bits depend on what else is in the batch, and rounding to FP4 makes steps of them.
    monkeypatch.setattr(turns, "CONCURRENCY", 1)
    if not server.slot.is_cpu:
        pytest.skip("the decoding kernel is for CPUs; this device has kernels of vLLM's own")
    few = TextSuite(REFERENCE_TEXT, text_suite.documents[:24])
    without_ours = {"VLLM_DISABLED_KERNELS": "DecodedNvFp4LinearKernel"}
    own = Server(server.checkpoint, server.folder, server.slot, tmp_path / "server.log", without_ours)
    try:
        own.wait_until_ready()
        assert own.kernels() == ["EmulationNvFp4LinearKernel"]
        expected = measure_text_loss(own, few, tokenizer)
    finally:
        own.stop()
    assert server.kernels() == ["DecodedNvFp4LinearKernel"]
    assert measure_text_loss(server, few, tokenizer).documents == expected.documents
