"""A folder, then a store: git has what is approved, the store its items, and a store that is away stops nothing that is there."""

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quantgate.baselines import Baselines, open_baselines, with_history
from quantgate.baselines.store import Store
from quantgate.errors import BaselineError, MeasurementError, StoreAwayError
from quantgate.records import Answers, Keep, Measurement, TextLoss, read_measurement, write_apart
from tests_fixtures.baselines.test_shared import ENTRY, KEY
from tests_fixtures.doubles.examples import answers, speed, text_loss, topk


def into(root: Path, measured: Measurement, keep: Keep | None) -> None:
    provenance = measured.provenance
    path = root / provenance.device_class / measured.family / measured.checkpoint / f"{measured.suite}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_apart(path, measured, keep)


def sampled() -> TextLoss:
    return msgspec.structs.replace(text_loss(), topk=[topk(0.5, {1: 0.5})], again=text_loss().documents[:1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "baselines"


@pytest.fixture
def both(folder: Path, url: str) -> str:
    return f"{folder},{url}"


def approve(where: str, measured: Measurement) -> tuple[Measurement, str]:
    one = with_history(measured, None, ENTRY)
    return one, open_baselines(where).approve(one, into)


def away(monkeypatch: pytest.MonkeyPatch, *, denied: bool = False) -> list[str]:
    """From now on no store answers, or lets itself be written; what was asked of it."""
    asked: list[str] = []

    def fails(self: Store, what: str, *_: object) -> object:
        asked.append(what)
        raise StoreAwayError(f"{self.url} is away", denied=denied)

    monkeypatch.setattr(Store, "_ask", fails)
    return asked


@pytest.mark.parametrize("measured", [sampled(), answers()], ids=["text", "answers"])
def test_git_has_the_figures_and_the_store_the_items(measured: TextLoss | Answers, both: str, folder: Path, tmp_path: Path) -> None:
    one, said = approve(both, measured)
    assert said.startswith(f"its {len(measured.items if isinstance(measured, Answers) else measured.documents)} items are in file://")
    light = msgspec.json.decode((folder / "cpu/reference/bf16" / f"{measured.suite}.json").read_bytes())
    assert light["history"][0]["by"] == "Ann"
    assert light.get("items", light.get("documents")) == []
    assert not {"again", "topk", "topk_sha256"} & light.keys()
    assert {file.name for file in (tmp_path / "store").rglob("*") if file.is_file()} == {light["apart"]["sha256"]}
    assert not list(folder.rglob("*.topk.jsonl"))
    assert open_baselines(both).load(*KEY[:3], measured.suite) == one


def test_a_folder_alone_stays_whole_and_a_speed_always_does(folder: Path, both: str) -> None:
    assert approve(str(folder), sampled())[1] == "review it with git diff, then commit it"
    assert b'"documents": [\n' in (folder / "cpu/reference/bf16/reference-text.json").read_bytes()
    approve(both, speed([100.0, 101.0]))
    assert b"apart" not in (folder / "cpu/reference" / "nvfp4" / "decode-16x64.json").read_bytes()


def test_what_lies_in_the_folder_asks_no_store(both: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = approve(str(folder), text_loss())
    light, _ = approve(both, answers())
    asked = away(monkeypatch)
    assert open_baselines(both).load(*KEY) == whole
    assert open_baselines(both).load(*KEY[:3], "reference-questions") == light  # from the cache of the host that approved it
    assert asked == []


def test_items_that_cannot_be_fetched_are_a_sentence_and_no_other_baseline(
    both: str, cache: Path, monkeypatch: pytest.MonkeyPatch, url: str, folder: Path
) -> None:
    approve(url, text_loss(nll_sums=[1.0, 2.0]))  # another one, in the store alone
    approve(both, text_loss())
    for file in cache.rglob("*"):
        if file.is_file():
            file.unlink()
    with monkeypatch.context() as patched:
        away(patched)
        with pytest.raises(StoreAwayError, match=r"reference-text\.json: its 6 items \(.* cannot be fetched: file://.*/store is away"):
            open_baselines(both).load(*KEY)
    with pytest.raises(MeasurementError, match=r"reference-text\.json: its 6 items lie in a store .*--baselines=baselines,s3://"):
        read_measurement(folder / "cpu/reference/bf16/reference-text.json")
    with pytest.raises(BaselineError, match=r"reference-text\.json: its 6 items .* lie in a store: name it behind the folder"):
        open_baselines(folder).load(*KEY)
    assert open_baselines(both).load(*KEY) is not None
    assert open_baselines(folder).load(*KEY) is not None  # fetched once, it is here


def test_what_git_has_approved_is_not_replaced_by_another_store_s(
    both: str, cache: Path, monkeypatch: pytest.MonkeyPatch, url: str, tmp_path: Path
) -> None:
    other = f"file://{tmp_path}/other"
    approve(other, text_loss(nll_sums=[1.0, 2.0]))
    approve(both, text_loss())
    shutil.rmtree(cache)
    real = Store._ask

    def fails(self: Store, *given: Any) -> object:
        if self.url == url:
            raise StoreAwayError(f"{url} is away")
        return real(self, *given)

    monkeypatch.setattr(Store, "_ask", fails)
    with pytest.raises(StoreAwayError, match=r"reference-text\.json: its 6 items .* is away; .*/other has no objects/"):
        open_baselines(f"{both},{other}").load(*KEY)


def test_a_store_that_is_away_warns_once_where_a_folder_has_it(both: str, folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    approve(str(folder), text_loss())
    away(monkeypatch)
    warned: list[str] = []
    baselines = open_baselines(f"{url},{folder}", warned.append)
    for _ in range(2):
        assert baselines.load(*KEY) is not None
        assert baselines.device_classes() == ["cpu"]
    assert warned == [f"{url} is away; what lies in a folder is judged all the same"]
    with pytest.raises(StoreAwayError, match="is away"):
        open_baselines(both).load("cpu", "reference", "nvfp4", "reference-text")


def test_items_that_no_store_takes_stay_in_the_file(both: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away(monkeypatch, denied=True)
    one, said = approve(both, sampled())
    assert said.startswith("its 6 items stay in the file, since no store took them: file://")
    assert open_baselines(str(folder)).load(*KEY) == one


def test_the_first_that_can_be_written_gets_it_unless_one_before_would_hide_it(
    both: str, folder: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(str(folder), text_loss())
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: folder not in (path, *Path(path).parents) and real(path, mode))
    with pytest.raises(
        BaselineError, match=r"is not approved: .*/baselines cannot be written by this user, and its baseline there would hide"
    ):
        approve(both, text_loss())
    _, said = approve(both, text_loss("nvfp4"))
    assert said == f"it stands in {url}/approved/cpu/reference/nvfp4/reference-text/000001.json"


def test_one_in_the_store_alone_is_found_behind_the_folder(both: str, url: str) -> None:
    one, _ = approve(url, text_loss())
    baselines: Baselines = open_baselines(both)
    assert baselines.load(*KEY) == one
    assert baselines.place(one) is None
