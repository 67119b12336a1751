"""The driver on a made-up cluster: order, what waits for what, nodes that die, what is run again and what is not, interruptions."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from quantgate.fan_out.driving import MOST_ATTEMPTS, STOP_SECONDS, Driver
from quantgate.fan_out.engine import Need, Place
from quantgate.fan_out.work import Course, Work, in_order
from tests_fixtures.doubles.fake_cluster import FakeCluster, job_of, states, work


def driver_of(cluster: FakeCluster, works: Sequence[Work], **changes: Any) -> Driver:
    given: dict[str, Any] = {"clock": lambda: cluster.clock, **changes}
    return Driver(cluster, works, job_of, lambda *_: None, **given)


def names_begun(cluster: FakeCluster) -> list[str]:
    return [name for _, name, _ in cluster.begun]


def test_the_longest_is_first_and_ties_go_by_name() -> None:
    cluster = FakeCluster({"one": 1})
    driver_of(cluster, [work("b/x", 5), work("a/short", 1), work("a/x", 5), work("c/long", 9)]).run()
    assert names_begun(cluster) == ["c/long", "a/x", "b/x", "a/short"]


def test_what_others_wait_for_is_before_what_is_longer_alone() -> None:
    works = [work("a/alone", 50), work("b/bf16", 5), work("b/fp8", 60, after="b/bf16"), work("c/bf16", 9), work("c/fp8", 1, after="c/bf16")]
    assert [one.name for one in in_order(works)] == ["b/bf16", "c/bf16", "b/fp8", "a/alone", "c/fp8"]


def test_candidates_wait_until_their_baseline_is_there_and_others_do_not() -> None:
    cluster = FakeCluster({"one": 1, "two": 1, "three": 1}, {"a/bf16": 4, "b/fp8": 1})
    driver_of(cluster, [work("a/bf16"), work("a/fp8", 9, after="a/bf16"), work("b/fp8")]).run()
    when = {name: tick for tick, name, _ in cluster.begun}
    assert when["b/fp8"] == when["a/bf16"] == 1
    assert when["a/fp8"] > when["a/bf16"] + 4


def test_candidates_are_not_run_where_their_baseline_did_not_come() -> None:
    cluster = FakeCluster({"one": 1})
    cluster.codes["a/bf16"] = [[1]]
    courses = driver_of(cluster, [work("a/bf16"), work("a/fp8", after="a/bf16")], ready=lambda _: "a/bf16 gave no baseline").run()
    assert states(courses) == {"a/bf16": "ended", "a/fp8": "left"}
    assert courses["a/fp8"].why == "a/bf16 gave no baseline"


def test_the_cluster_is_asked_for_as_much_as_it_has_room_for_and_no_more() -> None:
    cluster = FakeCluster({"one": 1, "two": 1}, {f"a/{number}": 3 for number in range(6)})
    most = 0

    def look(_: Course) -> None:
        nonlocal most
        most = max(most, sum(course.state in ("asked", "runs") for course in driver.courses.values()))

    driver = driver_of(cluster, [work(f"a/{number}", 10 - number) for number in range(6)], show=look)
    driver.run()
    assert most == 3  # two run, and one waits
    assert names_begun(cluster) == [f"a/{number}" for number in range(6)]


def test_units_of_a_dead_node_are_run_again_elsewhere_and_the_rest_once() -> None:
    cluster = FakeCluster({"one": 1, "two": 1, "three": 1}, {f"a/{number}": 5 for number in range(6)})
    cluster.dies[3] = "two"
    courses = driver_of(cluster, [work(f"a/{number}") for number in range(6)]).run()
    assert set(states(courses).values()) == {"ended"}
    lost = [name for _, name, node in cluster.begun if node == "two"]
    assert len(lost) == 1
    assert sorted(names_begun(cluster)) == sorted([*(f"a/{number}" for number in range(6)), *lost])
    assert courses[lost[0]].host != "two"
    assert all(attempt.is_closed for attempt in cluster.started)


def test_a_unit_under_which_every_node_dies_is_given_up() -> None:
    cluster = FakeCluster({f"n{number}": 1 for number in range(9)}, {"a/bad": 100})
    cluster.dies = {3: "n0", 6: "n1", 9: "n2"}
    courses = driver_of(cluster, [work("a/bad")]).run()
    assert (courses["a/bad"].state, courses["a/bad"].attempts) == ("lost", MOST_ATTEMPTS)
    assert courses["a/bad"].why == "its node has died under 3 attempts: not tried again"


def test_a_red_unit_is_not_run_again_and_one_that_was_killed_is_once() -> None:
    cluster = FakeCluster({"one": 1})
    cluster.codes = {"a/red": [[1]], "a/big": [[-9], [0]], "a/bigger": [[-9], [-9], [0]]}
    courses = driver_of(cluster, [work("a/red"), work("a/big"), work("a/bigger")]).run()
    assert [(name, courses[name].attempts, courses[name].codes) for name in ("a/red", "a/big", "a/bigger")] == [
        ("a/red", 1, [1]),
        ("a/big", 2, [0]),
        ("a/bigger", 2, [-9]),
    ]
    assert "killed twice" in courses["a/bigger"].why


def test_an_interruption_stops_what_runs_and_waits_for_it() -> None:
    cluster = FakeCluster({"one": 1, "two": 1}, {"a/1": 50, "a/2": 50})
    cluster.interrupts = {3}
    driver = driver_of(cluster, [work("a/1"), work("a/2"), work("a/3")])
    with pytest.raises(KeyboardInterrupt):
        driver.run()
    assert states(driver.courses) == {"a/1": "stopped", "a/2": "stopped", "a/3": "left"}
    assert all(attempt.is_stopping and attempt.is_closed for attempt in cluster.started if attempt.node)
    assert "its node has stopped" in driver.courses["a/1"].why


def test_a_node_that_does_not_stop_is_named_and_waited_for_no_longer_than_said() -> None:
    cluster = FakeCluster({"one": 1, "two": 1}, {"a/1": 400, "a/2": 400})
    cluster.interrupts, cluster.deaf = {3}, {"a/2"}
    driver = driver_of(cluster, [work("a/1"), work("a/2")])
    with pytest.raises(KeyboardInterrupt):
        driver.run()
    assert STOP_SECONDS <= cluster.now <= STOP_SECONDS + 5
    assert "two has not said that it stopped" in driver.courses["a/2"].why
    assert all(attempt.is_closed for attempt in cluster.started)


def test_at_the_deadline_what_runs_is_stopped_and_nothing_begins() -> None:
    cluster = FakeCluster({"one": 1}, {"a/1": 50, "a/2": 5})
    courses = driver_of(cluster, [work("a/1", 9), work("a/2", 1), work("a/3", 1, after="a/1")], seconds=3).run()
    assert states(courses) == {"a/1": "stopped", "a/2": "left", "a/3": "left"}
    assert courses["a/1"].why == "stopped, at the deadline"
    assert names_begun(cluster) == ["a/1"]


@pytest.mark.parametrize(
    ("need", "count"),
    [
        (Need(gpus=2), 4),
        (Need(gpus=8), 1),
        (Need(gpus=9), 0),
        (Need(gpus=1, resources=(("H100", 1.0),)), 2),
        (Need(cpus=16), 4),
        (Need(resources=(("tpu", 1.0),)), 0),
        (Need(), 1),
    ],
)
def test_a_place_has_room_for_so_many(need: Need, count: int) -> None:
    assert Place("node", {"GPU": 8.0, "CPU": 64.0, "H100": 2.0}).fits(need) == count


def test_no_node_at_all_is_waited_for() -> None:
    cluster = FakeCluster({"one": 1, "two": 1}, {"a/1": 4})
    cluster.dies = {2: "one"}
    courses = driver_of(cluster, [work("a/1")]).run()
    assert courses["a/1"].state == "ended"


def test_ctrl_c_while_a_unit_waits_for_a_node_lets_go_of_its_place() -> None:
    cluster = FakeCluster({"one": 1}, {"a/1": 50})
    cluster.interrupts = {2}
    driver = driver_of(cluster, [work("a/1", 9), work("a/2", 1)])
    driver.courses["a/2"].state = "queued"
    with pytest.raises(KeyboardInterrupt):
        driver.run()
    assert states(driver.courses) == {"a/1": "stopped", "a/2": "left"}


def test_two_thousand_units_on_sixty_four_nodes_are_no_work_for_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Counter[str]()
    fits = Place.fits

    def counted(place: Place, need: Need) -> int:
        looked["fits"] += 1
        return fits(place, need)

    monkeypatch.setattr(Place, "fits", counted)
    cluster = FakeCluster({f"n{number}": 1 for number in range(64)})
    courses = driver_of(cluster, [work(f"a/{number:04}", number % 7) for number in range(2000)]).run()
    assert set(states(courses).values()) == {"ended"}
    assert looked["fits"] <= 64 * (cluster.now + 1)
