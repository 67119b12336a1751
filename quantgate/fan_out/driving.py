"""The driver: works → attempts on a cluster, in order; what they send is written at once; what a dead node had is done elsewhere.

Which node runs what is the cluster's to say. It is given as much as it has room for when it is empty, longest first, and one more when one
has ended: everything at once would be run in the cluster's order, not in ours.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from quantgate.errors import QuantgateError
from quantgate.fan_out.engine import Attempt, Engine, Lost
from quantgate.fan_out.wire import Job, News
from quantgate.fan_out.work import Course, State, Work, in_order
from quantgate.nightly import GRACE_SECONDS

MOST_ATTEMPTS = 3
"""Of a unit whose nodes die: a third node that dies under it has it to thank for that."""
MOST_KILLED = 2
"""Of a unit whose pytest was killed, as the kernel does for memory: another node may have more of it."""
LOOK_SECONDS = 1.0
STOP_SECONDS = 2 * GRACE_SECONDS + 15.0
"""Until every node has to have stopped its servers: SIGINT, SIGKILL, and what lies between a node and here."""
KILLED = -9


class Driver:
    """`job_of` makes a work's job, with what it has measured before; `take` keeps news of a course; `ready` says why a work whose
    `after` has ended cannot be run all the same, None: it can; `show` is called with a course that has changed.
    """

    def __init__(
        self,
        engine: Engine,
        works: Sequence[Work],
        job_of: Callable[[Work, float | None], Job],
        take: Callable[[Course, News], None],
        *,
        ready: Callable[[Work], str | None] = lambda _: None,
        show: Callable[[Course], None] = lambda _: None,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._job_of, self._take, self._ready, self._show, self._clock = engine, job_of, take, ready, show, clock
        self._end_at = None if seconds is None else clock() + seconds
        self.courses = {work.name: Course(work=work, state="waits" if work.after else "queued") for work in in_order(list(works))}
        self._attempts: dict[str, Attempt] = {}
        self._killed: dict[str, int] = {}
        self._is_late = False

    def run(self) -> Mapping[str, Course]:
        """All of it. Raises KeyboardInterrupt when this process is interrupted, once every node has stopped, or `STOP_SECONDS` later."""
        try:
            for course in self.courses.values():
                self._show(course)
            while any(not course.is_over for course in self.courses.values()):
                self._start()
                self._engine.wait(LOOK_SECONDS)
                self._hear()
        except BaseException:
            self._stop()
            raise
        finally:
            for attempt in self._attempts.values():
                attempt.close()
        return self.courses

    def _start(self) -> None:
        self._let_go()
        if self._end_at is not None and self._clock() >= self._end_at:
            self._end()
            return
        waiting = [course for course in self.courses.values() if course.state == "queued"]
        if not waiting:
            return
        under_way = Counter((course.work.need, course.state) for course in self.courses.values() if course.state in ("asked", "runs"))
        places = self._engine.places()
        room = {need: sum(place.fits(need) for place in places) for need in {course.work.need for course in waiting}}
        for course in waiting:
            need = course.work.need
            if under_way[need, "asked"] < max(1, room[need] - under_way[need, "runs"]):
                course.attempts += 1
                left = None if self._end_at is None else self._end_at - self._clock()
                self._attempts[course.work.name] = self._engine.start(self._job_of(course.work, left), need)
                under_way[need, "asked"] += 1
                self._become(course, "asked")

    def _end(self) -> None:
        """At the deadline: what runs is stopped, what has not begun is let go of."""
        for name, attempt in list(self._attempts.items()):
            if self.courses[name].state == "asked":
                self._over(self.courses[name], attempt)
                self._become(self.courses[name], "queued")
            elif not self._is_late:
                attempt.stop()
        self._is_late = True
        for course in self.courses.values():
            if course.state in ("queued", "waits"):
                self._become(course, "left", why="its turn did not come before the deadline")

    def _let_go(self) -> None:
        """Those that wait for a work that is over."""
        for course in self.courses.values():
            if course.state == "waits" and (first := self.courses.get(course.work.after or "")) is not None and first.is_over:
                why = self._ready(course.work)
                self._become(course, "queued" if why is None else "left", why=why or "")

    def _hear(self) -> None:
        for name, attempt in list(self._attempts.items()):
            course = self.courses[name]
            try:
                for news in attempt.news():
                    self._heard(course, attempt, news)
            except Lost as lost:
                self._lost(course, attempt, str(lost))

    def _heard(self, course: Course, attempt: Attempt, news: News) -> None:
        if news.kind == "begun":
            course.host, course.began = news.host, self._clock()
            self._become(course, "runs")
        self._take(course, news)
        if news.kind != "ended":
            return
        course.codes = list(news.codes)
        self._over(course, attempt)
        killed = bool(news.codes) and news.codes[-1] == KILLED and not news.was_stopped
        self._killed[course.work.name] = count = self._killed.get(course.work.name, 0) + killed
        if killed and count < MOST_KILLED:
            self._become(course, "queued", why=f"its pytest on {course.host} was killed (out of memory?): once more")
        elif news.was_stopped:
            self._become(course, "stopped", why="stopped, at the deadline" if self._end_at else "stopped on its node")
        else:
            self._become(course, "ended", why=news.trouble or ("its pytest was killed twice (out of memory?)" if killed else ""))

    def _lost(self, course: Course, attempt: Attempt, why: str) -> None:
        self._over(course, attempt)
        if course.attempts < MOST_ATTEMPTS:
            self._become(course, "queued", why=f"{why}: again elsewhere, {course.done} of {len(course.work.suites)} suites are kept")
        else:
            self._become(course, "lost", why=f"{why} under {course.attempts} attempts: not tried again")

    def _over(self, course: Course, attempt: Attempt) -> None:
        attempt.close()
        del self._attempts[course.work.name]
        course.seconds += 0.0 if course.began is None else self._clock() - course.began
        course.began = None

    def _become(self, course: Course, state: State, why: str = "") -> None:
        course.state, course.why = state, why
        self._show(course)

    def _stop(self) -> None:
        """Ask all to end, and wait until they say that they have; a second interruption ends the waiting."""
        for name, attempt in list(self._attempts.items()):
            if self.courses[name].state == "runs":
                attempt.stop()
            else:
                self._over(self.courses[name], attempt)
        for course in self.courses.values():
            if course.state in ("waits", "queued", "asked"):
                self._become(course, "left", why="interrupted before its turn")
        until = self._clock() + STOP_SECONDS
        while self._attempts and self._clock() < until:
            self._engine.wait(LOOK_SECONDS)
            for name, attempt in list(self._attempts.items()):
                self._hear_the_end(self.courses[name], attempt)
        for name in self._attempts:
            course = self.courses[name]
            self._become(course, "stopped", why=f"interrupted; {course.host} has not said that it stopped: look there")

    def _hear_the_end(self, course: Course, attempt: Attempt) -> None:
        try:
            for news in attempt.news():
                self._take(course, news)
                if news.kind == "ended":
                    course.codes = list(news.codes)
                    self._over(course, attempt)
                    if news.was_stopped:
                        self._become(course, "stopped", why="interrupted; its node has stopped")
                    else:
                        self._become(course, "ended", why=news.trouble or "")
        except Lost as lost:
            self._over(course, attempt)
            self._become(course, "stopped", why=f"interrupted; {lost}")
        except QuantgateError as error:  # no reason not to wait for the others
            course.why = str(error)
