"""The loss of the token that stands there: not of the first entry, the largest, or the one of rank 1."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import ConfigurationError, MeasurementError
from quantgate.measure.prompt_logprobs import decoded
from quantgate.measure.text_loss import LIKELIEST, likeliest
from quantgate.measure.text_loss import document_loss as loss_of
from quantgate.records import DocumentLoss
from quantgate.suites import Document, Encoded, TextSuite, encode

Entries = list[dict[str, Any] | None]


def document_loss(document: Encoded, entries: Entries | None) -> DocumentLoss:
    """Of an answer with these entries, as bytes."""
    return loss_of(document, decoded(json.dumps({"choices": [{"prompt_logprobs": entries}]}).encode()))


def entry(logprob: float, rank: int = 1) -> dict[str, Any]:
    return {"logprob": logprob, "rank": rank, "decoded_token": "x"}


DOCUMENT = Encoded("d7", [5, 6, 7, 6])


def three_positions() -> Entries:
    """Own tokens 6, 7, 6 at -2, -0.5, -4. At position 1 the own token stands first, at 2 it is likeliest, at 3 it stands last."""
    return [
        None,
        {"6": entry(-2.0, rank=9), "8": entry(-0.25)},
        {"7": entry(-0.5), "9": entry(-1.0, rank=2)},
        {"7": entry(-0.125), "6": entry(-4.0, rank=33)},
    ]


def test_the_token_that_stands_there_is_summed() -> None:
    # 2 + 0.5 + 4 = 6.5; the first entries sum to 2.625, the largest and those of rank 1 to 0.25 + 0.5 + 0.125 = 0.875.
    assert document_loss(DOCUMENT, three_positions()) == DocumentLoss(id="d7", tokens=3, nll_sum=6.5, top1_nll_sum=0.875)


def test_the_order_of_the_entries_changes_nothing() -> None:
    turned: Entries = [entries and dict(reversed(entries.items())) for entries in three_positions()]
    assert document_loss(DOCUMENT, turned) == document_loss(DOCUMENT, three_positions())


def test_position_0_is_left_out_even_where_the_server_gives_it_one() -> None:
    with_first: Entries = [{"5": entry(-100.0)}, *three_positions()[1:]]
    assert document_loss(DOCUMENT, with_first) == document_loss(DOCUMENT, three_positions())


def test_top1_is_the_largest_logprob_not_that_of_rank_1() -> None:
    loss = document_loss(Encoded("d", [1, 2]), [None, {"2": entry(-3.0, rank=1), "4": entry(-0.75, rank=2)}])
    assert (loss.nll_sum, loss.top1_nll_sum) == (3.0, 0.75)


def test_top1_is_the_own_token_where_that_is_the_only_entry() -> None:
    loss = document_loss(Encoded("d", [1, 2]), [None, {"2": entry(-3.0)}])
    assert loss.top1_nll_sum == loss.nll_sum == 3.0


def test_small_losses_are_not_lost_beside_large_ones() -> None:
    # In plain float addition 2**60 + 1 - 2**60 is 0; the exact sum keeps 1,000 of them.
    ids = [0, *range(1, 1003)]
    own = [-(2.0**60), *[-1.0] * 1000, 2.0**60]
    assert document_loss(Encoded("d", ids), [None, *({str(token): entry(value)} for token, value in enumerate(own, 1))]).nll_sum == 1000


@pytest.mark.parametrize("entries", [{"9": entry(-1.0)}, {}, None])
def test_a_position_without_its_own_token_is_named(entries: dict[str, Any] | None) -> None:
    broken = three_positions()
    broken[2] = entries
    with pytest.raises(MeasurementError, match="d7: position 2 has no logprob for its own token 7"):
        document_loss(DOCUMENT, broken)


@pytest.mark.parametrize(("length", "seen"), [(3, "3"), (5, "5"), (0, "0")])
def test_another_number_of_positions_than_tokens_is_refused(length: int, seen: str) -> None:
    with pytest.raises(MeasurementError, match=f"d7: 4 tokens were sent, prompt_logprobs came back for {seen}"):
        document_loss(DOCUMENT, (three_positions() + three_positions())[:length])


def test_no_prompt_logprobs_at_all_are_refused() -> None:
    with pytest.raises(MeasurementError, match="d7: 4 tokens were sent, prompt_logprobs came back for none"):
        document_loss(DOCUMENT, None)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_logprob_that_is_not_finite_is_named_with_its_position(bad: float) -> None:
    broken = three_positions()
    broken[3] = {"7": entry(-0.125), "6": entry(bad)}
    with pytest.raises(MeasurementError, match=rf"d7: the logprobs at position 3 are \[-0.125, {bad}\], not all finite"):
        document_loss(DOCUMENT, broken)


@pytest.mark.parametrize("ids", [[], [4]])
def test_a_document_that_predicts_nothing_is_refused(ids: list[int]) -> None:
    with pytest.raises(MeasurementError, match=f"short has {len(ids)} tokens; it takes two"):
        document_loss(Encoded("short", ids), [None] * len(ids))


def test_texts_are_encoded_with_the_folder_s_tokenizer_in_their_order() -> None:
    bf16 = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
    encoded = encode(TextSuite("s", [Document("a", "add in"), Document("b", "in")]), bf16)
    # Ids: 5 special tokens, 256 bytes, then the question words, "add" the first of them and "in" the eighth.
    assert encoded == [Encoded("a", [261, 268]), Encoded("b", [268])]


def test_a_folder_without_tokenizer_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no tokenizer\.json; save the tokenizer there in its fast form"):
        encode(TextSuite("s", []), tmp_path)


RECORDED = Path(__file__).parent / "recorded"
"""What vLLM 0.32.0 answered for SmolLM2-135M-Instruct in BF16 on a CPU, with `prompt_logprobs` 1 and 10, byte for byte."""
SPOKEN = [8113, 1137, 42, 619, 70, 1727, 105, 5484, 34471, 8140, 573, 1841, 37366, 28, 216, 33, 41, 41, 32, 3814, 476, 104, 18]


@pytest.mark.parametrize("name", ["smollm2-top1.json", "smollm2-top10.json"])
def test_recorded_bytes_give_the_loss_that_plain_json_gives_whatever_was_asked_for_beside(name: str) -> None:
    came = decoded((RECORDED / name).read_bytes())
    entries = json.loads((RECORDED / "smollm2-top1.json").read_text(encoding="utf-8"))["choices"][0]["prompt_logprobs"][1:]
    own = [found[str(token)]["logprob"] for token, found in zip(SPOKEN[1:], entries, strict=True)]
    best = [max(one["logprob"] for one in found.values()) for found in entries]
    expected = DocumentLoss(id="spoken", tokens=22, nll_sum=-math.fsum(own), top1_nll_sum=-math.fsum(best))
    assert loss_of(Encoded("spoken", SPOKEN), came) == expected


def test_recorded_bytes_give_the_likeliest_tokens_in_vllm_s_own_ranks() -> None:
    body = (RECORDED / "smollm2-top10.json").read_bytes()
    found = likeliest(Encoded("spoken", SPOKEN), decoded(body))
    for place, entries in enumerate(json.loads(body)["choices"][0]["prompt_logprobs"][1:]):
        ranked = sorted(entries.items(), key=lambda one: one[1]["rank"])[:LIKELIEST]
        assert found.logprobs[place] == [round(one["logprob"], 4) for _, one in ranked]
        assert set(found.tokens[place]) == {int(token) for token, _ in ranked}
        assert found.own[place] == round(entries[str(SPOKEN[place + 1])]["logprob"], 4)
