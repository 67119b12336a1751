"""The command lines of a night's pytests."""

from pathlib import Path

import pytest

from quantgate.nightly import Asked
from quantgate.nightly.asked import collecting, running
from quantgate.nightly.cases import Case, Phase, cases_of
from quantgate.registry import load
from quantgate.suites import SUITES
from tests_fixtures.doubles.little_night import FAMILY, NODES, REFERENCE, SPEED, TEXT

ASKED = Asked(project=Path(), models=Path("m.toml"), baselines="b", gpu="0,1", more=("--stop-early",))


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    (tmp_path / "models.toml").write_text(FAMILY.format(name="reference", reference=REFERENCE), encoding="utf-8")
    (family,) = load(tmp_path / "models.toml").family
    return cases_of([node.format(family="reference") for node in NODES.values()], family, SUITES)


def of(cases: list[Case], phase: Phase) -> list[Case]:
    return [case for case in cases if case.phase is phase]


def test_each_test_is_of_one_phase_and_a_kernel_gives_no_record(cases: list[Case]) -> None:
    structure, accuracy, throughput = (of(cases, phase) for phase in Phase)
    assert [case.checkpoint for case in structure] == ["bf16", "nvfp4"]
    assert [case.suite for case in accuracy] == ["reference-text", "kernels", "reference-text", "reference-questions"]
    assert [case.is_measured for case in accuracy] == [True, False, True, True]
    assert [f"{case.checkpoint}:{case.suite}" for case in throughput] == [SPEED]


@pytest.mark.parametrize(
    ("phase", "slots", "workers"),
    [
        (Phase.STRUCTURE, 2, []),
        (Phase.ACCURACY, 1, []),
        (Phase.ACCURACY, 2, ["-n2"]),
        (Phase.ACCURACY, 8, ["-n2"]),
        (Phase.THROUGHPUT, 2, []),
    ],
)
def test_checkpoints_are_side_by_side_for_accuracy_alone(cases: list[Case], phase: Phase, slots: int, workers: list[str]) -> None:
    command = running(ASKED, of(cases, phase), cases, Path("r"), Path("j.xml"), slots)
    assert [word for word in command if word.startswith("-n")] == workers


def test_of_one_checkpoint_there_is_nothing_to_put_beside_it(cases: list[Case]) -> None:
    command = running(ASKED, [case for case in of(cases, Phase.ACCURACY) if case.checkpoint == "nvfp4"], cases, Path("r"), Path("j"), 2)
    assert "-n2" not in command


def test_what_is_not_asked_is_deselected_and_every_option_is_passed_on(cases: list[Case]) -> None:
    asked = [case for case in cases if f"{case.checkpoint}:{case.suite}" == TEXT]
    command = running(ASKED, asked, cases, Path("r"), Path("j.xml"), 1)
    assert [word for word in command if word.startswith("--deselect=")] == [
        f"--deselect={case.node}" for case in cases if case not in asked
    ]
    passed = {"--gpu=0,1", "--family=reference", "--models=m.toml", "--baselines=b", "--records=r", "--junitxml=j.xml", "--stop-early"}
    assert passed <= set(command)
    assert "bf16 or fp8 or nvfp4 or mxfp4 or int8 or int4" in collecting(ASKED, "reference", Path("r"))
