"""A server that somebody else runs: found by any of its checkpoint's names, refused with a sentence, its key never shown."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from fixtures import placement
from quantgate.errors import ConfigurationError, ServerError
from quantgate.registry import Checkpoint, Serve
from quantgate.server import endpoint
from quantgate.server.endpoint import Endpoint
from tests_fixtures.doubles import little_vllm
from tests_fixtures.doubles.little_vllm import LittleVllm

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
KEY = "sk-5ecret-0f-the-user"
CHECKPOINT = Checkpoint(name="nvfp4", precision="nvfp4", path="org/small-NVFP4", revision="abc", family="small")
FOLDER = Path("/cache/snapshots/abc")


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> Iterator[LittleVllm]:
    monkeypatch.delenv("QUANTGATE_API_KEY", raising=False)
    with little_vllm.running() as little:
        yield little


def attach(little: LittleVllm) -> Endpoint:
    return Endpoint(little.url, CHECKPOINT, FOLDER)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://gpu7:8000", "http://gpu7:8000"),
        ("http://gpu7:8000/", "http://gpu7:8000"),
        ("https://gpu7/v1", "https://gpu7"),
        ("https://gpu7/team/a/v1/", "https://gpu7/team/a"),
        ("http://[::1]:8000/v1", "http://[::1]:8000"),
    ],
)
def test_an_address_is_taken_as_people_write_it(url: str, base: str) -> None:
    assert endpoint.parse_endpoint(url) == base


@pytest.mark.parametrize("url", ["gpu7:8000", "", "ftp://gpu7", "http://", "http://gpu7?key=1", "http://gpu7#x", "/v1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        endpoint.parse_endpoint(url)
    assert str(error.value) == f"--endpoint={url} is no address of a server; give http://HOST:PORT"


@pytest.mark.parametrize(
    "url", ["http://ada:5ecret@gpu7", "http://5ecret@gpu7:1", "http://:5ecret@gpu7", "ftp://5ecret@gpu7", "http://5ecret@"]
)
def test_a_password_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"put the key into QUANTGATE_API_KEY$") as error:
        endpoint.parse_endpoint(url)
    assert "5ecret" not in str(error.value)


def test_the_device_class_of_an_endpoint_is_its_own_address() -> None:
    slot = endpoint.endpoint_slot("http://gpu7:8000")
    assert (slot.device_class, slot.is_cpu) == ("endpoint gpu7-8000", False)


@pytest.mark.parametrize(
    ("name", "root"),
    [
        ("small/nvfp4", "?"),
        ("nvfp4", "?"),
        ("org/small-NVFP4", "?"),
        ("small-NVFP4", "?"),
        (str(FOLDER), "?"),
        ("whatever", "org/small-NVFP4"),
        ("whatever", "/mnt/models/small-NVFP4"),
    ],
)
def test_a_checkpoint_goes_by_any_of_its_names(name: str, root: str, little: LittleVllm) -> None:
    little.models = [("other/bf16", "/models/other"), (name, root)]
    assert attach(little).model == name


def test_an_endpoint_is_asked_for_its_version_and_has_no_kernels_to_tell(little: LittleVllm) -> None:
    found = attach(little)
    assert found.versions() == {"vllm": "vllm 0.32.0", "torch": "unknown", "transformers": "unknown"}
    assert found.kernels() == []
    little.answers = {"/version": (404, "Not Found")}
    assert found.versions()["vllm"] == "unknown"


def test_another_model_is_refused_with_what_is_served(little: LittleVllm) -> None:
    little.models = [("small/bf16", "/models/bf16"), ("other", "/models/other")]
    with pytest.raises(ServerError) as error:
        attach(little)
    assert str(error.value) == (
        f"--endpoint={little.url} serves small/bf16, other, and small/nvfp4 was selected (org/small-NVFP4); "
        "select the checkpoint that it serves, or serve it with --served-model-name small/nvfp4"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [("", "wants a key, and QUANTGATE_API_KEY is not set (HTTP 401)"), ("sk-wrong", "refuses the key in QUANTGATE_API_KEY (HTTP 401)")],
)
def test_a_key_that_is_missing_or_wrong_is_asked_for_by_its_variable(
    given: str, said: str, little: LittleVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    little.key = KEY
    monkeypatch.setenv("QUANTGATE_API_KEY", given)
    with pytest.raises(ServerError) as error:
        attach(little)
    assert str(error.value) == f"--endpoint={little.url} {said}; put the right one into it"


def test_the_right_key_opens_and_is_not_shown(little: LittleVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    little.key = KEY
    monkeypatch.setenv("QUANTGATE_API_KEY", KEY)
    found = attach(little)
    assert KEY not in f"{vars(found)} {found.headers} {found.client().headers}"


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, "<html>It works!</html>"), (404, "Not Found"), (200, "[]"), (200, '{"data": [{"name": "x"}]}'), (200, '{"data": null}')],
)
def test_what_is_no_vllm_is_said_to_be_none(status: int, body: str, little: LittleVllm) -> None:
    little.answers = {"/v1/models": (status, body)}
    with pytest.raises(ServerError) as error:
        attach(little)
    assert str(error.value) == f"--endpoint={little.url} is no OpenAI-compatible server: /v1/models answers {status} {body!r}"


def test_an_address_where_nobody_answers_is_one_sentence() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{one.getsockname()[1]}"
        with pytest.raises(ServerError, match=rf"^--endpoint={url} does not answer: .*refused; is the server up, and the address right\?$"):
            Endpoint(url, CHECKPOINT, FOLDER)


def test_a_checkpoint_full_of_nan_is_refused_at_once(little: LittleVllm) -> None:
    little.answers = {"/v1/completions": (500, "Out of range float values are not JSON compliant: nan")}
    with pytest.raises(ServerError, match=r"its logprobs are not finite; check the checkpoint's scales for NaN and Inf$"):
        attach(little)
    little.answers, little.logprobs = {}, [None, {"5": {"logprob": float("-inf")}}]
    with pytest.raises(ServerError, match=r"^small/nvfp4 gives no finite prompt_logprobs; "):
        attach(little)
    little.logprobs = [None]
    with pytest.raises(ServerError, match=r"^small/nvfp4 gives no finite prompt_logprobs; "):
        attach(little)


def test_the_first_request_has_ids_and_no_words_so_that_no_tokenizer_can_make_nothing_of_them(little: LittleVllm) -> None:
    attach(little)
    asked = json.loads(little.asked["/v1/completions"])
    assert asked == {"model": "small/nvfp4", "prompt": [1, 2, 3, 4], "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}


def test_of_dummy_weights_no_finite_logprobs_are_asked(little: LittleVllm) -> None:
    dummy = msgspec.structs.replace(CHECKPOINT, serve=Serve(load_format="dummy"))
    little.logprobs = [None, {"5": {"logprob": float("nan")}}]
    Endpoint(little.url, dummy, FOLDER)
    little.answers = {"/v1/completions": (500, "the engine is gone")}
    with pytest.raises(ServerError, match=r"^small/nvfp4 answers 500 to a request for one token: the engine is gone$"):
        Endpoint(little.url, dummy, FOLDER)


def test_a_failed_request_tells_a_dead_server_from_a_living_one(little: LittleVllm) -> None:
    found = attach(little)
    found.confirm_alive()
    little.health = 503
    with pytest.raises(ServerError, match=rf"^small/nvfp4 at {little.url} died; its log is where it runs$") as error:
        found.confirm_alive()
    with pytest.raises(ServerError) as again:
        found.raise_if_dead()
    assert again.value is error.value


INNER = """
import httpx

