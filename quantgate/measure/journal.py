"""What a measurement has got so far, kept in a file beside the records: written as it comes, read again by a run that asks the same.

The first line says under what it was got; each line after it is one item. Where a later run's conditions are others, what was kept is no
part of its measurement, and it begins anew. The file goes when the record is written, which holds all of it.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from quantgate import folders
from quantgate.records import Provenance, Started, unfinished_of
from quantgate.server import Endpoint, Serving

FORMAT = 1
OF_THE_MOMENT = ("started", "seconds", "gpu_uuid")
"""What may differ in a provenance without an answer being another: another GPU of the same class is as good."""
OF_OUR_PATIENCE = ("hang_seconds",)
LONGEST_SHOWN = 60

Got = TypeVar("Got")
Told = Callable[[str, str], None]


class Head(msgspec.Struct, frozen=True):
    """`conditions`: name → value, of everything that an answer depends on."""

    format: int
    conditions: dict[str, Any]
    started: str


class Line(msgspec.Struct, frozen=True):
    """`seconds` that had been measured for by then, in all sittings."""

    round: str
    id: str
    seconds: float
    got: msgspec.Raw


def conditions_of(server: Serving, under: Provenance) -> dict[str, Any]:
    """Everything that an answer depends on: the provenance, how it is served, and of somebody else's server where it is."""
    told = {name: value for name, value in msgspec.to_builtins(under).items() if name not in OF_THE_MOMENT}
    told["kernels"] = sorted(under.kernels)
    serve = msgspec.to_builtins(server.checkpoint.serve)
    told |= {f"serve.{name}": value for name, value in serve.items() if name not in OF_OUR_PATIENCE}
    if isinstance(server, Endpoint):
        told["endpoint"] = f"{server.base_url} {server.model}"
    return told


class Journal(Generic[Got]):
    """One measurement's items, by round ("first", "again") and id. `file` None: they are kept in memory alone.

    `name` is the measurement's, for whoever reads of it; `say` takes what is going on now, `tell` a word and a line for the summary.
    """

    def __init__(
        self,
        file: Path | None,
        name: str,
        conditions: dict[str, Any],
        kind: Any,
        say: Callable[[str], None] = lambda _: None,
        tell: Told = lambda _, __: None,
    ) -> None:
        self.name, self.say, self.tell = name, say, tell
        self._path, self._kind, self._conditions = file, kind, conditions
        self._items: dict[str, dict[str, Got]] = {}
        self._before, self._now = 0.0, Started()
        self.started = self._now.at
        self._file: FileIO | None = None
        if file is not None:
            self._open(file)

    @classmethod
    def of_nothing(cls, name: str = "") -> "Journal[Got]":
        """One that keeps nothing for later and tells nobody."""
        return cls(None, name, {}, object)

    def known(self, round_name: str) -> dict[str, Got]:
        """What there is of a round, by id."""
        return dict(self._items.get(round_name, {}))

    def add(self, round_name: str, name: str, got: Got) -> None:
        """Keep one. A file that cannot be written any longer is told of once, and the measurement goes on without it."""
        self._items.setdefault(round_name, {})[name] = got
        if self._file is None:
            return
        line = msgspec.json.encode(Line(round_name, name, round(self.seconds(), 3), msgspec.Raw(msgspec.json.encode(got))))
        try:
            self._file.write(line + b"\n")
        except OSError as error:
            self._give_up(error)

    def seconds(self) -> float:
        """That were measured for, in all sittings."""
        return self._before + self._now.seconds()

    def stamped(self, under: Provenance) -> Provenance:
        """The provenance, with the beginning of the first sitting and the seconds of all."""
        return msgspec.structs.replace(under, started=self.started, seconds=round(self.seconds(), 3))

    def __len__(self) -> int:
        return sum(map(len, self._items.values()))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def kept(self) -> str | None:
        """A sentence on what a run that ended early has left, or None where it has left nothing."""
        if self._path is None or not len(self):
            return None
        return f"{self.name}: {len(self):,} answers are kept in {self._path}; the same command goes on from there"

    def _open(self, file: Path) -> None:
        try:
            folders.private(file.parent)
            end = self._read(file) if file.is_file() else 0
            self._file = FileIO(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "w")
            self._file.truncate(end)  # half a line, of a writer that was killed, or all that is of no use
            self._file.seek(end)
            if not end:
                self._file.write(msgspec.json.encode(Head(FORMAT, self._conditions, self.started)) + b"\n")
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.tell("warning", f"{self.name}: {self._path} cannot be written ({error.strerror}): if this run ends early, it begins anew")
        self.close()
        self._path = None

    def _read(self, file: Path) -> int:
        """Take over what is there where it is of the same measurement; up to which byte it is to stay."""
        head, *lines = file.read_bytes().splitlines(keepends=True) or [b""]
        try:
            before = msgspec.json.decode(head, type=Head)
        except msgspec.DecodeError:
            self.tell("warning", f"{self.name}: begins anew, since {file} is no list of kept answers")
            return 0
        if (changed := _changed(before, self._conditions)) is not None:
            self.tell("warning", f"{self.name}: begins anew, without {len(lines):,} answers that were kept of {before.started}: {changed}")
            return 0
        end = len(head)
        for line in lines:
            try:
                one = msgspec.json.decode(line, type=Line)
                got = msgspec.json.decode(one.got, type=self._kind)
            except msgspec.DecodeError:
                break
            if not line.endswith(b"\n"):
                break
            self._items.setdefault(one.round, {})[one.id] = got
            self._before = one.seconds
            end += len(line)
        self.started = before.started
        self.tell("server", f"{self.name}: goes on with {len(self):,} answers that were kept of {self.started}")
        return end


def _changed(before: Head, now: dict[str, Any]) -> str | None:
    """The first condition that is another one, in words."""
    if before.format != FORMAT:
        return f"they are written in form {before.format}, and this is form {FORMAT}"
    then, now = before.conditions, msgspec.json.decode(msgspec.json.encode(now))
    name = next((name for name in sorted(then.keys() | now.keys()) if then.get(name) != now.get(name)), None)
    if name is None:
        return None
    was, has = (_shown(one.get(name)) for one in (then, now))
    return f"{name.replace('_', ' ')} was {was} and is {has}"


def _shown(value: Any) -> str:
    said = "not there" if value is None else str(value)
    return said if len(said) <= LONGEST_SHOWN else f"{said[:LONGEST_SHOWN]}…"


class Sitting(msgspec.Struct, frozen=True):
    """In what a measurement is made: the folder of records, and who is told how far it has come, and what is to be known of it.

    Without a folder nothing is kept.
    """

    folder: Path | None = None
    say: Callable[[str], None] = lambda _: None
    tell: Told = lambda _, __: None

    @contextlib.contextmanager
    def journal(self, server: Serving, suite: str, under: Provenance, kind: Any) -> Iterator[Journal[Any]]:
        """The journal of one measurement, whose items are of the type `kind`; what it holds is told of where the measurement ends early."""
        whose = server.checkpoint
        file = None if self.folder is None else unfinished_of(self.folder, whose.family, whose.name, suite)
        journal: Journal[Any] = Journal(file, f"{whose} {suite}", conditions_of(server, under), kind, self.say, self.tell)
        try:
            yield journal
        except BaseException:
            if (kept := journal.kept()) is not None:
                self.tell("warning", kept)
            raise
        finally:
            journal.close()


NOT_KEPT = Sitting()
