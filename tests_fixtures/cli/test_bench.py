"""`quantgate bench` from the outside: figures, failures, one JSON document, and a key that stands nowhere."""

import json
from pathlib import Path

import pytest

from quantgate import cli
from quantgate.measure.load import trust
from tests_fixtures.doubles.stub_server import Behaviour, Stub

REFERENCE = Path(__file__).parents[2] / "fixtures" / "reference" / "bf16"
KEY = "sk-very-secret"
SMALL = ["--concurrency", "4", "--requests", "8", "--max-tokens", "12", "--prompt-tokens", "6", "--rounds", "3"]


@pytest.fixture(autouse=True)
def _key(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 (what it does is wanted)
    """A key that stands nowhere, and a client that may be as busy as it is."""
    monkeypatch.setenv("QUANTGATE_API_KEY", KEY)


def bench(running: Stub, behaviour: Behaviour, *arguments: str) -> int:
    running.behave(behaviour)
    return cli.main(["bench", "--base-url", f"{running.url}/v1", "--model", "stub", *SMALL, *arguments])


def test_json_is_one_document_with_every_figure(running: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    code = bench(running, Behaviour(step_ms=2, api_key=KEY), "--json", "--tokenizer", str(REFERENCE), "--seed", "5")
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (code, err, found["error"], found["failures"]) == (0, "", None, [])
    summary = found["summary"]
    assert len(summary["rounds"]) == 3
    assert summary["decode_tps"] == sorted(one["decode_tps"] for one in summary["rounds"])[1]
    low, high = summary["decode_tps_interval"]
    assert low < sum(one["decode_tps"] for one in summary["rounds"]) / 3 < high
    for name in ("ttft_ms", "tpot_ms", "itl_ms", "latency_ms"):
        assert list(summary[name]) == ["mean", "p50", "p90", "p99"]
        # Chunks that come together have no gap between them.
        assert all(one[name]["p50"] >= 0 if name == "itl_ms" else one[name]["p50"] > 0 for one in summary["rounds"])
    # Four rounds with the warm-up, of eight requests with six tokens and three of the template.
    assert summary["counters"] == {
        "generation_tokens": 384,
        "server_generation_tokens": 384,
        "prompt_tokens": 288,
        "server_prompt_tokens": 288,
    }
    assert (summary["client"]["processes"], found["asked"]["prompt_unit"], found["asked"]["load"]["seed"]) == (1, "tokens", 5)
    assert summary["steady_decode_tps"] > 0
    assert KEY not in out


def test_the_table_has_every_figure_and_what_vouches_for_them(running: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(running, Behaviour(step_ms=2, metrics=False)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for line in (
        f"stub at {running.url}",
        "8 requests a round, 4 at once; 6 words in, 12 tokens out, streamed; seed 0, warm-up 1",
        "first token (TTFT)",
        "per further token (TPOT)",
        "between chunks (ITL)",
        "latency",
        "(95 %, Student's t over 3 rounds)",
        "client: 1 process, at most ",
        "server's own counters: not checked",
        "prompts: by words, because no tokenizer was given",
        "failed requests: none",
    ):
        assert line in out
    assert KEY not in out


def test_failures_are_shown_and_the_exit_code_says_so(running: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(running, Behaviour(fail_every=8, half_close_every=5)) == 2
    out, err = capsys.readouterr()
    assert err == (
        "quantgate bench: 2 of 8 requests failed: "
        '1\N{MULTIPLICATION SIGN} HTTP 500 {"error":{"message":"the engine is dead"}}, '
        "1\N{MULTIPLICATION SIGN} stream ended after 7 of 12 chunks\n"
    )
    assert "ended early" in out
    assert "HTTP 500" in out


@pytest.mark.parametrize(
    ("given", "said"),
    [("", "; it wants a key: put it into QUANTGATE_API_KEY\n"), ("sk-wrong", "; it refuses the key in QUANTGATE_API_KEY\n")],
)
def test_a_key_that_is_missing_or_wrong_is_asked_for_by_its_variable(
    given: str, said: str, running: Stub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTGATE_API_KEY", given)
    assert bench(running, Behaviour(api_key=KEY)) == 2
    err = capsys.readouterr().err
    assert "HTTP 401" in err
    assert err.endswith(said)
    assert "sk-wrong" not in err


def test_failures_in_json_are_one_document_too(running: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(running, Behaviour(fail_every=8), "--json") == 2
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["summary"] is None
    assert found["error"] in err
    assert [(one["kind"], one["count"]) for one in found["failures"]] == [("HTTP 500", 1)]


def test_not_streamed_and_at_a_rate_the_figures_that_there_are_come_out(running: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(running, Behaviour(), "--json", "--no-stream", "--request-rate", "500", "--warm-up", "0", "--image", "8x8") == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert (summary["ttft_ms"], summary["itl_ms"], summary["steady_decode_tps"]) == (None, None, None)
    assert summary["latency_ms"]["p50"] > 0


def test_two_client_processes_are_used_where_asked_for(running: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(running, Behaviour(), "--json", "--clients", "2") == 0
    assert json.loads(capsys.readouterr().out)["summary"]["client"]["processes"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--image", "big"], "--image=big: give width and height in pixels, as in 512x512"),
        (["--rounds", "0"], "--rounds 0 --warm-up 1: it takes 1 round that counts"),
        (["--concurrency", "0"], "concurrency is 0; it must be at least 1"),
        (["--tokenizer", "nowhere"], "nowhere holds no tokenizer.json"),
        (["--base-url", "localhost"], "'localhost' is no base URL of a server"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence_and_exit_2(
    running: Stub, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert bench(running, Behaviour(), *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"quantgate bench: {said}")
    assert err.count("\n") == 1


def test_a_saturated_client_is_said_and_exits_2(running: Stub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(trust, "CPU_SHARE_LIMIT", 0.0)
    assert bench(running, Behaviour(), "--clients", "1") == 2
    assert "the client was the bottleneck" in capsys.readouterr().err
