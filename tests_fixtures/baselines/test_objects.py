"""The heavy part of baselines: found by its SHA-256, cached, checked; what is missing, damaged or away, one sentence."""

from pathlib import Path

import msgspec
import pytest

from quantgate.baselines.objects import Objects, object_path
from quantgate.baselines.store import Store
from quantgate.errors import BaselineError, StoreAwayError
from quantgate.records import Apart, cached, divided
from tests_fixtures.doubles.examples import text_loss


@pytest.fixture
def parts() -> tuple[bytes, Apart]:
    found = divided(text_loss())
    assert found is not None
    return found[1], found[2]


def test_it_lies_under_its_digest_and_is_fetched_once(store: Store, parts: tuple[bytes, Apart], cache: Path, tmp_path: Path) -> None:
    content, apart = parts
    objects = Objects([store])
    assert objects.keep(content, apart) == store.url
    file = tmp_path / "store" / "objects" / apart.sha256[:2] / apart.sha256
    assert file.read_bytes() == content
    (mine,) = (one for one in cache.rglob("*") if one.is_file())
    mine.unlink()
    assert objects.fetch(apart) == content
    file.unlink()
    assert objects.fetch(apart) == content  # from the cache


def test_a_damaged_cache_is_fetched_again(store: Store, parts: tuple[bytes, Apart], cache: Path) -> None:
    content, apart = parts
    Objects([store]).keep(content, apart)
    (mine,) = (one for one in cache.rglob("*") if one.is_file())
    mine.write_bytes(content[:10])
    assert cached(apart) is None
    assert Objects([store]).fetch(apart) == content
    assert mine.read_bytes() == content


def test_without_a_cache_it_goes_on(store: Store, parts: tuple[bytes, Apart], cache: Path) -> None:
    cache.write_bytes(b"a file in the way")
    assert Objects([store]).keep(*parts) == store.url
    assert Objects([store]).fetch(parts[1]) == parts[0]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda content: content[:10], r"is damaged \(10 bytes, not "),
        (lambda content: b"x" + content[1:], r"is damaged \(SHA-256 \w{12}, not "),
    ],
    ids=["half", "another"],
)
def test_a_damaged_object_is_told_and_never_kept_nor_written_over(
    damage: "object", said: str, store: Store, parts: tuple[bytes, Apart]
) -> None:
    content, apart = parts
    assert callable(damage)
    store.create(object_path(apart), damage(content))
    with pytest.raises(BaselineError, match=said):
        Objects([store]).fetch(apart)
    assert cached(apart) is None
    with pytest.raises(StoreAwayError, match="is damaged, and nothing is written over"):
        Objects([store]).keep(content, apart)
    assert store.read(object_path(apart)) == damage(content)


def test_another_store_that_has_it_whole_will_do(store: Store, parts: tuple[bytes, Apart], tmp_path: Path) -> None:
    content, apart = parts
    store.create(object_path(apart), content[:10])
    other = Store(f"file://{tmp_path}/other")
    other.create(object_path(apart), content)
    assert Objects([store, other]).fetch(apart) == content


def test_what_is_nowhere_is_told_with_what_to_do(store: Store, parts: tuple[bytes, Apart]) -> None:
    with pytest.raises(BaselineError, match=r"has no objects/.*put back the object that was approved"):
        Objects([store]).fetch(parts[1])
    with pytest.raises(BaselineError, match=r"lie in a store: name it behind the folder, as in --baselines=baselines,s3://bucket/team"):
        Objects([]).fetch(parts[1])


def test_a_name_that_is_no_digest_is_none() -> None:
    with pytest.raises(msgspec.ValidationError, match="sha256"):
        msgspec.json.decode(b'{"sha256":"../../../etc/passwd","bytes":1,"items":1}', type=Apart)
