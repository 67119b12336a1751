"""Baselines in a store alone: added, never replaced; the newest counts; of two at once one is told."""

from pathlib import Path

import msgspec
import pytest

from quantgate.baselines import Baselines, open_baselines, with_history
from quantgate.errors import BaselineError
from quantgate.records import Approval, Measurement, TextLoss
from tests_fixtures.doubles.examples import answers, text_loss

ENTRY = Approval(when="2026-01-01T00:00:00+00:00", by="Ann", figure=1.0, vllm="v", device_name="d", checkpoint_fingerprint="c")
KEY = ("cpu", "reference", "bf16", "reference-text")


def never(*_: object) -> None:
    raise AssertionError("a store alone has no folder")


def approved(baselines: Baselines, measured: Measurement, by: str = "Ann", old: Measurement | None = None) -> Measurement:
    one = with_history(measured, old, msgspec.structs.replace(ENTRY, by=by))
    baselines.approve(one, never)
    return one


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in (folder / "approved").rglob("*") if file.is_file())


def test_each_approval_is_a_file_more_and_the_newest_counts(url: str, tmp_path: Path) -> None:
    first = approved(open_baselines(url), text_loss())
    second = approved(open_baselines(url), text_loss(nll_sums=[20.5, 31.0, 39.0]), old=first)
    assert open_baselines(url).load(*KEY) == second
    assert files(tmp_path / "store") == [f"approved/{'/'.join(KEY)}/{number:06d}.json" for number in (1, 2)]
    light = msgspec.json.decode((tmp_path / "store" / files(tmp_path / "store")[1]).read_bytes())
    assert (light["documents"], light["apart"]["items"], len(light["history"])) == ([], 3, 2)


def test_of_two_on_top_of_the_same_the_second_is_told_and_nothing_is_lost(url: str, tmp_path: Path) -> None:
    first = approved(open_baselines(url), text_loss())
    mine, other = open_baselines(url), open_baselines(url)
    assert mine.load(*KEY) == other.load(*KEY) == first
    theirs = approved(other, text_loss(nll_sums=[20.5, 31.0]), "Bob", first)
    with pytest.raises(BaselineError, match=r"^cpu/reference/bf16/reference-text was approved meanwhile by Bob \(2026-.*000002\.json\)"):
        approved(mine, text_loss(nll_sums=[20.6, 31.0]), "Ann", first)
    with pytest.raises(BaselineError, match="approved meanwhile by Bob"):  # nor does one get in that sees theirs, and was judged before it
        approved(open_baselines(url), text_loss(nll_sums=[20.6, 31.0]), "Ann", first)
    assert mine.load(*KEY) == theirs
    assert len(files(tmp_path / "store")) == 2
    approved(mine, text_loss(nll_sums=[20.6, 31.0]), "Ann", theirs)
    again = open_baselines(url).load(*KEY)
    assert isinstance(again, TextLoss)
    assert [one.by for one in again.history] == ["Ann", "Bob", "Ann"]


def test_it_says_what_there_is(url: str) -> None:
    for one in (text_loss(), text_loss("nvfp4"), answers()):
        approved(open_baselines(url), one)
    baselines = open_baselines(url)
    assert baselines.device_classes() == ["cpu"]
    assert baselines.checkpoints("cpu", "reference") == ["bf16", "nvfp4"]
    assert baselines.load("cpu", "reference", "nvfp4", "reference-questions") is None
    assert (baselines.local, baselines.place(text_loss()), baselines.are_there) == (None, None, True)


@pytest.mark.parametrize("size", [0, 40])
def test_one_that_is_half_is_a_sentence(size: int, url: str, tmp_path: Path) -> None:
    approved(open_baselines(url), text_loss())
    (file,) = (tmp_path / "store" / "approved").rglob("*.json")
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(BaselineError, match=r"000001\.json is no usable record: .*; delete it in the store, and approve a new one"):
        open_baselines(url).load(*KEY)


def test_a_store_that_cannot_be_written_is_one_sentence(url: str, tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"a file where the folder would be")
    with pytest.raises(BaselineError, match=r"file://.*/store: to write is not possible: .*; name a folder before it"):
        approved(open_baselines(url), text_loss())
