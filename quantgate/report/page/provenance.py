"""Under what it was measured: what differs from the baseline, how old that is, kernels and numerics, layers."""

import datetime
from collections.abc import Callable, Sequence

from quantgate.records import Measurement, Provenance, Throughput
from quantgate.report.page.found import Found, Measured
from quantgate.report.page.values import Age, Engine, Fact, Layer, Layers, Provenances

Read = Callable[[Provenance], str]
ENGINE: tuple[tuple[str, Read], ...] = (
    ("vLLM", lambda one: one.vllm),
    ("torch", lambda one: one.torch),
    ("transformers", lambda one: one.transformers),
    ("driver", lambda one: one.driver or "none"),
    ("device", lambda one: one.device_name),
    ("device class", lambda one: one.device_class),
    ("tensor parallel", lambda one: str(one.tensor_parallel)),
    ("tokenizer", lambda one: one.tokenizer_fingerprint),
    ("chat template", lambda one: one.chat_template_fingerprint),
    ("seed", lambda one: str(one.seed)),
)
WEIGHTS: tuple[tuple[str, Read], ...] = (
    ("weights", lambda one: one.checkpoint_fingerprint),
    ("kernels", lambda one: ", ".join(one.kernels) or "vLLM's own"),
    ("numerics", lambda one: one.numerics),
    ("made by", lambda one: one.made_by or "not recorded"),
)
"""These differ from BF16's by nature, so that only a checkpoint's own approval says whether they have changed."""
MOST_COLUMNS = 8


def provenances(measured: Sequence[Measured]) -> list[Provenances]:
    """A table a family: BF16's baseline, then each checkpoint of this run; of several suites, every value that there is."""
    found = []
    for family in dict.fromkeys(one.record.family for one in measured):
        of_it = [one for one in measured if one.record.family == family]
        names = list(dict.fromkeys(one.record.checkpoint for one in of_it))[: MOST_COLUMNS - 1]
        baselines = [one.against for one in of_it if one.against is not None]
        columns = {name: [one for one in of_it if one.record.checkpoint == name] for name in names}
        facts = [_fact(name, read, baselines, columns, of_weights=False) for name, read in ENGINE]
        facts += [_fact(name, read, baselines, columns, of_weights=True) for name, read in WEIGHTS]
        began = [baselines, *([one.record for one in column] for column in columns.values())]
        facts.append(Fact(name="measured", values=[(_measured(records), False) for records in began]))
        found.append(Provenances(family=family, columns=["BF16 baseline", *names], facts=facts))
    return found


def _fact(name: str, read: Read, baselines: Sequence[Measurement], columns: dict[str, list[Measured]], *, of_weights: bool) -> Fact:
    values = [(_every(read, baselines), False)]
    for column in columns.values():
        held = [(one.record, one.own or (None if of_weights else one.baseline)) for one in column]
        differs = any(base is not None and read(record.provenance) != read(base.provenance) for record, base in held)
        values.append((_every(read, [record for record, _ in held]), differs))
    return Fact(name=name, values=values)


def _every(read: Read, records: Sequence[Measurement]) -> str:
    return "; ".join(dict.fromkeys(read(one.provenance) for one in records)) or "none"


def _measured(records: Sequence[Measurement]) -> str:
    began = sorted(one.provenance.started for one in records)
    return f"{began[0][:16].replace('T', ' ')} UTC" if began else "none"


def ages(measured: Sequence[Measured], now: datetime.datetime) -> list[Age]:
    """Of every baseline that this run was held against, the oldest first."""
    every = {(base.checkpoint, base.suite): base for one in measured for base in (one.against, one.own) if base is not None}
    found = [_age(base, now) for base in every.values() if base.history]
    return sorted(found, key=lambda one: -one.days)


def _age(base: Measurement, now: datetime.datetime) -> Age:
    last = base.history[-1]
    try:
        when = datetime.datetime.fromisoformat(last.when)
        days = (now - (when if when.tzinfo else when.replace(tzinfo=datetime.UTC))).days
    except ValueError:
        days = 0
    name = f"{base.family}/{base.checkpoint} {base.suite}"
    return Age(name=name, days=max(0, days), when=last.when[:10], by=last.by, reason=last.reason or "", approvals=len(base.history))


def engines(measured: Sequence[Measured]) -> list[Engine]:
    """Kernels and numerics of each checkpoint, and of each load how much of what memory allows was reached."""
    found: dict[tuple[str, str], Engine] = {}
    for one in measured:
        record, under = one.record, one.record.provenance
        name = f"{record.family}/{record.checkpoint}"
        kernels = ", ".join(under.kernels) or "vLLM's own"
        if isinstance(record, Throughput):
            limit, health = record.limit, record.health
            found[name, record.suite] = Engine(
                checkpoint=name,
                kernels=kernels,
                numerics=under.numerics,
                suite=record.suite,
                percent=limit.percent if limit is not None else None,
                bound=limit.decode_tps if limit is not None else None,
                health=(health.trouble or "in order") if health is not None else "",
            )
        else:
            bare = Engine(checkpoint=name, kernels=kernels, numerics=under.numerics, suite="", percent=None, bound=None, health="")
            found.setdefault((name, ""), bare)
    loaded = {name for name, suite in found if suite}
    return [one for (name, suite), one in found.items() if suite or name not in loaded]


def layers(found: Found) -> list[Layers]:
    """The layers that are furthest below what their format keeps, of each checkpoint that was inspected against its original."""
    return [
        Layers(
            checkpoint=f"{family}/{checkpoint}",
            formats=", ".join(report.formats),
            layers=[
                Layer(
                    name=one.name,
                    sqnr_db=one.fidelity.sqnr_db,
                    expected_db=one.fidelity.expected_db,
                    missing=_missing(one.fidelity.sqnr_db, one.fidelity.expected_db),
                    bad_rows=one.fidelity.bad_rows,
                    rows=one.fidelity.rows,
                )
                for one in report.worst
            ],
        )
        for (family, checkpoint), report in found.inspected.items()
        if report.worst
    ]


def _missing(sqnr_db: float | None, expected_db: float | None) -> float | None:
    return None if sqnr_db is None or expected_db is None else expected_db - sqnr_db
