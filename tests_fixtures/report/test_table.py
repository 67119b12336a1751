"""`quantgate table`: every checkpoint of models.toml in a row, with what a run found, or why there is nothing."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from benchmarks import recipes
from quantgate import cli, registry
from quantgate.fingerprint import of_checkpoint
from quantgate.judgement import judge_speedup, judge_text
from quantgate.records import write_record
from tests_fixtures.doubles.examples import speedups, text_loss, with_provenance

ROOT = Path(__file__).parents[2]
WORSE = [one + 1 for one in (20.0, 31.0, 39.0, 52.0, 58.0, 71.0)]


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """BF16 and an NVFP4 that fails, measured; one that is skipped on a CPU, and one that nobody measured."""
    reference = ROOT / "fixtures" / "reference"
    names = {"bf16": "", "nvfp4": "", "a16": 'skip = { cpu = "no kernel" }', "late": ""}
    (tmp_path / "models.toml").write_text(
        '[[family]]\nname = "reference"\nsuites = ["reference-text", "decode-16x64"]\n'
        + "".join(
            f'[[family.checkpoint]]\nname = "{name}"\nprecision = "{"bf16" if name == "bf16" else "nvfp4"}"\n'
            f'path = "{reference / ("bf16" if name == "bf16" else "nvfp4")}"\n{more}\n'
            for name, more in names.items()
        )
    )
    records = tmp_path / "records"
    weights = {name: of_checkpoint(reference / name) for name in ("bf16", "nvfp4")}
    bf16 = with_provenance(text_loss(), checkpoint_fingerprint=weights["bf16"])
    nvfp4 = with_provenance(text_loss("nvfp4", WORSE), checkpoint_fingerprint=weights["nvfp4"])
    write_record(records, bf16)
    write_record(records, judge_text(bf16, bf16, perplexity_ratio=1.01))
    write_record(records, nvfp4)
    write_record(records, judge_text(nvfp4, bf16, perplexity_ratio=1.05))
    speed = with_provenance(speedups([0.7, 0.71, 0.72, 0.7, 0.71]), checkpoint_fingerprint=weights["nvfp4"])
    write_record(records, speed)
    write_record(records, judge_speedup(speed, speedup_over_bf16=0.4))
    return ["table", f"--models={tmp_path / 'models.toml'}", f"--records={records}"]


def test_the_folder_may_be_named_alone(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(options) == 0
    wanted = capsys.readouterr().out
    assert cli.main([*options[:-1], options[-1].removeprefix("--records=")]) == 0
    assert capsys.readouterr().out == wanted


def test_a_row_has_size_figures_losses_with_n_and_the_worst_verdict(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(options) == 0
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines() if "|" in line]
    head, _, bf16, nvfp4, skipped, late = lines
    assert head == ["reference", "weights", "perplexity, reference-text", "decode, decode-16x64", "verdict"]
    assert bf16 == ["bf16", "9.5 MiB", "91.53", "", "pass"]
    assert nvfp4[:2] == ["nvfp4", "3.0 MiB (3.13 times smaller)"]
    assert nvfp4[2].startswith("101.16 (+10.52 % [")
    assert nvfp4[2].endswith("n = 6)")
    assert nvfp4[3].startswith("100 tokens/s (0.71x of BF16 [")
    assert nvfp4[4] == "fail: reference-text"
    assert skipped[-1] == "skipped on cpu: no kernel"
    assert late[-1] == "not measured"


def test_markdown_has_one_line_a_checkpoint_however_many_suites_there_are(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"a-suite-with-rather-a-long-name-{number:02}" for number in range(40)]
    models = tmp_path / "models.toml"
    models.write_text(models.read_text().replace('["reference-text", "decode-16x64"]', json.dumps(names)))
    for name in names:
        write_record(tmp_path / "records", msgspec.structs.replace(text_loss(), suite=name))
    assert cli.main(options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 4
    assert len({line.count("|") for line in lines}) == 1


def test_on_a_terminal_each_suite_has_its_verdict(
    options: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert cli.main(options) == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    shown = {line.split()[0]: line.split() for line in plain.splitlines() if line.split()}
    assert shown["nvfp4"][-1] == "fail"
    assert shown["reference-text"][-1] == "fail"
    assert shown["decode-16x64"][-1] == "pass"
    assert " ".join(shown["a16"]).endswith("skipped on cpu: no kernel")


def test_figures_of_other_weights_are_not_shown_as_these(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_record(tmp_path / "records", with_provenance(text_loss(), checkpoint_fingerprint="c1"))
    assert cli.main(options) == 0
    line = next(one for one in capsys.readouterr().out.splitlines() if one.startswith("| bf16"))
    assert "91.53" not in line
    assert "measured on other weights than lie there now: measure again" in line


def test_a_suite_that_was_asked_by_name_stands_behind_the_family_s(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    models = Path(options[1].removeprefix("--models="))
    models.write_text(models.read_text(encoding="utf-8").replace('"reference-text", "decode-16x64"', '"decode-16x64"'), encoding="utf-8")
    assert cli.main(options) == 0
    assert "perplexity, reference-text | verdict" in " ".join(capsys.readouterr().out.split())
    assert cli.main([*options, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["reference"]
    assert [[cell["suite"] for cell in row["cells"]] for row in rows[:2]] == [["reference-text"], ["decode-16x64", "reference-text"]]


def test_one_json_document(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*options, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["reference"]
    assert [row["checkpoint"] for row in rows] == ["bf16", "nvfp4", "a16", "late"]
    assert rows[1]["cells"][0]["judged"]["verdict"] == "fail"
    assert rows[2]["remark"] == "skipped on cpu: no kernel"


def test_a_folder_without_records_is_one_sentence_and_exit_2(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*options[:2], f"--records={tmp_path / 'nowhere'}"]) == 2
    assert capsys.readouterr().err == f"quantgate table: --records={tmp_path / 'nowhere'} is no folder; name the one that pytest wrote to\n"
    (tmp_path / "empty").mkdir()
    assert cli.main([*options[:2], f"--records={tmp_path / 'empty'}"]) == 2


def test_a_record_that_is_none_is_named(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "records" / "reference" / "late" / "reference-text.json"
    file.parent.mkdir()
    file.write_text("{}")
    assert cli.main(options) == 2
    assert f"{file} is no usable record" in capsys.readouterr().err


def test_the_recipes_make_a_models_toml_that_the_registry_reads(tmp_path: Path) -> None:
    for name in recipes.VARIANTS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "models.toml").write_text(recipes.models(tmp_path))
    found = registry.load(tmp_path / "models.toml")
    own = registry.load(ROOT / "models.toml")
    (family,), (reference,) = found.family, own.select("reference")
    assert [one.name for one in family.checkpoint] == ["bf16", *recipes.VARIANTS]
    assert family.checkpoint[0].path == reference.checkpoint[0].path
    for one in family.checkpoint[1:]:  # judged as the shipped ones are
        wanted, stated = own.tolerance_for(reference, one.precision), found.tolerance_of(family, one)
        assert (stated.accuracy_points, stated.perplexity_ratio) == (wanted.accuracy_points, wanted.perplexity_ratio)
        assert stated.speedup_over_bf16["cpu"] == wanted.speedup_over_bf16["cpu"]
        assert one.serve == reference.checkpoint[0].serve
    assert family.checkpoint[-1].skip["cpu"]
