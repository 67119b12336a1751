"""What harnesses do and no figure shows: said in the line, and refused where two sides differ in it."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests_fixtures.doubles.adopted import judged, only, write_json, write_lines

STAMP = "2026-01-01T10-00-00.1"


def lm_eval(folder: Path, prompt: Any = "Q: 1?", results: dict[str, Any] | None = None, log: str = "", **sent: Any) -> Path:
    """A folder with forty samples, the results of their time, and a log."""
    sent = {"until": ["Q:"], "max_gen_toks": 64, **sent}
    rows = [
        {
            "doc_id": doc,
            "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {key: value for key, value in sent.items() if value is not None}}},
            "resps": [["3"]],
            "filtered_resps": ["3"],
            "filter": "none",
            "metrics": ["exact_match"],
            "doc_hash": f"a{doc}",
            "prompt_hash": "b",
            "target_hash": "c",
            "exact_match": float(doc % 4 > 0),
        }
        for doc in range(40)
    ]
    write_lines(folder / f"samples_t_{STAMP}.jsonl", rows)
    if results is not None:
        write_json(folder / f"results_{STAMP}.json", results)
    if log:
        (folder / "run.log").write_text(log, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (["\n\n"], ['answers end at their first blank line (until "\\n\\n", which lm-eval sets where a task names none)']),
        (["Q:", "\n\n"], ['answers end at their first blank line ("\\n\\n" in until)']),
        (["Q:", "\n"], []),
    ],
)
def test_a_blank_line_that_ends_answers_is_said(tmp_path: Path, until: list[str], said: list[str]) -> None:
    run = only(lm_eval(tmp_path, until=until))
    assert run.ways == said
    assert json.loads(str(run.sent["until"])) == until


@pytest.mark.parametrize(
    ("config", "generation", "sent", "said"),
    [
        ({"gen_kwargs": "temperature=0,max_gen_toks=1024"}, {}, 256, ["max_gen_toks 256 was sent, where gen_kwargs declared 1024"]),
        ({"gen_kwargs": {"max_gen_toks": 256}}, {"max_gen_toks": 512}, 256, ["max_gen_toks 256 was sent, where the task declared 512"]),
        (
            {"model_args": "pretrained=m,max_gen_toks=2048"},
            {},
            256,
            ["max_gen_toks 256 was sent, where the model's arguments declared 2048"],
        ),
        ({"model_args": {"max_gen_toks": 256}}, {"max_gen_toks": 256}, 256, []),
        ({"model_args": "pretrained=m"}, {}, None, ["no max_gen_toks was sent: lm-eval's own default"]),
        ({"model_args": "max_gen_toks=99"}, {}, None, ["max_gen_toks 99 of the model's arguments"]),
    ],
)
def test_other_room_for_an_answer_than_was_declared_is_said(
    tmp_path: Path, config: dict[str, Any], generation: dict[str, Any], sent: int | None, said: list[str]
) -> None:
    told = {"config": config, "configs": {"t": {"generation_kwargs": generation}}}
    assert only(lm_eval(tmp_path, results=told, max_gen_toks=sent)).ways == said


@pytest.mark.parametrize(
    ("told", "prompt", "said"),
    [
        ({"chat_template_sha": None}, "Q", ["no chat template was applied"]),
        ({"chat_template_sha": "d0"}, "Q", []),
        ({}, "Q", []),
        ({"chat_template_sha": None}, '[{"role": "user"}]', ["sent as messages, under the server's own chat template"]),
        ({"chat_template_sha": "d", "n-shot": {"t": 5}, "fewshot_as_multiturn": True}, "Q", ["5 examples as turns of their own"]),
        ({"chat_template_sha": "d", "n-shot": {"t": 5}, "fewshot_as_multiturn": False}, "Q", ["5 examples in one turn"]),
        ({"chat_template_sha": None, "n-shot": {"t": 5}, "fewshot_as_multiturn": False}, "Q", ["no chat template was applied"]),
        ({"chat_template_sha": "d", "system_instruction_sha": "e"}, "Q", ["under a system instruction"]),
    ],
)
def test_template_examples_and_instruction_are_said(tmp_path: Path, told: dict[str, Any], prompt: str, said: list[str]) -> None:
    assert only(lm_eval(tmp_path, prompt, told)).ways == said


def test_a_likelihood_has_no_room_to_speak_of(tmp_path: Path) -> None:
    row = {"doc_id": 0, "arguments": {"gen_args_0": {"arg_0": "Q", "arg_1": " blue"}}, "metrics": ["acc"], "acc": 1.0, "resps": [["a"]]}
    assert only(write_lines(tmp_path / f"samples_t_{STAMP}.jsonl", [row])).ways == []


def test_what_one_side_alone_did_is_said_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = [lm_eval(tmp_path / name, log=log) for name, log in (("a", ""), ("b", "Left-truncation applied"))]
    assert "as lm-eval ran it: the log tells of prompts that were cut to fit (here alone);" in judged(capsys, *sides)[0]["reason"]


OLD = {"lm_eval_version": "0.4.9.2", "model_source": "vllm", "config": {"model_args": "pretrained=m,add_bos_token=True"}}


@pytest.mark.parametrize(
    ("prompt", "told", "bos"),
    [
        ("<bos><bos>Q", {}, "twice"),
        ("<odd><odd>Q", {"tokenizer_bos_token": ["<odd>", "1"]}, "twice"),
        ([2, 2, 105], {}, "twice"),
        ([2, 105, 2], {}, None),
        ("<bos>Q", OLD, "twice"),
        ("<bos>Q", {**OLD, "lm_eval_version": "0.4.10"}, None),
        ("<bos>Q", {**OLD, "config": {"model_args": {"add_bos_token": False}}}, None),
        ("Q", OLD, None),
        ("<bos>Q", {**OLD, "model_source": "openai-completions"}, None),
        ("<s>Q", {"model_source": "local-completions", "config": {"model_args": "model=m,tokenized_requests=False"}}, "in the text"),
        ("<s>Q", {"model_source": "local-completions", "config": {"model_args": "model=m"}}, None),
        ("<s>Q", {"model_source": "local-completions", "config": {"model_args": {"add_bos_token": True}}}, "twice"),
    ],
)
def test_a_double_bos_is_said_and_a_condition(tmp_path: Path, prompt: Any, told: dict[str, Any], bos: str | None) -> None:
    run = only(lm_eval(tmp_path, prompt, told))
    assert run.setup.get("bos") == bos
    assert any("BOS" in one for one in run.ways) == (bos is not None)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("WARNING t: No `until` specified in `generation_kwargs`! Defaulting", "the log says that no until was asked for"),
        ("WARNING t: No `generation_kwargs` specified in task config, defaulting to {}", "the task names no settings, and got lm-eval's"),
        ("WARNING u: No `generation_kwargs` specified in task config, defaulting to {}\nLeft-truncation applied", "were cut to fit"),
        ("Model appears to be an instruct variant but chat template is not applied.", "an instruct model got no chat template"),
        ("llama: Added a BOS token, the prompt now starts with 2 BOS tokens", "the log tells of a double BOS"),
        ("WARNING Left-truncation applied. Original sequence", "the log tells of prompts that were cut to fit"),
    ],
)
def test_a_log_beside_the_samples_is_read(tmp_path: Path, log: str, said: str) -> None:
    run = only(lm_eval(tmp_path, log=log))
    assert [said in one for one in run.ways] == [True]
    assert ("bos" in run.setup) == ("BOS" in log)


def test_what_both_sides_did_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {"chat_template_sha": None}
    sides = [lm_eval(tmp_path / name, results=told, until=["\n\n"]) for name in ("bf16", "fp8")]
    (found,) = judged(capsys, *sides)
    assert (
        'as lm-eval ran it: answers end at their first blank line (until "\\n\\n", which lm-eval sets where a task names none), '
        "no chat template was applied;" in found["reason"]
    )


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        (
            {},
            {"until": ["Q:", "\n\n"]},
            """the sampling's until changed from '["Q:"]' to '["Q:", "\\\\n\\\\n"]': measure both alike again""",
        ),
        ({}, {"max_gen_toks": 256}, "the sampling's max_gen_toks changed from 64 to 256: measure both alike again"),
        ({"prompt": "<bos>Q"}, {"prompt": "<bos><bos>Q"}, "the sampling's bos changed from None to 'twice': measure both alike again"),
        (
            {"results": {"chat_template_sha": "d0"}},
            {"results": {"chat_template_sha": None}},
            "the chat template fingerprint changed from 'd0' to 'none': measure both alike again",
        ),
        (
            {"results": {"config": {"model_args": "pretrained=a,max_length=4096"}}},
            {"results": {"config": {"model_args": {"pretrained": "b", "max_length": 2048}}}},
            "the sampling's model's max_length changed from 4096 to 2048: measure both alike again",
        ),
        (
            {"results": {"max_length": 2047}},
            {"results": {"max_length": 4096}},
            "the sampling's max_length changed from 2047 to 4096: measure both alike again",
        ),
        (
            {"results": {"fewshot_as_multiturn": False}},
            {"results": {"fewshot_as_multiturn": True}},
            "the sampling's fewshot_as_multiturn changed from False to True: measure both alike again",
        ),
    ],
)
def test_sides_that_differ_in_it_are_refused(
    tmp_path: Path, before: dict[str, Any], now: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"config": {"limit": 40}, "n-shot": {"t": 0}}
    sides = [lm_eval(tmp_path / name, **{"results": told, **options}) for name, options in (("a", before), ("b", now))]
    (found,) = judged(capsys, *sides)
    assert (found["verdict"], found["reason"]) == ("error", reason)


