"""Data sets from local files in the hub's place, and what is told of errors; as the harnesses' programs do it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantgate.harness.inside import local_hub

ROWS = [{"question": f"q{number}", "answer": str(number)} for number in range(3)]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of data; `datasets` is put back afterwards."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    plain = datasets.load_dataset
    (tmp_path / "data").mkdir()
    yield tmp_path / "data"
    datasets.load_dataset = plain


def put(file: Path, rows: list[dict[str, str]] = ROWS) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize(
    "place",
    ["some/My-Set/test.jsonl", "My-Set/test.jsonl", "my_set/test-00000-of-00001.jsonl", "My-Set/main/test.jsonl", "mine/data/test.jsonl"],
)
def test_a_data_set_lies_under_its_name_or_part_of_it_or_an_alias(data: Path, place: str) -> None:
    import datasets

    put(data / place)
    local_hub.keep_to(data, "", {"some/My-Set": "mine"})
    assert list(datasets.load_dataset("some/My-Set", "main")["test"]) == ROWS
    assert list(datasets.load_dataset("some/My-Set", "main", split="test[:2]", revision="abc")) == ROWS[:2]


def test_the_declaration_may_name_the_folder_or_a_file(data: Path) -> None:
    import datasets

    put(data / "elsewhere.jsonl")
    local_hub.keep_to(data, "elsewhere.jsonl", {})
    assert list(datasets.load_dataset("some/set", split="test")) == ROWS
    assert list(datasets.load_dataset("some/set", split="train")) == ROWS  # one file is whatever is asked for


def test_local_files_that_a_task_names_itself_are_read_as_ever(data: Path) -> None:
    import datasets

    put(data / "own.jsonl")
    local_hub.keep_to(data, "", {})
    assert list(datasets.load_dataset("json", data_files=str(data / "own.jsonl"), split="train")) == ROWS


def test_what_is_lacking_is_told(data: Path) -> None:
    import datasets

    put(data / "set" / "test.jsonl")
    (data / "empty").mkdir()
    local_hub.keep_to(data, "", {"some/other": "others"})
    with pytest.raises(local_hub.LackingError, match="it has no split train, only test"):
        datasets.load_dataset("some/set")["train"]
    with pytest.raises(local_hub.LackingError, match="it has no split train, only test"):
        datasets.load_dataset("some/set", split="train")
    with pytest.raises(local_hub.LackingError, match="neither some/other nor other nor others is there"):
        datasets.load_dataset("some/other")
    with pytest.raises(local_hub.LackingError, match="there is no file of rows in it"):
        datasets.load_dataset("some/empty")


def test_without_examples_the_split_that_they_come_from_may_be_missing(data: Path) -> None:
    import datasets

    put(data / "set" / "test.jsonl")
    local_hub.keep_to(data, "", {}, lenient=True)
    found = datasets.load_dataset("some/set")
    assert (len(found["train"]), found["train"].column_names) == (0, ["question", "answer"])
    assert len(found["test"]) == 3


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as found:  # noqa: BLE001 (it is what is wanted)
        return found


class GatedRepoError(Exception):
    """As huggingface_hub calls it."""


class OfflineModeIsEnabled(ConnectionError):  # noqa: N818 (theirs)
    """As huggingface_hub calls it."""


class DatasetNotFoundError(FileNotFoundError):
    """As datasets calls it."""


TOLD: dict[str, tuple[BaseException, dict[str, Any]]] = {
    "gated": (
        raised(ValueError("no"), GatedRepoError("403: Cannot access gated repo for url https://hub/datasets/Idavidrein/gpqa/resolve/x")),
        {"refused": "gated", "hub": "Idavidrein/gpqa"},
    ),
    "gated, as datasets says it": (
        DatasetNotFoundError("Dataset 'Idavidrein/gpqa' is a gated dataset on the Hub. You must be authenticated"),
        {"refused": "gated", "hub": "Idavidrein/gpqa"},
    ),
    "offline": (
        ConnectionError("Couldn't reach 'openai/gsm8k' on the Hub (OfflineModeIsEnabled)"),
        {"refused": "offline", "hub": "openai/gsm8k"},
    ),
    "offline behind another": (raised(RuntimeError("x"), OfflineModeIsEnabled("offline")), {"refused": "offline", "hub": ""}),
    "no such set": (
        DatasetNotFoundError("Dataset 'some/set' doesn't exist on the Hub or cannot be accessed."),
        {"refused": "no data", "hub": "some/set"},
    ),
    "a module": (
        raised(ImportError("x"), ModuleNotFoundError("No module named 'langdetect'", name="langdetect")),
        {"refused": "module", "module": "langdetect"},
    ),
    "unknown": (ValueError("Tasks not found: gsm9k"), {"refused": "unknown", "near": ["gsm8k"], "count": 2}),
    "unknown to Inspect": (RuntimeError("Task named 'gsm9k' not found."), {"refused": "unknown", "near": ["gsm8k"], "count": 2}),
    "another": (ValueError("two\nlines"), {"refused": "failed", "said": "ValueError: two lines"}),
}


@pytest.mark.parametrize("which", TOLD)
def test_an_error_is_told_by_its_kind(which: str) -> None:
    error, told = TOLD[which]
    assert local_hub.refusal(error, lambda: ["gsm8k", "other"], "gsm9k") == told


def test_what_came_of_it_is_written_where_somebody_waits_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = {"told": str(tmp_path / "told.json"), "name": "x"}
    assert local_hub.told(task, lambda _: {"log": "here"}, list) == 0
    assert json.loads((tmp_path / "told.json").read_bytes()) == {"log": "here"}

    def fails(_: dict[str, Any]) -> dict[str, Any]:
        raise LookupError("nothing")

    assert local_hub.told(task, fails, list) == 1
    assert json.loads((tmp_path / "told.json").read_bytes()) == {"refused": "failed", "said": "LookupError: nothing"}
    assert "Traceback" in capsys.readouterr().err  # for the log
