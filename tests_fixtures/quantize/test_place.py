"""The place that a checkpoint is made for: taken, left by a run that was killed, or another's."""

import os
from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from tests_fixtures.doubles.fake_llmcompressor import Bench


def test_an_output_that_exists_is_refused_and_left_alone(bench: Bench) -> None:
    bench.output.parent.mkdir()
    bench.output.symlink_to("nowhere")
    with pytest.raises(ConfigurationError, match=rf"^-o {bench.output} exists already; remove it, or name another folder$"):
        bench.make()
    assert bench.output.is_symlink()


def test_a_place_that_is_taken_meanwhile_stays_as_it_is(bench: Bench) -> None:
    with pytest.raises(ConfigurationError, match=r"could not be given its name: Directory not empty; was it made meanwhile\?"):
        bench.make(f"whole(); os.makedirs({str(bench.output)!r}); Path({str(bench.output)!r}, 'theirs').touch()")
    assert bench.left() == ["made"]
    assert [one.name for one in bench.output.iterdir()] == ["theirs"]


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_has_is_not(bench: Bench) -> None:
    place = bench.output.parent
    for name in (".made.quantgate-dead", ".other.quantgate-dead"):
        (place / name / "made").mkdir(parents=True)
        (place / name / "quantgate.lock").write_text("1", encoding="utf-8")
        (place / name / "made" / "model.safetensors").write_bytes(bytes(3 << 20))
    (place / ".made.quantgate-begun").mkdir()  # nobody knows whose
    bench.make()
    assert bench.left() == [".made.quantgate-begun", "made"]
    assert f"removed {place}/.made.quantgate-dead, which a run that was killed had left (0.00 GiB)\n" in bench.said.getvalue()


def test_two_runs_for_one_place_are_told_of_each_other(bench: Bench) -> None:
    inner = (
        "from quantgate.errors import ConfigurationError; from quantgate.quantize import place\n"
        f"try:\n    place.beside(Path({str(bench.output)!r}), print).__enter__()\n"
        f"except ConfigurationError as error:\n    Path({str(bench.root / 'second')!r}).write_text(str(error))\nwhole()"
    )
    repository = str(Path(__file__).parents[2])
    bench.make(f"sys.path.insert(0, {repository!r})\n{inner}")
    second = (bench.root / "second").read_text(encoding="utf-8")
    assert second == f"-o {bench.output} is being made by another run (pid {os.getpid()}); wait for it, or name another folder"