def test_arguments_as_text_and_as_a_dict_are_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, as_dict = "model=a,add_bos_token=True,max_length=4096", {"model": "b", "add_bos_token": True, "max_length": 4096}
    sides = [
        lm_eval(tmp_path / name, results={"config": {"model_args": told}, "n-shot": {"t": 0}})
        for name, told in (("a", text), ("b", as_dict))
    ]
    (found,) = judged(capsys, *sides)
    assert (found["verdict"], found["checkpoint"], found["n"]) == ("inconclusive", "b", 40)


def inspect_log(path: Path, eval_: dict[str, Any], plan: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("header.json", json.dumps({"eval": {"task": "t", "model": "m", **eval_}, "plan": plan}))
        for number in range(1, 41):
            scores = {"match": {"value": "C" if number % 4 else "I"}}
            sample = {"id": number, "epoch": 1, "input": f"{number}?", "target": "1", "scores": scores, "output": {"choices": []}}
            packed.writestr(f"samples/{number}_epoch_1.json", json.dumps(sample))
    return path


def test_inspect_s_settings_are_conditions_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    eval_ = {"config": {"token_limit": 500, "epochs": 1}, "task_args": {"shots": 2}, "model_args": {"base_url": "x"}, "task_version": 3}
    plan = {"config": {"stop_seqs": ["\n\n"], "max_connections": 4}, "steps": [{"solver": "system_message", "params": {"template": "Be."}}]}
    path = inspect_log(tmp_path / "a.eval", eval_, plan)
    run = only(path)
    assert run.sent == {"stop_seqs": '["\\n\\n"]'}
    solvers = '[["system_message", {"template": "Be."}]]'
    assert run.setup == {"task's shots": 2, "task_version": 3, "token_limit": 500, "solvers": solvers}
    assert run.ways == [
        "no max_tokens was sent: the server's own limit",
        "no temperature was sent: the server's own",
        "answers end at their first blank line (stop_seqs)",
        "under a system message",
        "samples end at token_limit 500",
    ]
    other = inspect_log(tmp_path / "b.eval", {**eval_, "task_args": {"shots": 3}}, plan)
    (found,) = judged(capsys, path, other)
    assert found["reason"] == "the sampling's task's shots changed from 2 to 3: measure both alike again"


def test_a_log_that_does_not_tell_its_settings_is_not_said_to_have_none(tmp_path: Path) -> None:
    assert only(inspect_log(tmp_path / "a.eval", {}, {})).ways == []


def test_livebench_s_own_settings_are_conditions_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"question_id": f"q{n}", "task": "t", "model": side, "score": float(n % 4 > 0), "category": "c", "answer_id": "a"}
        for side in "ab"
        for n in range(40)
    ]
    path = write_lines(tmp_path / "model_judgment" / "ground_truth_judgment.jsonl", rows)
    for side, kwargs in (("a", {"temperature": 0.7}), ("b", None)):
        answers = [
            {"question_id": f"q{n}", "model_id": side, "choices": [{"turns": ["4"]}], "api_info": {"api_kwargs": kwargs}} for n in range(40)
        ]
        write_lines(tmp_path / "model_answer" / f"{side}.jsonl", answers)
    run = only(path, model="a")
    assert (run.sent, run.ways) == (
        {"api_kwargs": '{"temperature": 0.7}'},
        ['api_kwargs from its own table of models ({"temperature": 0.7})'],
    )
    assert (only(path, model="b").sent, only(path, model="b").ways) == ({"api_kwargs": "{}"}, [])
    answers[3]["api_info"] = {"api_kwargs": {"top_p": 1}}
    assert only(write_lines(tmp_path / "model_answer" / "b.jsonl", answers).parents[1], model="b").ways == [
        "api_kwargs from its own table of models (1 of 40 have others than the first)"
    ]
    write_lines(tmp_path / "model_answer" / "b.jsonl", [{**one, "api_info": {}} for one in answers])
    (found,) = judged(capsys, path, path, "--model=a", "--model=b")
    assert found["reason"].startswith("""the sampling's api_kwargs changed from '{"temperature": 0.7}' to '{}'""")
