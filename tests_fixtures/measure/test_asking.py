"""Which items are asked, and what is told of where the answers come from."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quantgate.measure.asking import ask_all, chosen
from quantgate.measure.journal import Journal
from quantgate.measure.provenance import provenance
from quantgate.records import Started
from quantgate.server.endpoint import Endpoint
from quantgate.server.serving import Secret
from quantgate.server.vllm_log import Chosen
from quantgate.suites import Document
from tests_fixtures.doubles.fake_llmcompressor import Bench
from tests_fixtures.doubles.little_vllm import running


def test_the_same_items_are_chosen_in_whatever_order_they_stand() -> None:
    documents = [Document(f"d{place}", "") for place in range(50)]
    forth, back = chosen(documents, 8, "seed"), chosen(documents[::-1], 8, "seed")
    assert forth == back[::-1]
    assert len(forth) == 8
    assert chosen(documents, 8, "another seed") != forth
    assert chosen(documents, 99, "seed") == documents


def test_provenance_says_what_made_a_checkpoint_that_quantgate_made(tmp_path: Path) -> None:
    made = Path(Bench(tmp_path).make().output)
    device = SimpleNamespace(name="CPU", driver=None, mig_profile=None, uuid=None)
    server: Any = SimpleNamespace(
        folder=made,
        slot=SimpleNamespace(devices=[device], device_class="cpu"),
        versions=lambda: {"vllm": "1", "torch": "2", "transformers": "5"},
        checkpoint=SimpleNamespace(serve=SimpleNamespace(tensor_parallel=1, env={})),
        kernels=list,
        chosen=lambda: [Chosen("MarlinNvFp4LinearKernel")],
        is_ours=False,
    )
    told = provenance(server, "s0", {}, Started())
    assert told.made_by is not None
    assert told.made_by.startswith("NVFP4 by quantgate ")
    assert told.numerics == "W4A16"
    (made / "quantgate.json").unlink()
    server.chosen = list
    without = provenance(server, "s0", {}, Started())
    assert (without.made_by, without.numerics) == (None, "W4A4 as declared")


@pytest.mark.parametrize("key", ["", "s3cret"])
def test_a_server_is_asked_with_its_key_or_with_none(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    def answer(_: str, given: str | None, __: bytes) -> tuple[int, str]:
        seen.append(given)
        return 200, '{"id": "x", "object": "text_completion", "choices": []}'

    with running() as little:
        little.key = key
        monkeypatch.setattr(little, "answer", answer)
        endpoint: Any = object.__new__(Endpoint)
        endpoint.base_url, endpoint.api_key, endpoint.model = little.url, Secret(key), "small/nvfp4"
        endpoint.checkpoint = SimpleNamespace(serve=SimpleNamespace(hang_seconds=300))

        async def ask(client: Any, item: Document) -> str:
            await client.completions.create(model="small/nvfp4", prompt=item.text)
            return item.text

        items = [Document("a", "A"), Document("b", "B")]
        assert ask_all(endpoint, items, ask, Journal.of_nothing()).got == {"a": "A", "b": "B"}
    assert seen == [f"Bearer {key}" if key else None] * 2
