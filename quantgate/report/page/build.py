"""From a folder of records to what the page says."""

import datetime
from pathlib import Path

from quantgate import suites
from quantgate.baselines import Baselines, open_baselines
from quantgate.errors import ConfigurationError
from quantgate.registry import Registry
from quantgate.report.next_step import Places
from quantgate.report.page import documents, found, items, panels, provenance, rows, trend
from quantgate.report.page.asked import Asked
from quantgate.report.page.values import Page


def build(
    records: Path,
    *,
    baselines: str | Path | None = None,
    models: Path | None = None,
    registry: Registry | None = None,
    data_dir: Path | None = None,
    options: tuple[str, ...] = (),
    title: str = "",
    now: datetime.datetime | None = None,
) -> Page:
    """`registry` is that of `models`; prompts that no record has, texts, and the commands that name a checkpoint's files come from there.

    `options`: those of pytest that a command has to repeat. Raises ConfigurationError where there is nothing to report.
    """
    if not records.is_dir():
        raise ConfigurationError(f"{records} is no folder; name the one that pytest wrote its records to (--records)")
    now = now or datetime.datetime.now(datetime.UTC)
    remarks: list[str] = []
    opened = open_baselines(baselines, remarks.append) if baselines is not None else None
    there = opened if opened is not None and opened.are_there else None
    seen = found.find(records, there)
    if not (seen.measured or seen.outcomes or seen.unreadable):
        raise ConfigurationError(f"{records} holds no record; name the folder that pytest wrote to (--records), or measure first")
    beside = None if models is None or models.resolve() == Path("models.toml").resolve() else models
    table = rows.rows(seen, Places(records, there, None, beside, options), registry)
    measured, asked = seen.measured, Asked(_loader(registry, models, data_dir), registry)
    families = list(dict.fromkeys([*(one.record.family for one in measured), *(one.family for one in seen.outcomes if one.family)]))
    return Page(
        title=title or f"quantgate: {', '.join(families) or records.name}",
        made=now.astimezone(datetime.UTC).isoformat(timespec="minutes"),
        word=rows.worst_of(table),
        headline=rows.headline(table),
        sentence=rows.sentence_of(table),
        counts=rows.counts(table),
        rows=table,
        skipped=rows.skipped(seen),
        scores=panels.scores(measured),
        speed=panels.speed(measured),
        groups=items.groups(measured),
        documents=documents.documents(measured, asked),
        flips=items.flips(measured, asked),
        lengths=items.lengths(measured),
        layers=provenance.layers(seen),
        engines=provenance.engines(measured),
        provenance=provenance.provenances(measured),
        ages=provenance.ages(measured, now),
        trends=trend.trends(_history(there), families),
        unreadable=seen.unreadable,
        records=str(records),
        remarks=remarks if there is not None else ["No folder of baselines was given: BF16's records of this run stand in for them."],
    )


def _history(there: Baselines | None) -> Path | None:
    """The folder with what became of each night; that of baselines in a store alone is where `quantgate nightly` keeps it."""
    if there is None or there.local is not None:
        return None if there is None else there.local
    return Path("baselines")


def _loader(registry: Registry | None, models: Path | None, data_dir: Path | None) -> "_Loader":
    return _Loader(suites.catalogue(registry.suite if registry is not None else [], models or Path("models.toml")), data_dir)


class _Loader:
    """A suite by its name, from what is on this machine."""

    def __init__(self, known: suites.Catalogue, data_dir: Path | None) -> None:
        self._known, self._data_dir = known, data_dir

    def __call__(self, name: str) -> suites.Suite | None:
        return self._known[name][1](self._data_dir) if name in self._known else None
