"""`quantgate suites`: what there is, and how much of it."""

import json
from pathlib import Path

import pytest

from quantgate.cli import main
from quantgate.suites import SUITES

BF16 = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"


def described(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["suites", *arguments, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_every_suite_is_listed_with_a_line_of_what_it_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suites", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in found} == set(SUITES)
    assert all(one["says"] for one in found)
    assert main(["suites"]) == 0
    assert "decode-16x256" in capsys.readouterr().out


def test_a_team_s_own_are_listed_and_counted_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = tmp_path / "models.toml"
    family = f'[[family]]\nname = "a"\nsuites = ["few"]\ncheckpoint = [{{ name = "bf16", precision = "bf16", path = "{BF16}" }}]\n'
    models.write_text('[[suite]]\nname = "few"\nfrom = "reference-questions"\nn = 40\n' + family, encoding="utf-8")
    found = described(capsys, "few", f"--models={models}")
    assert (found["items"], found["kind"]) == (40, "answers")
    assert main(["suites", f"--models={models}"]) == 0
    assert "From reference-questions, as models.toml declares" in capsys.readouterr().out


def test_a_text_is_counted_as_a_server_would_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    found = described(capsys, "reference-text", f"--tokenizer={BF16}")
    assert (found["items"], found["tokens"], found["scored_tokens"], found["clusters"]) == (256, 48128, 47872, 256)
    assert found["fingerprint"] == SUITES["reference-text"][1](None).fingerprint
    assert str(found["decides"]).startswith("256 documents weigh as much as ")


def test_without_a_tokenizer_there_are_no_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    found = described(capsys, "reference-text")
    assert (found["items"], found["tokens"], found["decides"]) == (256, None, "its tokens are counted with --tokenizer DIR")


def test_questions_have_groups_and_what_so_many_can_see(capsys: pytest.CaptureFixture[str]) -> None:
    found = described(capsys, "reference-questions")
    assert (found["items"], found["groups"]) == (1200, dict.fromkeys(("add", "count", "median", "multiply", "remainder"), 240))
    assert "a loss of 1.8 points" in str(found["decides"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["wikitex2"], "there is no suite wikitex2 (did you mean wikitext2?); there are "),
        (["reference-text", "--tokenizer=/nowhere"], "/nowhere holds no tokenizer.json"),
        (["reference-text", "--verify"], "--verify runs the solutions of a code suite, and reference-text is none"),
        (["reference-text", "--max-model-len=0"], "--max-model-len=0: give tokens, 1 or more"),
        (["wikitext2", "--data-dir=/nowhere"], "suite wikitext2 needs wikitext2_raw/wiki.test.raw in it, which is not there"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suites", *arguments]) == 2
    assert said in capsys.readouterr().err
