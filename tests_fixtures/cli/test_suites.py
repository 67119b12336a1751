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


def test_a_task_of_another_harness_is_counted_where_it_is_declared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = tmp_path / "models.toml"
    family = f'[[family]]\nname = "a"\nsuites = ["few"]\ncheckpoint = [{{ name = "bf16", precision = "bf16", path = "{BF16}" }}]\n'
    suites = '[[suite]]\nname = "few"\nfrom = "lm-eval:gsm8k"\nn = 200\n[[suite]]\nname = "every"\nfrom = "inspect:a/b"\n'
    models.write_text(suites + family, encoding="utf-8")
    few, every = (described(capsys, name, f"--models={models}") for name in ("few", "every"))
    assert (few["items"], few["kind"], every["items"]) == (200, "task", None)
    assert "a loss of 4.4 points" in str(few["decides"])
    assert every["decides"] == "inspect counts its items when it runs"


OWN = """
[[suite]]
name = "own"
from = "file:own.jsonl"
kind = "code"
[[suite]]
name = "often"
from = "decidable-40"
repeats = 8
temperature = 0.6
[[family]]
name = "a"
suites = ["own"]
checkpoint = [{{ name = "bf16", precision = "bf16", path = "{bf16}" }}]
"""
TASK = {"prompt": "def double(x):\n", "entry_point": "double", "test": "def check(candidate):\n    assert candidate(2) == 4\n"}


def own(folder: Path, *solutions: str | None) -> str:
    """`--models` of a file with a code suite of these solutions, and a suite of repeats."""
    told = [TASK | {"task_id": f"own/{number}"} | ({"canonical_solution": one} if one else {}) for number, one in enumerate(solutions)]
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told), encoding="utf-8")
    (folder / "models.toml").write_text(OWN.format(bf16=BF16), encoding="utf-8")
    return f"--models={folder / 'models.toml'}"


def test_the_solutions_of_a_code_file_are_run_where_there_are_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = "    return 2 * x\n", "    return x\n"
    counts = {"name": "own", "passed": 2, "failed": 0, "timed_out": 0, "refused": 0}
    assert described(capsys, "own", "--verify", own(tmp_path, good, good)) == counts
    assert described(capsys, "own", "--verify", own(tmp_path, good, None, good)) == counts | {"without_solution": 1}
    assert main(["suites", "own", "--verify", own(tmp_path, good, bad, None)]) == 1
    assert capsys.readouterr().out == "own: 1 passed, 1 failed, 0 timed_out, 0 refused, 1 without a solution\n"
    assert main(["suites", "own", "--verify", own(tmp_path, None)]) == 2
    assert "--verify runs the solutions of a code suite, and no task of own has a canonical_solution" in capsys.readouterr().err


def test_what_is_asked_several_times_is_as_many_items_and_a_cluster_a_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = described(capsys, "often", own(tmp_path, None))
    assert (found["items"], found["clusters"], found["groups"]) == (320, 40, described(capsys, "decidable-40")["groups"])
    assert found["decides"] == described(capsys, "decidable-40")["decides"]


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
