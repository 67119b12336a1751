"""A checkpoint from the hub: fetched without pickles, and one sentence for each way in which it cannot be."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors

from quantgate.errors import ConfigurationError
from quantgate.registry import hub, locate
from quantgate.registry.models import Checkpoint

GIB = 2**30
CHECKPOINT = Checkpoint(name="fp8", precision="fp8", path="org/model", revision="abc", family="small")
WHAT = "small/fp8 (org/model at abc)"
CLIENT = errors.HTTPError  # type: ignore[attr-defined]  # that of the client which the hub's library uses
RESPONSE: Any = SimpleNamespace(headers={}, request=None, status_code=500, text="")


class Hub:
    """What the hub has, and what it answers with; `asked` keeps what it was asked for."""

    def __init__(self) -> None:
        self.files: list[tuple[str, int]] = [("config.json", 0), ("model.safetensors", 8 * GIB), ("pytorch_model.bin", 90 * GIB)]
        self.cached: set[str] = set()
        self.listing: Exception | None = None
        self.download: Exception | None = None
        self.asked: dict[str, Any] = {}

    def model_info(self, name: str, **asked: Any) -> SimpleNamespace:
        if self.listing:
            raise self.listing
        assert (name, asked) == ("org/model", {"revision": "abc", "files_metadata": True})
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=file, size=size) for file, size in self.files])

    def snapshot_download(self, name: str, **asked: Any) -> str:
        if self.download:
            raise self.download
        self.asked = {"name": name, **asked}
        return "/cache/snapshot"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """A hub, and a disk with 9.5 GiB free."""
    there = Hub()
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", there.model_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", there.snapshot_download)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda _, file, **__: file if file in there.cached else None)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=int(9.5 * GIB)))
    return there


def test_a_folder_is_taken_as_it_is_and_nobody_is_asked(there: Hub) -> None:
    there.listing = there.download = RuntimeError("asked")
    assert hub.local_folder(Checkpoint(name="a", precision="fp8", path="/models/a")) == Path("/models/a")


def test_a_revision_is_fetched_without_pickled_weights(there: Hub) -> None:
    assert hub.local_folder(CHECKPOINT) == Path("/cache/snapshot")
    assert (there.asked["name"], there.asked["revision"]) == ("org/model", "abc")
    assert {"*.bin", "*.pt", "*.pth", "*.ckpt"} <= set(there.asked["ignore_patterns"])


def test_a_disk_that_is_too_small_is_refused_before_anything_is_fetched(there: Hub, tmp_path: Path) -> None:
    there.files[1] = ("model.safetensors", 9 * GIB)
    with pytest.raises(ConfigurationError) as error:
        hub.local_folder(CHECKPOINT)
    remedy = "free some, or name a larger disk in QUANTGATE_CACHE"
    assert str(error.value) == f"{WHAT} needs 10.0 GiB, and {tmp_path} has 9.5 GiB free; {remedy}"
    assert there.asked == {}


def test_what_the_cache_has_needs_no_room(there: Hub) -> None:
    there.files[1] = ("model.safetensors", 900 * GIB)
    there.cached = {"config.json", "model.safetensors"}
    assert hub.local_folder(CHECKPOINT) == Path("/cache/snapshot")


@pytest.mark.parametrize(
    "silence",
    [
        CLIENT("[Errno -3] Temporary failure in name resolution"),
        errors.OfflineModeIsEnabled("offline"),
        errors.HfHubHTTPError("503 Server Error", response=RESPONSE),
        errors.GatedRepoError("403 Client Error", response=RESPONSE),
    ],
    ids=["no network", "offline", "hub down", "no token any more"],
)
def test_a_full_cache_is_enough_where_the_hub_does_not_answer(silence: Exception, there: Hub) -> None:
    there.listing = silence
    assert hub.local_folder(CHECKPOINT) == Path("/cache/snapshot")
    # A hub that answers with an error is asked once more for the files; one that nobody reaches is not.
    assert there.asked["local_files_only"] is not isinstance(silence, errors.HfHubHTTPError)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.GatedRepoError("403 Client Error", response=RESPONSE), "is gated: ask for access on {page}, then {log_in}"),
        (
            errors.RepositoryNotFoundError("401 Client Error", response=RESPONSE),
            "is no repository on {hub}, or a private one: check the name, or {log_in}",
        ),
        (errors.RevisionNotFoundError("404 Client Error", response=RESPONSE), "has no revision abc; see {page}/commits"),
        (errors.HFValidationError("no id"), "is no folder and no hub id (org/name)"),
        (
            errors.LocalEntryNotFoundError("Cannot find an appropriate cached snapshot folder.\nMore words"),
            "is not in the cache {cache}, and the hub cannot be reached; connect, or name a folder",
        ),
        (
            errors.HfHubHTTPError("500 Server Error\nMore words", response=RESPONSE),
            "could not be fetched from {hub} (HfHubHTTPError: 500 Server Error); try again later, or name a folder",
        ),
        (CLIENT("connection reset"), "is not in the cache {cache} and could not be fetched (HTTPError: connection reset); {remedy}"),
        (
            OSError(28, "No space left on device"),
            "is not in the cache {cache} and could not be fetched (OSError: [Errno 28] No space left on device); {remedy}",
        ),
        (OSError(), "is not in the cache {cache} and could not be fetched (OSError); {remedy}"),
    ],
    ids=["gated", "not found", "no such revision", "no id", "no network", "hub down", "cut off", "disk full", "wordless"],
)
def test_what_cannot_be_fetched_is_one_sentence(error: Exception, said: str, there: Hub, tmp_path: Path) -> None:
    there.download = error
    with pytest.raises(ConfigurationError) as raised:
        hub.local_folder(CHECKPOINT)
    address = huggingface_hub.constants.ENDPOINT
    words = {"hub": address, "page": f"{address}/org/model", "cache": tmp_path, "log_in": "log in (hf auth login, or HF_TOKEN)"}
    assert str(raised.value) == f"{WHAT} " + said.format(remedy="connect, or name a folder", **words)


def test_of_a_data_set_only_what_is_wanted_is_fetched_and_counted(there: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def dataset_info(_: object, name: str, **asked: Any) -> SimpleNamespace:
        assert (name, asked["files_metadata"]) == ("org/texts", True)
        sizes = {"data/train-0.parquet": 8 * GIB, "data/test-0.parquet": 90 * GIB}
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=file, size=size) for file, size in sizes.items()])

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    assert hub.fetch("org/texts", None, "texts", kind="dataset", only=["*/train-*"]) == Path("/cache/snapshot")
    assert (there.asked["repo_type"], there.asked["allow_patterns"]) == ("dataset", ["*/train-*"])
    there.download = errors.GatedRepoError("403 Client Error", response=RESPONSE)
    with pytest.raises(ConfigurationError, match=f"ask for access on {huggingface_hub.constants.ENDPOINT}/datasets/org/texts, then log in"):
        hub.fetch("org/texts", None, "texts", kind="dataset", only=["*/train-*"])
    there.download = errors.OfflineModeIsEnabled("offline")
    with pytest.raises(ConfigurationError, match=r"cannot be reached; connect, or name a folder with --data-dir$"):
        hub.fetch("org/texts", None, "texts", kind="dataset", only=["*/train-*"])


def test_a_hub_id_is_resolved_into_the_cache_and_a_folder_is_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantgate.registry.hub.fetch", lambda name, revision, _: tmp_path / f"{name}@{revision}")
    assert locate("org/name", "abc") == tmp_path / "org/name@abc"
    assert locate(str(tmp_path)) == tmp_path
    with pytest.raises(ConfigurationError, match="no such folder"):
        locate("./org/name")
    with pytest.raises(ConfigurationError, match="--revision=abc belongs to a hub id"):
        locate(str(tmp_path), "abc")
