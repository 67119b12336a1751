"""`quantgate devices` and `pytest --gpu=list`: every device there is, in a table or in one JSON document."""

import json

import pytest

from quantgate import cli
from quantgate.devices import choice, listing
from quantgate.errors import ConfigurationError
from tests_fixtures.doubles.machines import H100, MACHINES, at


@pytest.fixture
def be_on(monkeypatch: pytest.MonkeyPatch) -> "BeOn":
    return BeOn(monkeypatch)


class BeOn:
    """Be on one machine after another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def __call__(self, name: str) -> None:
        at(name, self.monkeypatch)


@pytest.mark.parametrize("name", MACHINES)
def test_every_index_in_the_list_is_the_one_that_gpu_takes(name: str, be_on: BeOn) -> None:
    be_on(name)
    found = listing.listing()
    *rows, last = found.rows
    assert last.kind == "cpu"
    for row in rows:
        if row.index is None:
            assert row.hidden or found.trouble
        elif row.device.unusable:
            with pytest.raises(ConfigurationError):
                choice.select(str(row.index))
        else:
            assert choice.select(str(row.index))[0].devices == [row.device]


def test_the_table_says_what_each_device_is(be_on: BeOn, capsys: pytest.CaptureFixture[str]) -> None:
    be_on("H100, instances 1, 4 and 6")
    assert cli.main(["devices"]) == 0
    header, first, second, _, last = capsys.readouterr().out.splitlines()
    assert header.split("  ")[0] == "--gpu"
    assert first.split() == ["0", *H100.split(), "3g.40gb", "12.0", "/", "39.5", "-", "MIG-a1", "4711", "(12.0)"]
    assert second.split() == ["1", *H100.split(), "1g.10gb", "0.0", "/", "9.5", "-", "MIG-a4", "none"]
    assert last.startswith("cpu ")


def test_a_hidden_and_an_unusable_device_are_listed_with_the_reason(be_on: BeOn, capsys: pytest.CaptureFixture[str]) -> None:
    be_on("8 x H200, visible GPU-b")
    assert listing.show_devices()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["hidden", "0", "hidden"]
    assert lines[-1] == "hidden by CUDA_VISIBLE_DEVICES='GPU-b'"
    be_on("GPU 0 lost")
    be_on.monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert listing.show_devices()
    assert "0: NVIDIA GPU 0 cannot be used: NVML says 'GPU is lost'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "code", "last"),
    [
        ("no library", 0, "no NVIDIA device (NVML: NVML Shared Library Not Found)"),
        ("no permission", 2, "trouble: NVML says 'Insufficient Permissions'"),
        ("mixed models, visible 1", 2, "trouble: CUDA_VISIBLE_DEVICES='1' names GPUs by number on a machine of several models"),
    ],
)
def test_no_device_is_good_and_not_knowing_is_not(name: str, code: int, last: str, be_on: BeOn, capsys: pytest.CaptureFixture[str]) -> None:
    be_on(name)
    assert cli.main(["devices"]) == code
    assert capsys.readouterr().out.splitlines()[-1].startswith(last)


@pytest.mark.parametrize("name", MACHINES)
def test_json_is_one_document_with_the_cpu_last(name: str, be_on: BeOn, capsys: pytest.CaptureFixture[str]) -> None:
    be_on(name)
    cli.main(["devices", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["devices"][-1]["kind"] == "cpu"
    assert told["cuda_visible_devices"] == MACHINES[name].environment.get("CUDA_VISIBLE_DEVICES")


def test_json_has_each_field_of_a_device_beside_its_index(be_on: BeOn, capsys: pytest.CaptureFixture[str]) -> None:
    be_on("H100, instances 1, 4 and 6")
    assert cli.main(["devices", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    first = told["devices"][0]
    assert (told["driver"], told["trouble"], told["absent"]) == ("580.95.05", None, None)
    assert (first["index"], first["kind"], first["hidden"], first["uuid"], first["gpu_uuid"]) == (0, "mig", False, "MIG-a1", "GPU-a")
    assert (first["memory_gib"], first["memory_used_gib"], first["processes"]) == (39.5, 12.0, [{"pid": 4711, "memory_gib": 12.0}])
