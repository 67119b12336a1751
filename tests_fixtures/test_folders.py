"""Where things go on disk: one setting for all caches, folders of one's own, and a full or forbidden disk as one sentence."""

import errno
import os
import shutil
import socket
import stat
import tempfile
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest

from quantgate import folders
from quantgate.errors import ConfigurationError


def test_one_setting_moves_every_cache_below_it(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    found = folders.caches({"QUANTGATE_CACHE": str(root)})
    assert found["HF_HUB_CACHE"] == f"{root}/huggingface/hub"
    assert found["VLLM_CACHE_ROOT"] == f"{root}/vllm"
    assert all(Path(folder).is_dir() for folder in found.values())
    assert (root / "tmp").is_dir()
    assert "TMPDIR" not in found  # device locks of all users lie in the common one


def test_without_the_setting_nothing_moves() -> None:
    assert folders.caches({}) == {}
    assert folders.caches({"QUANTGATE_CACHE": ""}) == {}


def test_the_setting_reaches_this_process_and_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in folders.BELOW_IT:
        monkeypatch.setenv(name, "elsewhere")  # restored at the end
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path))
    folders.set_caches()
    assert os.environ["TRITON_CACHE_DIR"] == f"{tmp_path}/triton"


def test_a_cache_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=rf"^QUANTGATE_CACHE={tmp_path}/file: .*: Not a directory; name a folder that this user"):
        folders.caches({"QUANTGATE_CACHE": f"{tmp_path}/file"})


def test_folders_are_their_owner_s_alone_and_those_that_exist_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir(mode=0o755)
    before = os.umask(0)
    try:
        made = folders.private(tmp_path / "old" / "a" / "b")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (made, made.parent, made.parent.parent)]
    assert modes == [0o700, 0o700, 0o755]
    assert folders.private(made) == made


def test_a_writable_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    folders.writable(tmp_path / "records", "--records")
    assert list((tmp_path / "records").iterdir()) == []


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError) as error:
        folders.writable(tmp_path / "file" / "records", "--records")
    said = "cannot be written: Not a directory; name a folder of yours with space in it"
    assert str(error.value) == f"--records={tmp_path}/file/records {said}"


def test_a_full_disk_is_noticed_before_anything_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, _: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(ConfigurationError, match=rf"^--records={tmp_path} cannot be written: No space left on device; name a folder"):
        folders.writable(tmp_path, "--records")


@pytest.mark.parametrize("length", [1, 60, 120])
def test_scratch_space_is_private_and_its_sockets_can_be_bound(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        root = Path(short) / ("c" * length)
        (root / "tmp").mkdir(parents=True)
        monkeypatch.setenv("QUANTGATE_CACHE", str(root))
        made = folders.scratch()
        try:
            assert made.is_relative_to(root) == (length == 1)
            assert stat.S_IMODE(made.stat().st_mode) == 0o700
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(str(made / str(uuid.uuid4())))
        finally:
            for file in made.iterdir():
                file.unlink()
            made.rmdir()


def test_scratch_space_is_new_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUANTGATE_CACHE", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path) if len(str(tmp_path)) < 40 else "/tmp")  # noqa: S108 (mkdtemp's)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    first, second = folders.scratch(), folders.scratch()
    assert first != second
    shutil.rmtree(first)
    shutil.rmtree(second)


def test_what_is_compiled_outlives_a_server_s_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUANTGATE_CACHE", raising=False)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    monkeypatch.setattr("getpass.getuser", lambda: "a/b")
    made = folders.scratch()
    (made / "torchinductor_a_b" / "kept").touch()
    shutil.rmtree(made)
    assert [file.name for file in (tmp_path / "compiled").iterdir()] == ["kept"]


def test_without_a_word_it_lies_in_the_temporary_folder_under_the_user_s_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    assert folders.compiled() == tmp_path / "torchinductor_ada"


def test_too_little_disk_is_refused_with_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def usage(folder: Path) -> SimpleNamespace:
        asked.append(folder)
        return SimpleNamespace(free=5 * 2**30)

    monkeypatch.setattr("shutil.disk_usage", usage)
    folders.require_free(tmp_path / "not" / "yet", 5.0, "small/bf16")
    with pytest.raises(ConfigurationError) as error:
        folders.require_free(tmp_path / "not" / "yet", 5.1, "small/bf16")
    remedy = "free some, or name a larger disk in QUANTGATE_CACHE"
    assert str(error.value) == f"small/bf16 needs 5.1 GiB, and {tmp_path}/not/yet has 5.0 GiB free; {remedy}"
    assert asked == [tmp_path, tmp_path]


def test_the_size_of_a_checkpoint_is_that_of_its_weights(tmp_path: Path) -> None:
    for name, gib in (("a.safetensors", 2), ("b.safetensors", 1), ("old.bin", 4)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(gib * 2**30)
    assert folders.size_gib(tmp_path) == 3.0
