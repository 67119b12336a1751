"""The servers of a run, with doubles in their place: booted when needed, once again after a death, given up after two."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from quantgate.devices import Device, MemoryBefore, Slot
from quantgate.errors import PortTakenError, ServerError
from quantgate.registry import Checkpoint
from quantgate.server import pool
from quantgate.server.pool import Pool
from tests_fixtures.doubles.fake_server import Double

CPU, GPU = Slot(devices=[Device(name="CPU")]), Slot(devices=[Device(name="NVIDIA H200", uuid="GPU-a1")])
BF16, FP8, NVFP4 = (Checkpoint(name=one, precision=one, path=f"/models/{one}", family="small") for one in ("bf16", "fp8", "nvfp4"))


class Given:
    """A pool, and what it said."""

    def __init__(self, slot: Slot = CPU, workers: Path | None = None) -> None:
        self.reported: list[str] = []
        self.said: list[str] = []
        self.warned: list[str] = []
        self.pool = Pool(
            slot, Path("/logs"), self.reported.append, self.said.append, keep_open=(7,), warn=self.warned.append, workers=workers
        )

    def get(self, checkpoint: Checkpoint, *ahead: Checkpoint) -> Double:
        found: object = self.pool.get(checkpoint, *ahead)
        assert isinstance(found, Double)
        return found

    def fails(self, checkpoint: Checkpoint) -> str:
        with pytest.raises(ServerError) as error:
            self.pool.get(checkpoint)
        return str(error.value)


@pytest.fixture(autouse=True)
def _doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    Double.made, Double.plans, Double.nonsense, Double.named_causes = [], {}, set(), set()
    monkeypatch.setattr(pool, "Server", Double)
    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=lambda: 5.0))


def booted() -> list[str]:
    return [one.model for one in Double.made]


def running() -> list[str]:
    return [one.model for one in Double.made if not one.stopped]


def test_many_tests_share_one_boot() -> None:
    given = Given()
    assert len({id(given.get(NVFP4)) for _ in range(5)}) == 1
    (server,) = Double.made
    assert (server.folder, server.slot, server.keep_open) == (Path("/models/nvfp4"), CPU, (7,))
    assert server.log == Path("/logs/small/nvfp4/server.log")
    assert given.reported == [f"small/nvfp4: vLLM ready on {CPU} after 0 s"]
    assert given.said == ["small/nvfp4: loading weights, 2 s", "", "", "", "", ""]


def test_a_death_fails_the_test_at_hand_and_the_next_one_gets_a_new_boot_once() -> None:
    given = Given()
    first = given.get(NVFP4)
    first.death = ServerError("small/nvfp4 died: KeyError\nits log")  # as its test has been told
    second = given.get(NVFP4)
    assert first.stopped
    assert second.log.name == "server.2.log"
    assert given.reported[-1] == f"small/nvfp4: vLLM ready on {CPU} after 0 s, booted again"
    second.death = ServerError("small/nvfp4 died: again\nits log")
    assert given.fails(NVFP4) == "small/nvfp4 was given up earlier in this run: small/nvfp4 died: again"
    assert given.fails(NVFP4) == "small/nvfp4 was given up earlier in this run: small/nvfp4 died: again"
    assert booted() == ["small/nvfp4"] * 2
    assert running() == []


def test_a_death_that_nobody_has_noticed_is_found_by_the_next_test(monkeypatch: pytest.MonkeyPatch) -> None:
    given, died = Given(), ServerError("small/nvfp4 died: KeyError")
    server = given.get(NVFP4)

    def find_out(double: Double) -> None:
        if double is server:
            double.death = died
            raise died

    monkeypatch.setattr(Double, "raise_if_dead", find_out)
    assert given.fails(NVFP4) == str(died)
    assert given.get(NVFP4) is not server


def test_one_checkpoint_that_is_given_up_leaves_the_others_alone() -> None:
    given = Given()
    Double.plans, Double.named_causes = {"small/fp8": [ServerError("small/fp8 did not boot: no kernel")]}, {"small/fp8"}
    given.fails(FP8)
    given.fails(FP8)
    assert given.get(NVFP4).model == "small/nvfp4"
    assert booted() == ["small/fp8", "small/nvfp4"]


def test_a_boot_whose_log_names_a_cause_is_not_tried_again() -> None:
    given = Given()
    Double.plans, Double.named_causes = {"small/fp8": [ServerError("small/fp8 did not boot: no kernel\ntail")]}, {"small/fp8"}
    assert given.fails(FP8) == "small/fp8 did not boot: no kernel\ntail"
    assert given.fails(FP8) == "small/fp8 was given up earlier in this run: small/fp8 did not boot: no kernel"
    assert (booted(), running()) == (["small/fp8"], [])


def test_a_boot_that_failed_without_a_cause_is_tried_once_more() -> None:
    given = Given()
    Double.plans = {"small/fp8": [ServerError("first: killed"), ServerError("second: killed"), ServerError("third")]}
    assert [given.fails(FP8) for _ in range(4)] == [
        "first: killed",
        "second: killed",
        "small/fp8 was given up earlier in this run: second: killed",
        "small/fp8 was given up earlier in this run: second: killed",
    ]
    assert (booted(), running()) == (["small/fp8"] * 2, [])


def test_a_server_that_answers_nonsense_is_given_up_at_once() -> None:
    given = Given()
    Double.nonsense = {"small/fp8"}
    assert given.fails(FP8) == "small/fp8 gives no finite prompt_logprobs"
    assert given.fails(FP8) == "small/fp8 was given up earlier in this run: small/fp8 gives no finite prompt_logprobs"
    assert running() == []


def test_a_port_that_was_taken_meanwhile_is_no_failure() -> None:
    given = Given()
    Double.plans = {"small/fp8": [PortTakenError("taken"), PortTakenError("taken")]}
    assert given.get(FP8).is_ready
    assert booted() == ["small/fp8"] * 3
    assert len(running()) == 1
    assert given.pool.boots["small/fp8"] == 1
    assert given.reported == [f"small/fp8: vLLM ready on {CPU} after 0 s"]


def test_a_port_that_is_always_taken_is_a_failure() -> None:
    given = Given()
    Double.plans = {"small/fp8": [PortTakenError(f"taken {number}") for number in range(9)]}
    assert given.fails(FP8) == "taken 2"
    assert len(booted()) == pool.PORTS


def test_on_a_cpu_what_comes_next_boots_meanwhile_and_on_a_gpu_it_waits() -> None:
    on_cpu, on_gpu = Given(CPU), Given(GPU)
    on_cpu.get(NVFP4, BF16)
    assert booted() == ["small/nvfp4", "small/bf16"]
    assert on_cpu.get(BF16) is Double.made[1]
    on_gpu.pool._before = MemoryBefore(CPU)
    on_gpu.get(NVFP4, BF16)
    assert booted()[2:] == ["small/nvfp4"]


def test_a_server_ends_after_the_last_test_that_needs_it() -> None:
    given = Given()
    for needs in ({"small/bf16"}, {"small/nvfp4", "small/bf16"}, {"small/nvfp4"}):
        given.pool.expect(needs)
    given.get(BF16)
    given.pool.done({"small/bf16"})
    assert running() == ["small/bf16"]
    given.get(NVFP4)
    given.pool.done({"small/nvfp4", "small/bf16"})
    assert running() == ["small/nvfp4"]
    given.pool.done({"small/nvfp4"})
    assert running() == []


def test_a_worker_keeps_what_its_next_test_needs_and_nothing_else() -> None:
    given = Given()
    for one in (BF16, NVFP4):
        given.pool.expect({str(one)} | {"small/fp8"})
        given.get(one)
    given.pool.done(set(), {"small/nvfp4"})
    assert running() == ["small/nvfp4"]
    given.pool.done(set(), set())
    assert running() == []


def test_closing_ends_all_and_raises_the_first_failure_last() -> None:
    given = Given()
    errors = [ServerError("processes 1, 2 outlived SIGKILL"), None, ServerError("the watchdog")]
    for one, error in zip((BF16, FP8, NVFP4), errors, strict=True):
        given.get(one).stop_error = error
    with pytest.raises(ServerError, match=r"^processes 1, 2 outlived SIGKILL$"):
        given.pool.close()
    assert running() == []
    given.pool.close()


def test_an_end_in_disorder_is_reported() -> None:
    given = Given()
    given.get(NVFP4).trouble = "small/nvfp4 did not end cleanly: 2 processes had to be killed; see log"
    given.get(BF16)
    given.pool.close()
    assert given.reported[2:] == ["small/nvfp4 did not end cleanly: 2 processes had to be killed; see log"]


class Memory:
    """4 GiB in use before, 80 with servers; `back`: what is raised instead of 4.1 after."""

    def __init__(self, back: ServerError | None = None) -> None:
        self.gib, self.back, self.looks = 4.0, back, 0

    def __call__(self, _: Slot) -> "Memory":
        self.looks += 1
        return self

    def raise_unless_back(self) -> float:
        assert running() == []
        if self.back is not None:
            raise self.back
        return 4.1


def test_memory_is_compared_from_before_the_first_server_to_after_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    before, given = Memory(), Given(GPU)
    monkeypatch.setattr(pool, "MemoryBefore", before)
    monkeypatch.setattr(pool, "used_gib", lambda _: 80.0)
    given.get(BF16)
    given.get(NVFP4)
    given.pool.close(["small/bf16"])
    assert len(given.reported) == 2
    given.pool.close()
    assert before.looks == 1
    assert given.reported[2:] == [f"small/nvfp4: ended; {GPU} 4.0 GiB in use before, 80.0 at its end, 4.1 after"]


def test_memory_that_does_not_come_back_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Given(GPU)
    monkeypatch.setattr(pool, "MemoryBefore", Memory(ServerError("70 GiB are missing")))
    monkeypatch.setattr(pool, "used_gib", lambda _: 80.0)
    given.get(NVFP4)
    with pytest.raises(ServerError, match=r"^70 GiB are missing$"):
        given.pool.close()
    given.pool.close()


def test_what_vllm_warns_of_is_passed_on_once_with_the_checkpoint_s_name(monkeypatch: pytest.MonkeyPatch) -> None:
    given, said = Given(), {"small/fp8": ["its scales differ"], "small/nvfp4": ["its scales differ", "scaling factor 1.0"]}
    monkeypatch.setattr(Double, "warnings", lambda double: said[double.model])
    given.get(FP8)
    given.get(NVFP4)
    given.get(NVFP4)
    told = ["small/fp8: vLLM warns: its scales differ"]
    told += [f"small/nvfp4: vLLM warns: {one}" for one in said["small/nvfp4"]]
    assert given.warned == told
    said["small/fp8"].append("a late one")
    given.pool.close()
    assert given.warned == [*told, "small/fp8: vLLM warns: a late one"]


def died_beside(key: str, notes: Path, number: int) -> None:
    """As workers leave it that were killed: a note that nobody holds."""
    (notes / f"{key.replace('/', '@')}@{number}").touch()


def test_a_checkpoint_whose_servers_end_their_workers_is_given_up_after_two(tmp_path: Path) -> None:
    died_beside("small/nvfp4", tmp_path, 1)
    second = Given(workers=tmp_path)
    assert second.get(NVFP4).log.name == "server.2.log"
    died_beside("small/nvfp4", tmp_path, 2)
    third = Given(workers=tmp_path)
    for _ in range(2):
        assert third.fails(NVFP4).startswith("small/nvfp4 was given up earlier in this run: 2 pytest workers have died with its server; ")
    assert third.get(FP8).log.name == "server.log"
    assert booted() == ["small/nvfp4", "small/fp8"]


def test_a_boot_that_is_refused_or_stopped_leaves_no_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Given(workers=tmp_path)
    given.get(FP8)
    assert [one.name.partition("@")[2].partition("@")[0] for one in tmp_path.iterdir()] == ["fp8"]
    given.pool.close()

    def refuse(*_: object, **__: object) -> None:
        raise ServerError("no room")

    monkeypatch.setattr(pool, "Server", refuse)
    assert given.fails(NVFP4) == "no room"
    assert list(tmp_path.iterdir()) == []
