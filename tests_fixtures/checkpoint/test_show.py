"""A report on a terminal."""

from pathlib import Path

from rich.console import Console

from quantgate.checkpoint.inspection import inspect_checkpoint
from quantgate.checkpoint.show import show_report
from tests_fixtures.doubles.made_checkpoints import change, make_pair


def test_a_terminal_shows_it_within_100_columns(tmp_path: Path) -> None:
    folder, base = make_pair(tmp_path, "nvfp4", layers=2)
    change(folder, lambda tensors: tensors["model.layers.1.mlp.up_proj.weight_packed"][1].fill(0x21))
    with (tmp_path / "out").open("w", encoding="utf-8") as file:
        show_report(inspect_checkpoint(folder, base), Console(file=file, force_terminal=True, width=140, color_system=None))
    lines = (tmp_path / "out").read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 100
    assert any("mlp.up_proj" in line and line.startswith("error") for line in lines)
