"""As much of Ray as an attempt takes: answers that are ready, and those that raise."""

from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    pass


class ActorDiedError(RayError):
    pass


class ActorUnavailableError(RayError):
    pass


class RayTaskError(RayError):
    pass


class RuntimeEnvSetupError(RayError):
    pass


class LittleRay:
    """`answers`: what each question gets, in their order; an exception is raised, None is not ready yet. `asked`: the questions."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked, self.killed, self.stopped = list(answers), list[tuple[Any, ...]](), 0, 0
        self.exceptions = SimpleNamespace(
            RayError=RayError,
            ActorDiedError=ActorDiedError,
            ActorUnavailableError=ActorUnavailableError,
            RayTaskError=RayTaskError,
            RuntimeEnvSetupError=RuntimeEnvSetupError,
        )

    def actor(self) -> Any:
        return SimpleNamespace(begin=self._method("begin"), news=self._method("news"), stop=self._method("stop"))

    def _method(self, name: str) -> Any:
        def remote(*arguments: Any) -> int:
            self.asked.append((name, *arguments))
            return len(self.asked) - 1

        return SimpleNamespace(remote=remote)

    def wait(self, pending: list[int], timeout: float) -> tuple[list[int], list[int]]:
        assert timeout == 0
        return (pending, []) if self.answers and self.answers[0] is not None else ([], pending)

    def get(self, pending: int) -> Any:
        assert pending == len(self.asked) - 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self, actor: Any) -> None:
        assert actor is not None
        self.killed += 1
