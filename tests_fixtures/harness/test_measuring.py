"""A harness's task as a measurement: what is sent, what comes back, what is kept, and how it fails."""

import json
import os
import re
import signal
from pathlib import Path

import msgspec
import pytest

from quantgate.errors import ConfigurationError, GatedDataError, MeasurementError
from quantgate.harness import measure_harness
from quantgate.measure import Sitting
from quantgate.measure.adopt import Choice, adopt
from quantgate.records import Answers
from quantgate.server import Serving
from quantgate.suites import HarnessSuite
from tests_fixtures.doubles.fake_harnesses import LM_EVAL, Programs
from tests_fixtures.doubles.scripted import Scripted

SUMS = HarnessSuite(name="sums", harness="lm-eval", task="sums", max_tokens=24, temperature=0.5, thinking=False, fewshot=2)
ASKED = HarnessSuite(name="asked", harness="inspect", task="some/sums", max_tokens=24, seed=7)


def measured(server: Serving, suite: HarnessSuite, programs: Programs, folder: Path | None = None, again: int = 0) -> Answers:
    return measure_harness(server, suite, again, Sitting(folder), programs.python)


@pytest.mark.parametrize("suite", [SUMS, ASKED], ids=["lm-eval", "inspect"])
def test_each_item_is_what_the_server_said_and_the_harness_made_of_it(server: Serving, programs: Programs, suite: HarnessSuite) -> None:
    found = measured(server, suite, programs)
    assert [item.correct for item in found.items] == [True, False, True, False, True, False]
    assert found.accuracy == 0.5
    assert [item.completion_tokens for item in found.items] == [24] * 6
    assert [item.finish_reason in ("length", "max_tokens") for item in found.items] == [False, False, False, True, False, False]
    assert (found.suite, found.checkpoint, found.precision, found.failed) == (suite.name, "bf16", "bf16", {})
    assert found.provenance.sampling["max_tokens"] == 24


def test_lm_eval_is_told_what_was_declared(server: Serving, programs: Programs, scripted: Scripted, tmp_path: Path) -> None:
    found = measured(server, msgspec.structs.replace(SUMS, n=2), programs, tmp_path / "out")
    assert [body["messages"][0]["content"] for body in scripted.bodies] == ["right 0", "wrong 0"]
    sent = {key: value for key, value in scripted.bodies[0].items() if key not in ("messages", "model")}
    assert sent == {
        "temperature": 0.5,
        "max_tokens": 24,
        "top_p": 1.0,
        "top_k": -1,
        "min_p": 0.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "chat_template_kwargs": {"enable_thinking": False},
    }
    config = json.loads((tmp_path / "out" / "reference" / "bf16" / "sums.harness" / "first" / "config.json").read_text(encoding="utf-8"))
    assert (config["num_fewshot"], config["limit"], config["apply_chat_template"], config["tasks"]) == (2, 2, True, ["sums"])
    assert config["model_args"]["base_url"] == f"{scripted.url}/v1/chat/completions"
    assert found.provenance.sampling["harness"] == "lm-eval"
    assert found.provenance.sampling["figure"] == "filter strict-match, metric exact_match"


def test_a_prompt_without_a_template_goes_to_completions_with_the_checkpoint_s_tokenizer(server: Serving) -> None:
    from quantgate.harness.asked import Asked
    from quantgate.harness.lm_eval import config_of

    config = config_of(Asked(HarnessSuite(name="a", harness="lm-eval", task="a", chat_template=False), server, Path("x"), None))
    assert config["model"] == "quantgate-completions"
    assert config["model_args"]["base_url"] == f"{server.base_url}/v1/completions"
    assert config["model_args"]["tokenizer"] == str(server.folder)
    assert not config["apply_chat_template"]
    assert "limit" not in config
    assert "num_fewshot" not in config
    assert "max_gen_toks" not in config["gen_kwargs"]
    assert config["model_args"]["max_gen_toks"] == 2048


def test_inspect_is_told_what_was_declared(server: Serving, programs: Programs, scripted: Scripted) -> None:
    measured(server, ASKED, programs)
    assert {body["seed"] for body in scripted.bodies} == {7}
    assert {body["repetition_penalty"] for body in scripted.bodies} == {1.0}
    scripted.bodies.clear()
    measured(server, msgspec.structs.replace(ASKED, repeats=2), programs)
    assert not any("seed" in body for body in scripted.bodies)  # one seed for all epochs would make them one answer


def test_a_baseline_asks_the_first_items_again(server: Serving, programs: Programs, scripted: Scripted) -> None:
    found = measured(server, SUMS, programs, again=2)
    assert [item.id for item in found.again] == [item.id for item in found.items][:2]
    assert len(scripted.bodies) == 8


