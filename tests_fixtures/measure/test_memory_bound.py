"""What memory bandwidth allows, worked out by hand."""

import json
from pathlib import Path

import pytest

from fixtures.shapes import make
from quantgate import registry
from quantgate.measure import memory_bound

ROOT = Path(__file__).parents[2]
CONFIG = {
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "hidden_size": 512,
    "vocab_size": 1000,
}


def test_a_token_s_keys_and_values_are_counted_over_all_layers() -> None:
    assert memory_bound.kv_bytes_a_token(CONFIG) == 2 * 2 * 2 * 64 * 2
    without = {key: value for key, value in CONFIG.items() if key not in {"num_key_value_heads", "head_dim"}}
    assert memory_bound.kv_bytes_a_token(without) == 2 * 2 * 8 * (512 // 8) * 2


def test_an_embedding_table_of_its_own_is_not_read_and_a_tied_one_is() -> None:
    assert memory_bound.embedding_bytes(CONFIG) == 1000 * 512 * 2
    assert memory_bound.embedding_bytes(CONFIG | {"tie_word_embeddings": True}) == 0


def test_the_bound_is_bandwidth_over_the_bytes_of_a_step() -> None:
    got = memory_bound.memory_bound(
        CONFIG | {"tie_word_embeddings": True}, weights_gib=1.0, copy_gb_s=2.0, concurrency=4, context=100, decode_tps=3.0
    )
    cache = 4 * 100 * 1024
    assert got.decode_tps == pytest.approx(4 * 2e9 / (2**30 + cache))
    assert got.percent == pytest.approx(100 * 3.0 / got.decode_tps)
    assert got.kv_gib == cache / 2**30


def test_a_32b_shape_in_bf16_is_bound_near_the_step_that_its_weights_alone_take() -> None:
    # 61.0 GiB at 4.3 TB/s take 15.2 ms; less the embedding's 1.45 GiB and more 16 x 256 tokens of KV cache: 15.1 ms, 16 tokens a step.
    config = json.loads((make.HERE / "qwen3-32b" / "bf16" / "config.json").read_text(encoding="utf-8"))
    got = memory_bound.memory_bound(config, weights_gib=61.0, copy_gb_s=4300.0, concurrency=16, context=256, decode_tps=830.0)
    assert 16 / got.decode_tps == pytest.approx(0.0151, rel=0.01)
    assert got.percent == pytest.approx(78.4, abs=0.1)


def test_the_shape_families_are_what_their_maker_makes() -> None:
    families = {family.name: family for family in registry.load(ROOT / "models.toml").family if family.name.startswith("shape-")}
    assert set(families) == {f"shape-{shape}" for shape in make.SHAPES}
    for shape in make.SHAPES:
        family = families[f"shape-{shape}"]
        assert not family.default
        assert [one.precision for one in family.checkpoint] == list(make.PRECISIONS)
        for one in family.checkpoint:
            assert not one.has_weights
            assert json.loads(Path(one.path, "config.json").read_text(encoding="utf-8")) == make.config(shape, one.precision)
            assert Path(one.path, "tokenizer.json").resolve() == make.TOKENIZER
    assert json.loads(make.TOKENIZER.read_text(encoding="utf-8")) == make.tokenizer()
