"""From servers and a suite to a record, carried by pytest-benchmark."""

import itertools
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fixtures.shapes import make
from quantgate import fingerprint
from quantgate.devices import Slot, cpu
from quantgate.errors import MeasurementError, ServerError
from quantgate.judgement import malformed
from quantgate.measure import throughput
from quantgate.measure.load import Summary
from quantgate.measure.throughput import embedding_bytes, kv_bytes_a_token, measure_throughput, memory_bound
from quantgate.records import DeviceHealth, Limit, Throughput, decode, encode
from quantgate.registry import Checkpoint, Serve
from quantgate.server import Secret, Serving
from quantgate.server import liveness as watching
from quantgate.suites import LoadSuite
from tests_fixtures.doubles.stub_server import Behaviour, Stub, stub

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
SUITE = LoadSuite("decode-4x8", concurrency=4, requests=8, prompt_tokens=6, max_tokens=5, rounds=3, warm_up_rounds=1)
COLD = msgspec.structs.replace(SUITE, warm_up_rounds=0)

pytestmark = pytest.mark.usefixtures("patient")


class Served(Serving):
    """A stub as a measurement sees its server."""

    def __init__(self, running: Stub, name: str) -> None:
        self.base_url, self.model, self.api_key = running.url, f"reference/{name}", Secret("sk-very-secret")
        self.folder, self.slot = REFERENCE, Slot(devices=[cpu()])
        self.checkpoint = Checkpoint(name=name, precision=name, path=str(REFERENCE), family="reference", serve=Serve())

    def kernels(self, *, quantized: bool = False) -> list[str]:  # noqa: ARG002 (it has one, of either kind)
        return ["SomeKernel"]

    def versions(self) -> dict[str, str]:
        return {"vllm": "stub", "torch": "none", "transformers": "none"}

    def health(self) -> DeviceHealth:
        return DeviceHealth(copy_gb_s=1000.0, matmul_tflops=1.0)

    def weights_gib(self) -> float:
        return 1.0

    def raise_if_dead(self) -> None:
        """It lives."""

    def died(self, what: str) -> ServerError:
        return ServerError(f"{self.model} {what}")


class Benchmark:
    """pytest-benchmark's fixture as far as a measurement uses it: the real one switches itself off under pytest-xdist."""

    def __init__(self) -> None:
        self.extra_info: dict[str, Any] = {}
        self.disabled = False

    def pedantic(self, target: Callable[[], None], *, setup: Callable[[], None], rounds: int, iterations: int) -> None:
        assert iterations == 1
        for _ in range(1 if self.disabled else rounds):
            setup()
            target()


@pytest.fixture
def carrier() -> Benchmark:
    return Benchmark()


@pytest.fixture(scope="module")
def another() -> Iterator[Stub]:
    with stub() as one:
        yield one


def measured(running: Stub, carrier: Benchmark, bf16: Stub | None = None, suite: LoadSuite = SUITE) -> Throughput:
    return measure_throughput(Served(running, "nvfp4"), Served(bf16, "bf16") if bf16 else None, suite, carrier)


def test_a_measurement_is_a_record_of_its_rounds_and_of_what_vouches_for_them(running: Stub, carrier: Benchmark) -> None:
    running.behave(Behaviour(step_ms=2, api_key="sk-very-secret"))
    one = measured(running, carrier)
    assert malformed(one) is None
    assert len(one.rounds) == SUITE.rounds
    assert one.decode_tps == sorted(each.decode_tps for each in one.rounds)[1]
    assert (one.concurrency, one.requests, one.max_tokens, one.prompt_tokens) == (4, 8, 5, 6)
    assert one.log_speedup_over_bf16 == []
    assert one.counters is not None
    assert one.counters.generation_tokens == one.counters.server_generation_tokens == 4 * 8 * 5
    assert one.counters.prompt_tokens == 4 * 8 * (6 + 3)
    assert one.client is not None
    assert decode(encode(one), Throughput, "again") == one
    assert b"secret" not in encode(one)
    beside = carrier.extra_info
    assert beside["decode_tps"] == one.decode_tps
    assert beside["ttft_ms_p50"] == one.ttft_ms.p50
    assert beside["tpot_ms_p99"] == one.tpot_ms.p99
    assert beside["qps"] == sorted(each.qps for each in one.rounds)[1]


def test_a_suite_s_picture_stands_before_each_prompt_and_no_two_are_alike(running: Stub, carrier: Benchmark) -> None:
    running.behave(Behaviour(step_ms=2, api_key="sk-very-secret"))
    measured(running, carrier, suite=msgspec.structs.replace(SUITE, rounds=1, image=(32, 16)))
    contents = [one.body["messages"][0]["content"] for one in running.truth()]
    assert [[part["type"] for part in content] for content in contents] == [["image_url", "text"]] * 2 * SUITE.requests
    assert len({content[0]["image_url"]["url"] for content in contents}) == 2 * SUITE.requests


