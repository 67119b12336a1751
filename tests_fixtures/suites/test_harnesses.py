"""Tasks of other harnesses as models.toml declares them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from quantgate.errors import ConfigurationError
from quantgate.registry import DeclaredSuite
from quantgate.suites import HarnessSuite, catalogue, why_no_room


def declared(**keys: Any) -> DeclaredSuite:
    return msgspec.convert({"name": "mine", "from": "lm-eval:gsm8k", **keys}, DeclaredSuite)


def load(one: DeclaredSuite, folder: Path, data: Path | None = None) -> HarnessSuite:
    kind, loader = catalogue([one], folder / "models.toml")[one.name]
    assert kind is HarnessSuite
    found = loader(data)
    assert isinstance(found, HarnessSuite)
    return found


def test_everything_that_is_declared_arrives(tmp_path: Path) -> None:
    one = declared(n=100, max_tokens=512, thinking=True, temperature=0.6, fewshot=4, filter="strict-match", metric="exact_match", seed=3)
    assert load(one, tmp_path, tmp_path / "data") == HarnessSuite(
        name="mine",
        harness="lm-eval",
        task="gsm8k",
        n=100,
        max_tokens=512,
        thinking=True,
        temperature=0.6,
        fewshot=4,
        filter="strict-match",
        metric="exact_match",
        seed=3,
        data=tmp_path / "data",
    )
    other = load(declared(**{"from": "inspect:inspect_evals/hle"}, repeats=4, args={"subset": "x"}, packages=["y"], data="z"), tmp_path)
    assert (other.harness, other.task, other.repeats, other.args) == ("inspect", "inspect_evals/hle", 4, {"subset": "x"})
    assert (other.packages, other.folder, other.max_tokens, other.temperature) == (("y",), "z", None, 0.0)
    live = load(declared(**{"from": "livebench:2024-11-25"}, mean="category"), tmp_path)
    assert (live.task, live.mean, other.mean) == ("2024-11-25", "category", "question")


def test_a_task_may_be_a_file_beside_models_toml_whose_content_counts(tmp_path: Path) -> None:
    file = tmp_path / "tasks" / "sums.yaml"
    file.parent.mkdir()
    file.write_text("task: sums", encoding="utf-8")
    one = declared(**{"from": "lm-eval:tasks/sums.yaml"})
    first = load(one, tmp_path)
    assert first.task == str(file)
    (file.parent / "utils.py").write_text("x = 1", encoding="utf-8")
    with_code = load(one, tmp_path)
    assert with_code.fingerprint != first.fingerprint
    moved = tmp_path / "elsewhere"
    file.parent.rename(moved)
    assert load(declared(**{"from": "lm-eval:elsewhere/sums.yaml"}), tmp_path).fingerprint == with_code.fingerprint
    (moved / "mine.py").write_text("", encoding="utf-8")
    assert load(declared(**{"from": "inspect:elsewhere/mine.py@sums"}), tmp_path).task == f"{moved / 'mine.py'}@sums"
    with pytest.raises(ConfigurationError, match=r"suite mine: .*sums\.yaml is not there; a task that is a file lies beside models\.toml"):
        load(one, tmp_path)


def test_the_fingerprint_is_of_all_that_changes_an_answer(tmp_path: Path) -> None:
    plain = load(declared(), tmp_path)
    for changed in (
        {"n": 5},
        {"max_tokens": 9},
        {"fewshot": 0},
        {"temperature": 1.0},
        {"seed": 1},
        {"filter": "x"},
        {"chat_template": False},
    ):
        assert load(declared(**changed), tmp_path).fingerprint != plain.fingerprint, changed
    assert load(declared(name="other"), tmp_path, tmp_path).fingerprint == plain.fingerprint


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no task": ({"from": "lm-eval:"}, "from = 'lm-eval:' names no task; write from = \"lm-eval:TASK\""),
    "a kind": ({"kind": "code"}, "kind is 'code', and a task of lm-eval gives answers; leave kind out"),
    "another's key": ({"args": {"a": 1}}, "args is nothing that lm-eval takes (arguments of tasks are Inspect's); leave it out"),
    "repeats": ({"repeats": 2}, "repeats is nothing that lm-eval takes (Inspect repeats (as epochs)"),
    "examples": ({"from": "inspect:a", "fewshot": 2}, "fewshot is nothing that inspect takes"),
    "a mean": ({"mean": "category"}, "mean is nothing that lm-eval takes (two means are LiveBench's); leave it out"),
    "thinking": ({"from": "livebench:a", "thinking": True}, "thinking is nothing that LiveBench passes on"),
    "no template": ({"chat_template": False, "thinking": True}, "thinking is a setting of the chat template, and chat_template is false"),
    "of none": ({"from": "gsm8k", "fewshot": 5}, "fewshot is for a task of another harness (from = lm-eval:, inspect:, livebench:)"),
    "misspelt": (
        {"from": "lmeval:gsm8k"},
        "from = 'lmeval:gsm8k' is no suite (did you mean lm-eval:?); name file:PATH, a task as lm-eval:TASK",
    ),
}


@pytest.mark.parametrize("which", MISTAKES)
def test_a_mistake_is_one_sentence(which: str, tmp_path: Path) -> None:
    keys, said = MISTAKES[which]
    with pytest.raises(ConfigurationError) as raised:
        catalogue([declared(**keys)], tmp_path / "models.toml")
    assert f"{tmp_path / 'models.toml'}: suite mine: {said}" in str(raised.value)


def test_room_is_asked_for_where_the_length_is_declared() -> None:
    suite = HarnessSuite(name="a", harness="lm-eval", task="a", max_tokens=2048)
    said = why_no_room(suite, 1024, "f/bf16")
    assert said is not None
    assert said.endswith("raise that, or give it fewer max_tokens")
    assert why_no_room(msgspec.structs.replace(suite, max_tokens=None), 1024, "f/bf16") is None
