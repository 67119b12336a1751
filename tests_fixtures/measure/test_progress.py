"""What is told of a long round of requests: how far, how fast, how long still."""

import pytest

from quantgate.measure.progress import Progress, in_words


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_done_in_ten_seconds_is_not_told_of() -> None:
    clock, said = Clock(), list[str]()
    progress = Progress("small/fp8 gsm8k", said.append, 40, 0, clock)
    clock.now += 9.9
    progress.came(5)
    progress.look()
    progress.end()
    assert said == []


def test_rate_and_rest_are_of_this_sitting_alone() -> None:
    clock, said = Clock(), list[str]()
    progress = Progress("small/fp8 gsm8k", said.append, 1319, 1000, clock)
    clock.now += 20
    progress.look()
    for _ in range(40):
        progress.came(100)
    progress.look()
    progress.end()
    assert said == [
        "small/fp8 gsm8k, 1,000 of 1,319, none yet in 20 s",
        "small/fp8 gsm8k, 1,040 of 1,319, 2 a second, 200 tokens/s, 2 min 20 s left",
        "",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (245, "4 min 5 s"), (7799, "2 h 9 min"), (90000, "25 h 0 min")]
)
def test_a_time_in_words(seconds: float, said: str) -> None:
    assert in_words(seconds) == said
