"""What a server is said to have died of: its log's cause, not that there is one, and what the device knows besides."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quantgate.devices import Device, Slot
from quantgate.errors import ServerError
from quantgate.registry import Checkpoint, Serve
from quantgate.server import Chosen, Server
from quantgate.server.server import boot_seconds
from tests_fixtures.doubles.fake_nvml import FakeNvml, Gpu
from tests_fixtures.doubles.machines import stand_in

ANSWERED = "small/int4 answers 500 to a request for one token: "
DEAD = f"{ANSWERED}EngineCore encountered an issue. See stack trace (above) for the root cause."
LOG = "(Worker pid=7) ERROR 11-21 20:22:24 [x.py:1] AttributeError: '_OpNamespace' '_C' object has no attribute 'cpu_gemm_wna16'\n"


def booted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> Server:
    """A server that is healthy and answers its first request with this error."""

    def probe(*_: object) -> None:
        raise ServerError(said)

    for name, double in {"probe": probe, "_is_healthy": lambda *_: True, "client": lambda _: nullcontext()}.items():
        monkeypatch.setattr(Server, name, double)
    server: Any = object.__new__(Server)
    server.folder, server.log, server.model, server.death = tmp_path, tmp_path / "server.log", "small/int4", None
    server.checkpoint = Checkpoint(name="int4", precision="int4", path="x", family="small")
    server.log.write_text(LOG)
    ended = SimpleNamespace(has_ended=lambda: True, wait_for_end=lambda _: True, let_go=lambda **_: None, exit_code=0)
    server._process = ended
    found: Server = server
    return found


def test_an_engine_that_dies_of_it_is_told_by_the_log_s_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerError, match=r"^small/int4 died of its first request \(exit 0\): AttributeError: .*cpu_gemm_wna16") as error:
        booted(tmp_path, monkeypatch, DEAD).wait_until_ready()
    assert str(error.value).splitlines()[0].endswith(f"; its log is {tmp_path / 'server.log'}")


def test_an_answer_that_says_why_itself_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerError, match=r"its logprobs are not finite$"):
        booted(tmp_path, monkeypatch, f"{ANSWERED}its logprobs are not finite").wait_until_ready()


def test_its_log_says_which_kernels_compute_its_quantized_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = booted(tmp_path, monkeypatch, DEAD)
    lines = ["[a.py:1] Using 'MARLIN' NvFp4 MoE backend.", "[b.py:1] Using TRITON Unquantized MoE backend out of potential backends: []"]
    server.log.write_text("\n".join(lines))
    assert server.chosen() == [Chosen("MARLIN", "NVFP4")]
    assert server.kernels() == ["MARLIN", "TRITON"]


TAKEN = (
    "ValueError: Free memory on device cuda:0 (21.3/121.7 GiB) on startup is less than desired GPU memory utilization (0.9, 109.53 GiB). "
    "Decrease GPU memory utilization or reduce GPU memory used by other processes."
)


@pytest.mark.parametrize(
    ("gpu", "kind"),
    [
        (Gpu(uuid="GPU-a1", name="NVIDIA GB10"), "(the page cache: CPU and GPU share one memory here and no process holds the device"),
        (Gpu(uuid="GPU-a1", name="NVIDIA GB10", processes=[(11, 90.0)]), "(the device is taken: another process holds its memory"),
        (Gpu(uuid="GPU-a1", name="NVIDIA H200"), "(the device is taken: another process holds its memory"),
    ],
    ids=["nobody", "somebody", "memory of its own"],
)
def test_memory_that_nobody_holds_is_the_page_cache_where_cpu_and_gpu_share_it(
    gpu: Gpu, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = booted(tmp_path, monkeypatch, DEAD)
    stand_in(monkeypatch, FakeNvml(gpu))
    server.slot = Slot(devices=[Device(name=gpu.name, uuid=gpu.uuid)])
    server.log.write_text(f"{TAKEN}\n")
    assert f"{TAKEN} {kind}" in str(server.died("did not boot"))
    assert "drop_caches" in str(server.death)


@pytest.mark.parametrize(
    ("serve", "weights_gib", "seconds"),
    [
        (Serve(), 0.0, 300),
        (Serve(), 61.0, 910),
        (Serve(tensor_parallel=2), 0.0, 600),
        (Serve(tensor_parallel=4), 10.0, 700),
        (Serve(cpu_offload_gb=80), 0.0, 1100),
        (Serve(cpu_offload_gb=20, tensor_parallel=2), 0.0, 1000),
    ],
)
def test_a_boot_may_take_as_long_as_weights_and_devices_need(serve: Serve, weights_gib: float, seconds: float) -> None:
    checkpoint = Checkpoint(name="bf16", precision="bf16", path="x", serve=serve)
    assert boot_seconds(checkpoint, weights_gib) == seconds
