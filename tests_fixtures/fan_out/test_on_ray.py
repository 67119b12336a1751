"""Ray as an engine: what an attempt makes of Ray's answers; and one unit on a real Ray, where it is installed."""

import importlib.util
import io
import shutil
import sys
from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.fan_out import Asked, Lost, RayEngine, fan_out
from quantgate.fan_out.on_ray import RayAttempt
from quantgate.fan_out.wire import LENGTH, Job, News, pack
from tests_fixtures.doubles import little_ray
from tests_fixtures.doubles.little_ray import LittleRay
from tests_fixtures.doubles.scripted_project import ScriptedProject

JOB = Job(commands=[["true"]], project="/p")


def content(news: News) -> bytes:
    return pack(news)[LENGTH.size :]


def attempt_of(ray: LittleRay) -> RayAttempt:
    return RayAttempt(ray, ray.actor(), JOB)


def test_what_was_said_is_asked_for_by_number_and_told_with_its_node() -> None:
    ray = LittleRay("abcdef123", (0, [content(News(kind="begun", host="vm")), content(News(host="vm"))], False))
    attempt = attempt_of(ray)
    assert list(attempt.news()) == []
    assert [(one.kind, one.host) for one in attempt.news()] == [("begun", "vm abcdef"), ("news", "vm abcdef")]
    assert [asked[:2] for asked in ray.asked] == [("begin", pack(JOB)), ("news", 0), ("news", 2)]
    assert list(attempt.news()) == []


def test_what_could_not_be_heard_is_asked_for_again() -> None:
    ray = LittleRay("n", little_ray.ActorUnavailableError(), (0, [content(News(kind="ended", codes=[0]))], True))
    attempt = attempt_of(ray)
    assert list(attempt.news()) == list(attempt.news()) == []
    assert [one.codes for one in attempt.news()] == [[0]]
    assert [asked[1] for asked in ray.asked[1:]] == [0, 0]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([little_ray.ActorDiedError("The actor died unexpectedly")], "its node, or Ray on it, has died"),
        (["n", little_ray.ActorDiedError("node failure")], "its node, or Ray on it, has died"),
        (["n", (0, [], True)], "what ran the tests on its node was killed"),
    ],
)
def test_an_attempt_is_lost(answers: list[object], why: str) -> None:
    attempt = attempt_of(LittleRay(*answers))
    for _ in answers[1:]:
        assert list(attempt.news()) == []
    with pytest.raises(Lost, match=why):
        attempt.news()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (little_ray.RuntimeEnvSetupError("x\nno podman\n"), "could not make its environment: no podman"),
        (little_ray.RayTaskError("ModuleNotFoundError: No module named 'quantgate'"), "cannot import quantgate: lay the project"),
    ],
)
def test_what_no_other_node_would_do_better_ends_it_all(error: Exception, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        attempt_of(LittleRay(error)).news()


def test_its_place_is_given_back_once() -> None:
    ray = LittleRay(None)
    attempt = attempt_of(ray)
    attempt.close()
    attempt.close()
    assert ray.killed == 1


def test_without_ray_one_sentence_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigurationError, match=r"needs Ray: install it with `uv pip install 'quantgate\[ray\]'`"):
        RayEngine("auto")


needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: uv pip install 'quantgate[ray]'")


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "ray://no.such.host.invalid:10001"])
def test_where_no_cluster_runs_one_sentence_says_so(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no Ray cluster answers there \(.+\); start one with `ray start --head`"):
        RayEngine(address)


@needs_ray
@pytest.mark.parametrize("address", ["head", "head:port", "ray://", ":10001", "head:70000"])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--on={address}: give auto, HOST:PORT"):
        RayEngine(address)


@needs_ray
@pytest.mark.thorough
@pytest.mark.usefixtures("no_worker")
@pytest.mark.parametrize("is_client", [False, True], ids=["on a node of it", "through a client"])
def test_units_on_a_real_ray(is_client: bool, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.ray_cluster import cluster

    folder = Path("/tmp") / f"qg-{tmp_path_factory.mktemp('ray').name}"  # noqa: S108 (a socket's path is short)
    monkeypatch.setenv("QUANTGATE_SECRET_OF_THE_DRIVER", "hf_abcdefghijklmnopqrstuvwxyz")
    nodes = cluster(folder, ["head"])
    try:
        project = ScriptedProject(tmp_path_factory.mktemp("p") / "project")
        asked = Asked(
            project=project.folder,
            models=project.models,
            baselines=str(project.baselines),
            into=project.folder / "out",
            families="ada",
            gpu="cpu",
            resources={"slot": 1.0},
        )
        fanned = fan_out(asked, lambda: RayEngine(nodes[0].client if is_client else nodes[0].address), io.StringIO())
        assert fanned.exit_code == 0
        assert sorted(project.log("measured")) == [key for key in project.keys if key.startswith("ada/")]
        assert nodes[0].tests() == {}
    finally:
        nodes[0].kill()
        shutil.rmtree(folder, ignore_errors=True)
