"""An approval and its history: who, why, and nothing where nothing has changed."""

import subprocess

from tests_fixtures.doubles.gated_project import BF16, GATE, GatedProject, read

pytest_plugins = ["pytester"]


def test_an_approval_is_entered_in_the_history_with_its_reason(gated: GatedProject) -> None:
    subprocess.run(["git", "init", "-q", str(gated.root)], check=True)  # noqa: S607
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        subprocess.run(["git", "-C", str(gated.root), "config", key, value], check=True)  # noqa: S607
    gated.test(GATE)
    gated.run("-m", "bf16", "--snapshot-update", "--reason=first").assert_outcomes(passed=1, deselected=1)
    worse = "name, nll_sums=[20.2, 31.3, 39.3, 52.4, 58.3, 71.2])"
    gated.test(GATE.replace("name)", worse))
    result = gated.run("-m", "bf16", "--snapshot-update", "--reason=a new engine")
    history = read(gated.stored[BF16]).history
    assert [(entry.by, entry.reason, round(entry.figure, 2)) for entry in history] == [
        ("Ada <ada@example.org>", "first", 91.53),
        ("Ada <ada@example.org>", "a new engine", 94.16),
    ]
    result.stdout.fnmatch_lines(
        [
            "approved: cpu/reference/bf16/reference-text: perplexity 91.53 -> 94.16; review it with git diff, then commit it",
            "  between the two: pass: reference/bf16 reference-text since *: perplexity +2.87 % *; a real loss, within tolerance",
        ]
    )


def test_what_has_not_changed_is_not_written_again(gated: GatedProject) -> None:
    gated.test(GATE)
    gated.run("--snapshot-update").assert_outcomes(passed=2)
    before = gated.stored
    later = GATE.replace("name)", 'name, provenance=msgspec.structs.replace(PROVENANCE, started="later", seconds=9.0))')
    gated.test("import msgspec\n" + later)
    result = gated.run("--snapshot-update")
    assert gated.stored == before
    result.stdout.fnmatch_lines(["unchanged: cpu/reference/nvfp4/reference-text is as it was approved; nothing is written"])
