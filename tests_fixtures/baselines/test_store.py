"""Files behind a URL: whole, never replaced, within a deadline, and every way of failing one sentence."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from quantgate.baselines.store import Store
from quantgate.errors import StoreAwayError


def test_what_is_created_is_read_and_listed_and_what_is_not_there_is_none(store: Store) -> None:
    assert store.read("a/b.json") is None
    assert store.names("a") == []
    assert store.create("a/b.json", b"one")
    assert store.create("a/c/d.json", b"two")
    assert (store.read("a/b.json"), store.names("a")) == (b"one", ["b.json", "c/d.json"])


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_nothing_is_ever_written_over(scheme: str, tmp_path: Path) -> None:
    store = Store(f"{scheme}://{tmp_path}/store")
    assert store.create("x", b"one")
    assert store.create("x", b"one")  # an answer that got lost, asked for again
    assert not store.create("x", b"two")
    assert store.read("x") == b"one"


def test_of_many_who_create_at_once_one_does_and_nothing_is_left_beside_it(store: Store, tmp_path: Path) -> None:
    begin = threading.Barrier(8)

    def create(number: int) -> bool:
        begin.wait()
        return store.create("x", bytes([number]) * 100_000)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create, range(8)))
    assert sum(made) == 1
    assert store.read("x") == bytes([made.index(True)]) * 100_000
    assert [file.name for file in (tmp_path / "store").iterdir()] == ["x"]


class Plain(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A file system without a way to create exclusively, as the hub's is; `damages` what is written."""

    protocol = "plain"
    store: dict[str, Any] = {}  # noqa: RUF012 (fsspec's own way)
    damages = False

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        if mode == "create":
            raise NotImplementedError("mode")
        super().pipe_file(path, value[:1] if self.damages else value, **kwargs)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> type[Plain]:
    fsspec.register_implementation("plain", Plain, clobber=True)
    monkeypatch.setattr(Plain, "store", {})
    return Plain


def test_without_an_exclusive_way_it_looks_before_and_after(plain: type[Plain], monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store("plain://x/y")
    assert store.create("a", b"one")
    assert not store.create("a", b"two")
    assert store.read("a") == b"one"
    monkeypatch.setattr(plain, "damages", True)
    assert not store.create("b", b"one")  # half of it came to lie there


class EndpointConnectionError(Exception):
    pass


class NoCredentialsError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "said", "denied"),
    [
        (
            EndpointConnectionError('no way to "http://host:403/?secret=hunter22"'),
            r"cannot be reached \(EndpointConnectionError: no way",
            False,
        ),
        (NoCredentialsError("Unable to locate"), r"no usable credentials .* give them as fsspec takes them", False),
        (PermissionError("Access Denied"), r"to read is not allowed \(PermissionError: Access Denied\); ask for the right to", True),
        (ImportError("Install s3fs"), r"the package for plain:// is not installed; Install s3fs", False),
        (FileNotFoundError("The specified bucket does not exist"), r"no such bucket or repository; look at its name", False),
        (OSError("An error occurred (403) when calling HeadObject"), r"to read is not allowed \(OSError", True),
        (KeyError("odd"), r"cannot be reached \(KeyError: 'odd'\)", False),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else None,
)
def test_each_failure_is_a_sentence_without_a_secret(
    error: Exception, said: str, denied: bool, plain: type[Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> bytes:
        raise error

    monkeypatch.setattr(plain, "cat_file", fails)
    with pytest.raises(StoreAwayError, match=f"^plain://x/y.*{said}") as raised:
        Store("plain://x/y").read("a")
    assert raised.value.denied == denied
    assert "hunter22" not in str(raised.value)


def test_what_cannot_be_written_for_want_of_a_place_is_no_missing_file(plain: type[Plain], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise FileNotFoundError("http://host/upload/storage/v1/b/nobody/o")

    monkeypatch.setattr(plain, "pipe_file", fails)
    with pytest.raises(StoreAwayError, match=r"^plain://nobody/y: there is no such bucket or repository; look at its name$"):
        Store("plain://nobody/y").create("a", b"1")
    assert Store("plain://nobody/y").read("a") is None


def test_a_store_that_does_not_answer_is_waited_for_once(plain: type[Plain], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    for_ever = threading.Event()

    def hangs(*_: object, **__: object) -> bytes:
        asked.append(1)
        for_ever.wait(60)
        return b""

    monkeypatch.setattr(plain, "cat_file", hangs)
    store = Store("plain://x/y", seconds=0.05)
    for _ in range(3):
        with pytest.raises(StoreAwayError, match="no answer within 0 s"):
            store.read("a")
    assert len(asked) == 1
    for_ever.set()


def test_after_a_while_it_is_asked_again(plain: type[Plain], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantgate.baselines.store.AWAY_SECONDS", 0.0)
    real: object = plain.cat_file
    store = Store("plain://x/y")
    assert store.create("a", b"one")

    def fails(*_: object, **__: object) -> bytes:
        raise ConnectionError("refused")

    monkeypatch.setattr(plain, "cat_file", fails)
    with pytest.raises(StoreAwayError):
        store.read("a")
    monkeypatch.setattr(plain, "cat_file", real)
    assert store.read("a") == b"one"
