"""The history of one suite of one checkpoint on one device class: the nights that can be compared with the last."""

from collections.abc import Iterable

import msgspec

from quantgate.history.line import Line


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """`nights`: those with a figure, oldest first, of the suite as it is now; `broken`: errors and interruptions; `of_another_suite`:
    nights of this name whose suite had other items or another setting, whose figures say nothing about these."""

    device_class: str
    family: str
    checkpoint: str
    suite: str
    nights: list[Line]
    broken: list[Line]
    of_another_suite: int = 0

    @property
    def name(self) -> str:
        return f"{self.family}/{self.checkpoint} {self.suite}"

    @property
    def values(self) -> list[float]:
        return [night.value for night in self.nights if night.value is not None]

    @property
    def has_drifted(self) -> bool:
        """By the suite's own rule against the approval, in the last night that can be judged."""
        return bool(self.nights) and self.nights[-1].since_approval == "fail"


def series_of(lines: Iterable[Line]) -> list[Series]:
    """In the order of device class, family, checkpoint and suite."""
    found: dict[tuple[str, str, str, str], list[Line]] = {}
    for line in lines:
        found.setdefault((line.device_class, line.family, line.checkpoint, line.suite), []).append(line)
    made = []
    for (device_class, family, checkpoint, suite), own in sorted(found.items()):
        sound = sorted((line for line in own if not line.is_broken), key=lambda line: line.at)
        nights = [line for line in sound if line.suite_fingerprint == sound[-1].suite_fingerprint]
        made.append(
            Series(
                device_class=device_class,
                family=family,
                checkpoint=checkpoint,
                suite=suite,
                nights=nights,
                broken=[line for line in own if line.is_broken],
                of_another_suite=len(sound) - len(nights),
            )
        )
    return made