def test_what_a_killed_run_has_kept_is_not_asked_again(server: Serving, programs: Programs, scripted: Scripted, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    sitting = Sitting(tmp_path / "out", tell=lambda word, line: told.append((word, line)))
    programs.lm_eval(LM_EVAL, between="number == 2 and os.kill(os.getpid(), 9)")
    with pytest.raises(
        MeasurementError, match=r"lm-eval was killed \(SIGKILL\), most often by a system that is out of memory; its log is "
    ):
        measure_harness(server, SUMS, 0, sitting, programs.python)
    assert len(scripted.bodies) == 3
    programs.lm_eval(LM_EVAL)
    found = measure_harness(server, SUMS, 0, sitting, programs.python)
    assert len(found.items) == len(scripted.bodies) == 6
    assert any("goes on with what lm-eval kept" in line for _, line in told)
    assert not list((tmp_path / "out").rglob("cache*"))
    told.clear()
    measure_harness(server, SUMS, 0, sitting, programs.python)
    assert (len(scripted.bodies), told) == (12, [])  # a new measurement asks anew


def test_results_of_a_run_that_ended_behind_them_are_not_taken_for_a_second(server: Serving, programs: Programs, tmp_path: Path) -> None:
    programs.lm_eval(LM_EVAL.replace(".000001", ".000002") + "\nos.unlink(task['told']); sys.exit(3)")
    with pytest.raises(MeasurementError, match="ended with exit code 3"):
        measured(server, SUMS, programs, tmp_path / "out")
    programs.lm_eval(LM_EVAL)
    assert len(measured(server, SUMS, programs, tmp_path / "out").items) == 6


@pytest.mark.parametrize("suite", [SUMS, ASKED], ids=["lm-eval", "inspect"])
def test_no_hub_is_asked_where_data_come_from_files(
    server: Serving, programs: Programs, suite: HarnessSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    say = "print('offline', [os.environ.get(name) for name in ('HF_HUB_OFFLINE', 'HF_DATASETS_OFFLINE')], task.get('data'))\nsys.exit(3)"
    programs.lm_eval(say)
    programs.inspect(say)
    for data, said in ((None, "offline [None, None] None"), (tmp_path, f"offline ['1', '1'] {tmp_path}")):
        with pytest.raises(MeasurementError):
            measured(server, msgspec.structs.replace(suite, data=data), programs, tmp_path / "out")
        assert said in next((tmp_path / "out").rglob("harness.log")).read_text(encoding="utf-8")


def test_what_was_kept_under_other_conditions_is_of_no_use(server: Serving, programs: Programs, scripted: Scripted, tmp_path: Path) -> None:
    programs.lm_eval(LM_EVAL, between="number == 2 and os.kill(os.getpid(), 9)")
    with pytest.raises(MeasurementError):
        measured(server, SUMS, programs, tmp_path / "out")
    programs.lm_eval(LM_EVAL)
    measured(server, msgspec.structs.replace(SUMS, temperature=0.25), programs, tmp_path / "out")
    assert len(scripted.bodies) == 9


def test_what_lm_eval_did_without_being_told_is_told(server: Serving, programs: Programs, tmp_path: Path) -> None:
    line = "WARNING [models.huggingface:1] The task has a double BOS"
    programs.lm_eval(f"print({line!r}, flush=True)\n{LM_EVAL}")
    told: list[tuple[str, str]] = []
    sitting = Sitting(tmp_path / "out", tell=lambda word, line: told.append((word, line)))
    found = measure_harness(server, SUMS, 0, sitting, programs.python)
    assert ("warning", "reference/bf16 sums: lm-eval: the log tells of a double BOS") in told
    assert found.provenance.sampling["bos"] == "twice, by the log"


def test_the_key_is_in_no_file_and_no_command(server: Serving, programs: Programs, tmp_path: Path) -> None:
    see = "print('it is under', [name for name, value in os.environ.items() if value == 'a-secret-key'], sys.argv[1])\n"
    programs.lm_eval(f"{see}print('the key is', os.environ['OPENAI_API_KEY'])\nsys.exit('no: ' + os.environ['OPENAI_API_KEY'])")
    with pytest.raises(MeasurementError, match=r"ended with exit code 1 \(no: \*\*\*\)") as failed:
        measured(server, SUMS, programs, tmp_path / "out")
    assert "a-secret-key" not in str(failed.value)
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    log = next(file for file in files if file.name == "harness.log")
    assert "the key is ***" in log.read_text(encoding="utf-8")
    assert "it is under ['OPENAI_API_KEY']" in log.read_text(encoding="utf-8")
    assert not [file for file in files if "a-secret-key" in file.read_text(encoding="utf-8", errors="replace")]


def test_progress_is_passed_on_and_the_line_is_taken_away(server: Serving, programs: Programs, tmp_path: Path) -> None:
    said: list[str] = []
    measure_harness(server, SUMS, 0, Sitting(tmp_path / "out", say=said.append), programs.python)
    assert "reference/bf16 sums: lm-eval, requesting api 3 of 6" in said
    assert said[-1] == ""


def test_a_server_that_dies_ends_the_harness_with_the_reason(
    server: Serving, programs: Programs, scripted: Scripted, tmp_path: Path
) -> None:
    from quantgate.errors import ServerError

    programs.lm_eval("print('pid', os.getpid(), flush=True)\ntime.sleep(300)")
    scripted.little.health = 503
    with pytest.raises(ServerError, match="died"):
        measured(server, SUMS, programs, tmp_path / "out")
    log = next((tmp_path / "out").rglob("harness.log")).read_text(encoding="utf-8")
    found = re.search(r"pid (\d+)", log)
    assert found is not None
    with pytest.raises(ProcessLookupError):
        os.kill(int(found[1]), signal.SIG_DFL)


REFUSED: dict[str, tuple[dict[str, object], type[Exception], str]] = {
    "gated": (
        {"refused": "gated", "hub": "some/set"},
        GatedDataError,
        "some/set is gated: ask for access on https://hub/datasets/some/set, then log in (hf auth login, or HF_TOKEN)",
    ),
    "offline": (
        {"refused": "offline", "hub": "some/set"},
        ConfigurationError,
        "suite sums (lm-eval's sums): some/set is not in the cache ",
    ),
    "no data": ({"refused": "no data", "hub": "some/set"}, GatedDataError, "some/set is no data set of https://hub, or a private or gated"),
    "module": (
        {"refused": "module", "module": "lang_detect.sub"},
        ConfigurationError,
        'lacks: add packages = ["lang-detect"] to the suite, or the extra that brings it ("lm-eval[…]")',
    ),
    "unknown": (
        {"refused": "unknown", "near": ["sums_2"], "count": 12345},
        ConfigurationError,
        "suite sums: lm-eval has no task sums (did you mean sums_2?); it has 12,345",
    ),
    "lacking": (
        {"refused": "lacking", "hub": "some/set", "folder": "/data/set", "what": "it has no split train, only test"},
        ConfigurationError,
        "needs some/set in /data/set: it has no split train, only test; put it there in the hub's form, or write fewshot = 0 for a task",
    ),
    "failed": ({"refused": "failed", "said": "ValueError: odd"}, MeasurementError, "failed: ValueError: odd; its log is "),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_a_refusal_is_one_sentence(server: Serving, programs: Programs, refused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told, kind, said = REFUSED[refused]
    monkeypatch.setenv("HF_ENDPOINT", "https://hub/")
    programs.lm_eval(f"tell(**{told!r}); sys.exit(1)")
    with pytest.raises(kind) as raised:
        measured(server, SUMS, programs)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_the_server_refused_is_in_the_sentence(server: Serving, programs: Programs) -> None:
    line = "API request failed! Status code: 400, Response text: {'message': 'too long'}. Retrying..."
    programs.lm_eval(f"print({line!r}, flush=True); tell(refused='failed', said='ClientResponseError: 400'); sys.exit(1)")
    with pytest.raises(MeasurementError, match=r"failed: ClientResponseError: 400 \(the server: {'message': 'too long'}\); its log is "):
        measured(server, SUMS, programs)


def test_errors_of_the_harness_are_no_zeros_and_too_many_are_no_measurement(server: Serving, programs: Programs) -> None:
    samples = [{"id": "a", "error": {"message": "timed out"}}, {"id": "b", "scores": {"m": {"value": "C"}}}]
    log = {"eval": {"task": "sums", "model": "m"}, "plan": {}, "samples": samples}
    write = f"log = Path(task['logs']); log.mkdir()\n(log / 'a.json').write_text(json.dumps({log!r}))\n"
    programs.inspect(f"{write}tell(log=str(log / 'a.json'))")
    with pytest.raises(
        MeasurementError, match=r"1 of 2 items are errors of the harness, and 0\.5% may, so nothing was measured: a: timed out$"
    ):
        measured(server, ASKED, programs)


def test_the_fingerprint_is_of_what_was_declared_what_is_pinned_and_what_was_asked(server: Serving, programs: Programs) -> None:
    def printed(suite: HarnessSuite) -> str:
        return measured(server, suite, programs).provenance.suite_fingerprint

    first = printed(SUMS)
    assert printed(msgspec.structs.replace(SUMS, name="other")) == first
    assert printed(msgspec.structs.replace(SUMS, fewshot=3)) != first
    assert printed(msgspec.structs.replace(SUMS, packages=("langdetect",))) != first
    programs.questions[0] = "right 9"
    programs.lm_eval(LM_EVAL.replace('"d{number}"', '"e{number}"'))
    assert printed(SUMS) != first


def test_a_harness_s_own_files_stand_for_no_second_record_and_can_be_read_by_name(
    server: Serving, programs: Programs, tmp_path: Path
) -> None:
    measured(server, SUMS, programs, tmp_path / "out")
    with pytest.raises(MeasurementError, match="holds nothing that a reader knows"):
        adopt(tmp_path / "out", Choice())
    (run,) = adopt(tmp_path / "out" / "reference" / "bf16" / "sums.harness", Choice()).values()
    assert len(run.items) == 6
