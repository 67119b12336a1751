"""What comes back of units, on the driver's disk: records, logs and baselines below the folder of `-o`, as soon as they exist."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from quantgate.errors import RecordError
from quantgate.fan_out.mirror import Mirror, put
from quantgate.fan_out.wire import BASELINES, RECORDS, News, Piece
from quantgate.fan_out.work import Course, Work
from quantgate.records import VERDICT, Shard, read_shard, write_shard

UNITS, LOG = "units", "pytest.log"
HISTORY = "history.jsonl"
AT = re.compile(rb"\[[\w.+-]+/[\w.+-]+:([\w.+-]+)\]")
TAIL_BYTES = 4096


class Keeping:
    """`into`/units/<unit>/records and pytest.log, and `into`/baselines, a copy in which what this run approves lies too. `own`: the
    project's own folder of baselines, which gets that as well where approving was asked for; None: it does not."""

    def __init__(self, into: Path, given: Sequence[Path], families: Sequence[str], own: Path | None) -> None:
        self.into, self.baselines, self._own = into, into / BASELINES, own
        self._tails: dict[str, bytes] = {}
        for folder in reversed(given):  # the first of a chain has the last word
            for family in sorted(folder.glob("*/*")):
                if family.name in families:
                    place = self.baselines / family.parent.name / family.name
                    shutil.copytree(family, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns(HISTORY, ".*"))
        self.baselines.mkdir(parents=True, exist_ok=True)

    def pieces(self, work: Work) -> list[Piece]:
        """What a node is given: what was measured of the unit, finished or not, and its family's baselines."""
        measured = Mirror(work.folder / RECORDS).changes() if (work.folder / RECORDS).is_dir() else []
        found = [_below(RECORDS, piece) for piece in measured]
        if (log := work.folder / LOG).is_file():  # goes on where an earlier attempt ended
            found.append(Piece(LOG, log.read_bytes()))
        for family in sorted(self.baselines.glob(f"*/{work.family}")):
            place = family.relative_to(self.baselines).as_posix()
            found += [_below(f"{BASELINES}/{place}", piece) for piece in Mirror(family).changes()]
        return found

    def take(self, course: Course, news: News) -> list[str]:
        """Write it down; the sentences that are worth a line. Raises RecordError where it cannot be written, or leads elsewhere."""
        work, said = course.work, list[str]()
        for piece in news.pieces:
            top, _, rest = piece.path.partition("/")
            try:
                if top == BASELINES and rest:
                    inside = msgspec.structs.replace(piece, path=rest)
                    put(self.baselines, inside)
                    if self._own is not None:
                        put(self._own, inside)
                elif piece.path == LOG:
                    put(work.folder, piece)
                    self._at(course, piece.data)
                elif top == RECORDS and rest:
                    put(work.folder, piece)
                    said += self._verdict(work, piece)
            except OSError as error:
                raise RecordError(f"{work.folder} cannot be written: {error.strerror}; make room, or name another folder with -o") from None
        course.done = len(measured(work))
        return said

    def _at(self, course: Course, data: bytes) -> None:
        name = course.work.name
        tail = self._tails[name] = (self._tails.get(name, b"") + data)[-TAIL_BYTES:]
        if found := AT.findall(tail):
            course.suite = found[-1].decode()

    @staticmethod
    def _verdict(work: Work, piece: Piece) -> list[str]:
        if not piece.path.endswith(VERDICT) or not piece.data:
            return []
        try:
            said = msgspec.json.decode(piece.data, type=_Said)
        except msgspec.DecodeError:
            return []
        name = Path(piece.path).name.removesuffix(VERDICT)
        return [f"{work.name} {name}: {said.verdict}: {said.reason}"]


class _Said(msgspec.Struct, frozen=True):
    verdict: str = ""
    reason: str = ""


def _below(top: str, piece: Piece) -> Piece:
    return msgspec.structs.replace(piece, path=f"{top}/{piece.path}")


def measured(work: Work) -> list[str]:
    """The suites of which there is a record."""
    place = work.folder / RECORDS / work.family / work.checkpoint
    return [suite for suite in work.suites if (place / f"{suite}.json").is_file()]


def tail_of(work: Work, lines: int = 1) -> str:
    """The last lines of its pytest that say something."""
    file = work.folder / LOG
    text = file.read_bytes()[-TAIL_BYTES:].decode(errors="replace") if file.is_file() else ""
    return "\n".join([line for line in text.splitlines() if line.strip(" =")][-lines:])


def sign(courses: Sequence[Course], like: Shard) -> None:
    """shard.json of each unit, by which merging knows them for the parts of one whole: what its own pytest wrote there knows nothing of
    the others. What was asked of it is what that pytest had selected (a `-m` may leave suites out), where it came to its end. `like`: what
    all have in common."""
    asked = [_asked(course) for course in courses]
    matrix = sorted(key for keys in asked for key in keys)
    cut = [[course.work.family] for course in courses]
    for number, course in enumerate(courses, 1):
        folder = course.work.folder / RECORDS
        if not folder.is_dir():
            continue
        own = read_shard(folder)
        done = course.state == "ended"
        shard = msgspec.structs.replace(
            like,
            index=number,
            count=len(courses),
            matrix=matrix,
            mine=asked[number - 1],
            cut=cut,
            device_class=own.device_class if own is not None else like.device_class,
            models_sha256=own.models_sha256 if own is not None else like.models_sha256,  # another one on a node is merging's to refuse
            host=own.host if own is not None else course.host or like.host,  # a line of the history has it, as a machine's own name
            started=own.started if own is not None else like.started,
            ended=like.ended if done else None,
            exit_code=course.codes[-1] if done and course.codes and course.codes[-1] >= 0 else None,
        )
        write_shard(folder, shard)


def _asked(course: Course) -> list[str]:
    own = read_shard(course.work.folder / RECORDS) if course.state == "ended" else None
    return sorted(course.work.keys if own is None else set(own.mine) & set(course.work.keys))