def test_gate(server):
    assert server.client().get("/health").status_code == 200
    server.client().get("/hangs-up")

def test_loud(server, monkeypatch):
    headers, key, client = server.headers, server.api_key, server.client()
    monkeypatch.setenv("OTHER", "1")
    assert headers == key
"""


@pytest.fixture
def project(pytester: pytest.Pytester, no_worker: None, little: LittleVllm, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:  # noqa: ARG001
    """Two checkpoints of a family, and tests that fail."""
    monkeypatch.setenv("QUANTGATE_API_KEY", KEY)
    little.key, little.models, little.answers = KEY, [("reference/fp8", "?")], {"/hangs-up": (0, "")}
    made = ", ".join(f'{{ name = "{one}", precision = "{one}", path = "{ROOT}/fixtures/reference/{one}" }}' for one in ("bf16", "fp8"))
    (pytester.path / "models.toml").write_text(f'[[family]]\nname = "reference"\nsuites = ["reference-text"]\ncheckpoint = [{made}]\n')
    pytester.makepyprojecttoml(f'[tool.pytest.ini_options]\npythonpath = ["{ROOT}"]\n')
    pytester.makeconftest('pytest_plugins = ["fixtures.plugin"]')
    pytester.makepyfile(INNER.replace("(server", "(text_suite, server"))
    return pytester


def test_a_run_says_where_it_is_attached_and_never_the_key(project: pytest.Pytester, little: LittleVllm) -> None:
    ran = project.runpytest_subprocess("-m", "fp8", f"--endpoint={little.url}/v1/", "--showlocals", "-vv", "-rA", "--full-trace")
    ran.assert_outcomes(failed=2)
    said = ran.stdout.str() + ran.stderr.str()
    assert f"reference/fp8: attached to {little.url}, which serves it as reference/fp8" in said
    assert "(secret)" in said
    assert KEY not in said
    assert not any(KEY in file.read_text(errors="replace") for file in project.path.rglob("*") if file.is_file())


def test_two_checkpoints_on_one_endpoint_are_a_mistake_of_one_line(project: pytest.Pytester, little: LittleVllm) -> None:
    ran = project.runpytest_subprocess(f"--endpoint={little.url}")
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    selected = "reference/bf16, reference/fp8 are selected"
    assert f"ERROR: --endpoint is one server with one checkpoint, and {selected}; choose with -m and --family" in ran.stderr.str()
    assert little.seen == {}


@pytest.mark.parametrize(("gpu", "tensor_parallel"), [("cpu", None), ("0", None), ("auto", 2)])
def test_an_endpoint_takes_no_device(gpu: str, tensor_parallel: int | None) -> None:
    config: Any = SimpleNamespace(option=SimpleNamespace(gpu=gpu, tp=tensor_parallel, endpoint="http://gpu7"))
    with pytest.raises(ConfigurationError, match=r"^--endpoint names a server that runs where it runs; leave --gpu and --tp out$"):
        placement.place(config, [])


def test_an_endpoint_locks_nothing_and_is_the_only_slot() -> None:
    config: Any = SimpleNamespace(option=SimpleNamespace(gpu="auto", tp=None, endpoint="http://gpu7/v1"))
    place = placement.place(config, [])
    assert (place.endpoint, place.keep_open, place.slots) == ("http://gpu7", (), [place.slot])