def test_every_round_of_a_checkpoint_comes_right_after_one_of_bf16(running: Stub, another: Stub, carrier: Benchmark) -> None:
    running.behave(Behaviour(step_ms=1))
    another.behave(Behaviour(step_ms=4))
    one = measured(running, carrier, another)
    assert len(one.log_speedup_over_bf16) == SUITE.rounds
    assert math.exp(sum(one.log_speedup_over_bf16) / SUITE.rounds) > 1.3  # four times by the steps, but for the machine's own delays
    begun = sorted([(true.received_ns, who) for who, each in (("nvfp4", running), ("bf16", another)) for true in each.truth()])
    turns = [who for who, _ in itertools.groupby(who for _, who in begun)]
    assert turns == ["bf16", "nvfp4"] * (1 + SUITE.rounds)
    prompts = [true.body["messages"][0]["content"] for each in (running, another) for true in each.truth()]
    tokenizer = fingerprint.tokenizer(REFERENCE)
    assert len({tokenizer.encode(prompt).ids[0] for prompt in prompts}) == len(prompts) == 2 * 4 * 8
    assert {len(tokenizer.encode(prompt).ids) for prompt in prompts} == {6}


def test_bf16_s_own_share_of_its_limit_stands_beside(
    running: Stub, another: Stub, carrier: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reached(server: Serving, suite: LoadSuite, summary: Summary, health: DeviceHealth | None) -> Limit:  # noqa: ARG001 (as called)
        percent = {"nvfp4": 20.0, "bf16": 80.0}[server.checkpoint.name]
        return Limit(weights_gib=1.0, kv_gib=0.0, decode_tps=summary.decode_tps, percent=percent)

    monkeypatch.setattr(throughput, "_limit", reached)
    running.behave(Behaviour(step_ms=1))
    another.behave(Behaviour(step_ms=4))
    one = measured(running, carrier, another)
    assert one.limit is not None
    assert one.bf16_limit is not None
    assert (one.limit.percent, one.bf16_limit.percent) == (20.0, 80.0)
    assert one.bf16_limit.decode_tps < one.limit.decode_tps


def test_a_failed_request_voids_the_measurement_and_names_the_server(running: Stub, carrier: Benchmark) -> None:
    running.behave(Behaviour(short_every=20, fault_after=3))
    with pytest.raises(MeasurementError, match=r"^reference/nvfp4 under decode-4x8: 1 of 8 requests failed: 1. 3 of 5 tokens came"):
        measured(running, carrier)


def test_a_server_that_died_is_what_is_said_of_its_failed_requests(running: Stub, carrier: Benchmark) -> None:
    running.behave(Behaviour(fail_every=1, health=503))
    with pytest.raises(ServerError, match=r"^reference/nvfp4 died( \(its engine is dead\))?$"):
        measured(running, carrier, suite=COLD)


def test_a_server_that_hangs_ends_the_measurement_long_before_its_requests_do(
    running: Stub, carrier: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.behave(Behaviour(stall_every=1, step_ms=1, fault_after=1))
    monkeypatch.setattr(watching, "HEALTH_SECONDS", 0.05)
    monkeypatch.setattr(Served, "raise_if_dead", lambda self: (_ for _ in ()).throw(self.died("hangs")))
    with pytest.raises(ServerError, match=r"^reference/nvfp4 hangs$"):
        measured(running, carrier, suite=COLD)


def test_answers_that_come_in_one_piece_are_no_decode_speed(running: Stub, carrier: Benchmark) -> None:
    running.behave(Behaviour(tokens_a_chunk=5))
    with pytest.raises(MeasurementError, match="no answer of 5 tokens came in more than one chunk"):
        measured(running, carrier)


def test_a_benchmark_that_is_switched_off_is_no_measurement(running: Stub, carrier: Benchmark) -> None:
    running.behave(Behaviour(step_ms=1))
    carrier.disabled = True
    with pytest.raises(MeasurementError, match="decode-4x8: 3 rounds were asked for and 1 ran; is the benchmark disabled"):
        measured(running, carrier)


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
    assert kv_bytes_a_token(CONFIG) == 2 * 2 * 2 * 64 * 2
    without = {key: value for key, value in CONFIG.items() if key not in {"num_key_value_heads", "head_dim"}}
    assert kv_bytes_a_token(without) == 2 * 2 * 8 * (512 // 8) * 2


def test_an_embedding_table_of_its_own_is_not_read_and_a_tied_one_is() -> None:
    assert embedding_bytes(CONFIG) == 1000 * 512 * 2
    assert embedding_bytes(CONFIG | {"tie_word_embeddings": True}) == 0


def test_the_bound_is_bandwidth_over_the_bytes_of_a_step() -> None:
    got = memory_bound(CONFIG | {"tie_word_embeddings": True}, weights_gib=1.0, copy_gb_s=2.0, concurrency=4, context=100, decode_tps=3.0)
    cache = 4 * 100 * 1024
    assert got.decode_tps == pytest.approx(4 * 2e9 / (2**30 + cache))
    assert got.percent == pytest.approx(100 * 3.0 / got.decode_tps)
    assert got.kv_gib == cache / 2**30


def test_a_32b_shape_in_bf16_is_bound_near_the_step_that_its_weights_alone_take() -> None:
    # 61.0 GiB at 4.3 TB/s take 15.2 ms; less the embedding's 1.45 GiB and more 16 x 256 tokens of KV cache: 15.1 ms, 16 tokens a step.
    config = json.loads((make.HERE / "qwen3-32b" / "bf16" / "config.json").read_text(encoding="utf-8"))
    got = memory_bound(config, weights_gib=61.0, copy_gb_s=4300.0, concurrency=16, context=256, decode_tps=830.0)
    assert 16 / got.decode_tps == pytest.approx(0.0151, rel=0.01)
    assert got.percent == pytest.approx(78.4, abs=0.1)
