"""One session a device: who holds it is named, and a lock never outlives its holder."""

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate.devices import locks
from quantgate.devices.nvml import Device
from quantgate.devices.slots import cpu
from quantgate.errors import ConfigurationError

FIRST, SECOND = Device(name="NVIDIA H200", uuid="GPU-a1"), Device(name="NVIDIA H200", uuid="GPU-b1")
HOLDER = """
import fcntl, json, os, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
json.dump({"pid": os.getpid(), "user": "ada", "since": "noon", "command": "pytest -m nvfp4 --gpu=0"}, file)
print("held", file=file.flush() or sys.stdout, flush=True)
sys.stdin.read()
"""
"""What another session does, in the standard library's terms: it starts in an instant."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUANTGATE_LOCKS", str(tmp_path / "locks"))
    return tmp_path / "locks"


@pytest.fixture
def other(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another session, which holds GPU-a1 until its standard input ends."""
    folder.mkdir()
    command = [sys.executable, "-I", "-S", "-c", HOLDER, str(folder / "GPU-a1.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        with contextlib.suppress(BrokenPipeError):
            process.kill()


def test_a_held_device_is_refused_with_its_holder_and_the_remedy(other: "subprocess.Popen[str]") -> None:
    with pytest.raises(ConfigurationError) as error:
        locks.lock_devices([FIRST], "pytest")
    who = f"pid {other.pid} (ada: `pytest -m nvfp4 --gpu=0`) since noon"
    assert str(error.value) == f"NVIDIA H200 (GPU-a1) is held by {who}; wait for it with --gpu-wait SECONDS, or choose another device"


def test_a_killed_holder_s_lock_is_free_at_once(other: "subprocess.Popen[str]") -> None:
    other.send_signal(signal.SIGKILL)
    other.wait()
    locks.lock_devices([FIRST], "pytest").release()


def test_waiting_says_so_once_and_ends_when_the_device_is_free(other: "subprocess.Popen[str]") -> None:
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        other.kill()

    locks.lock_devices([FIRST], "pytest", wait_seconds=30, say=say).release()
    (line,) = said
    assert line.endswith("; waiting up to 30 s")


def test_waiting_ends_at_the_deadline(other: "subprocess.Popen[str]") -> None:
    started = time.monotonic()
    with pytest.raises(ConfigurationError, match=rf"held by pid {other.pid} .* after 0\.3 s of waiting; "):
        locks.lock_devices([FIRST], "pytest", wait_seconds=0.3)
    assert 0.3 <= time.monotonic() - started < 2


def test_what_was_taken_before_a_held_device_is_given_back(other: "subprocess.Popen[str]") -> None:
    assert other.poll() is None
    with pytest.raises(ConfigurationError):
        locks.lock_devices([SECOND, Device(name="NVIDIA H200", uuid="GPU-a1")], "pytest")
    locks.lock_devices([SECOND], "pytest").release()


def test_released_devices_can_be_taken_again_and_their_notes_are_gone(folder: Path) -> None:
    held = locks.lock_devices([SECOND, FIRST], "pytest")
    note = json.loads((folder / "GPU-b1.lock").read_text())
    assert (note["pid"], note["command"]) == (os.getpid(), "pytest")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d", note["since"])
    with pytest.raises(ConfigurationError, match=rf"GPU-a1\) is held by pid {os.getpid()} "):
        locks.lock_devices([FIRST], "pytest")
    held.release()
    held.release()
    assert [file.read_text() for file in sorted(folder.iterdir())] == ["", ""]
    locks.lock_devices([FIRST, SECOND], "pytest").release()


def test_a_core_is_locked_and_the_whole_cpu_is_not(folder: Path) -> None:
    first, second = locks.lock_devices([cpu()], "pytest"), locks.lock_devices([cpu()], "pytest")
    held = locks.lock_devices([cpu(0)], "pytest")
    assert [file.name for file in folder.iterdir()] == ["cpu-0.lock"]
    with pytest.raises(ConfigurationError, match=r"^CPU .* core 0 is held by pid "):
        locks.lock_devices([cpu(0)], "pytest")
    for one in (first, second, held):
        one.release()


def test_every_user_of_the_host_may_lock_and_none_may_remove(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        locks.lock_devices([FIRST], "pytest").release()
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    assert stat.S_IMODE((folder / "GPU-a1.lock").stat().st_mode) == 0o666


def test_a_legacy_mig_uuid_with_slashes_makes_one_file(folder: Path) -> None:
    locks.lock_devices([Device(name="NVIDIA A100", uuid="MIG-GPU-a1/7/0")], "pytest").release()
    assert [file.name for file in folder.iterdir()] == ["MIG-GPU-a1_7_0.lock"]


def test_no_link_is_followed_and_the_file_behind_it_stays(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (folder / "GPU-a1.lock").symlink_to(precious)
    (folder / "GPU-b1.lock").hardlink_to(precious)
    with pytest.raises(ConfigurationError, match=r"GPU-a1\.lock: it is a symbolic link, which is not followed; name another folder in QUA"):
        locks.lock_devices([FIRST], "pytest")
    with pytest.raises(ConfigurationError, match=r"GPU-b1\.lock: it is no plain file, or has a second name; name another folder in QUA"):
        locks.lock_devices([SECOND], "pytest")
    assert precious.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("QUANTGATE_LOCKS", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match=r"^devices cannot be locked with .*/file: it is no folder; name another folder in QUA"):
        locks.lock_devices([FIRST], "pytest")


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("", "held by another process, which has not signed yet;"),
        ("not JSON", "held by another process, which has not signed yet;"),
        ('{"pid": 1, "user": "a", "since": "now", "command": "\\u001b[2Jpytest"}', "held by pid 1 (a: `?[2Jpytest`) since now;"),
    ],
)
def test_a_note_that_anybody_may_have_written_is_shown_harmlessly(note: str, shown: str, folder: Path) -> None:
    held = locks.lock_devices([FIRST], "pytest")
    (folder / "GPU-a1.lock").write_text(note)
    with pytest.raises(ConfigurationError, match=re.escape(shown)):
        locks.lock_devices([FIRST], "pytest")
    held.release()
