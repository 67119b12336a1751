"""A report for people: tables and findings through rich on a terminal, one line a finding where the output goes elsewhere."""

import os.path
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.report import Kind, LinearFidelity, Report

COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}
BARS = "▁▂▃▄▅▆▇█"
WIDTH, NARROW = 100, 80
LONGEST_NAME = 36
WORTH_SHOWING_DB = 0.1


def show_report(report: Report, console: Console) -> None:
    """The whole report, at most 100 columns wide on a terminal."""
    if not console.is_terminal:
        for one in report.findings:
            console.print(f"{one.severity}: {_where(one)}: {one.value}: {one.meaning}", markup=False, highlight=False, soft_wrap=True)
        if report.made_by is not None:
            console.print(f"made by: {report.made_by}", markup=False, highlight=False, soft_wrap=True)
        console.print(_verdict(report), markup=False, highlight=False, soft_wrap=True)
        return
    parts: list[RenderableType] = [_head(report)]
    if report.kinds:
        parts += ["", _kinds(report.kinds, compared=report.against is not None, narrow=console.width < WIDTH)]
        parts += ["", *(_histogram(label, counts) for label, counts in report.scale_histogram.items())]
    if worst := [one for one in report.worst if _behind(one) > WORTH_SHOWING_DB or not one.fidelity.is_finite]:
        parts += ["", _worst(worst, narrow=console.width < WIDTH)]
    parts += ["", *(_finding(one) for one in report.findings)]
    colour = "bold red" if report.verdict == "fail" else "bold green"
    console.print(Group(*parts, "", Text(_verdict(report), colour)), width=min(WIDTH, console.width))


def _head(report: Report) -> Text:
    size = report.size
    text = Text.assemble((report.checkpoint, "bold"))
    if report.against is not None:
        text.append(f"\nagainst {report.against}", "dim")
    if report.made_by is not None:
        text.append(f"\nmade by {report.made_by}", "dim")
    linears = f"{report.linears:,} quantized linears, " if report.linears else ""
    dtypes = ", ".join(f"{dtype} {_bytes(count)}" for dtype, count in size.bytes_by_dtype.items())
    ratio = f"{size.compression_ratio:.2f} times smaller than in BF16; " if report.linears else ""
    text.append(f"\n{', '.join(report.formats)}: {linears}{report.tensors:,} tensors, {_bytes(size.total_bytes)} ({dtypes})")
    text.append(f"\n{ratio}a device of {size.smallest_device} holds the weights alone, KV cache and activations come on top")
    return text


def _kinds(kinds: Sequence[Kind], *, compared: bool, narrow: bool) -> Table:
    """`narrow`: without the columns that can be spared."""
    shared = _shared_beginning([one.name for one in kinds])
    table = _table(f"linears of {shared.rstrip('.')}" if shared else "linears", 2)
    for heading in ("count", "at 0" if narrow else "codes at 0", *([] if narrow else ["at the end"]), "largest"):
        table.add_column(heading, justify="right")
    for heading in ("SQNR dB", "worst", "at best", *([] if narrow else ["Gaussian"])) if compared else ():
        table.add_column(heading, justify="right")
    for one in kinds:
        name, ends = _end(one.name.removeprefix(shared), narrow=narrow), [] if narrow else [f"{100 * one.codes_at_end:.1f} %"]
        told = [name, f"{one.count:,}", f"{100 * one.codes_at_zero:.1f} %", *ends, f"{one.largest_weight:.3g}"]
        if compared:
            told += [_db(one.sqnr_db_mean), _db(one.sqnr_db_worst), _db(one.expected_db), *([] if narrow else [_db(one.gaussian_db)])]
        table.add_row(*told)
    return table


def _table(heading: str, gap: int) -> Table:
    """Its first column holds names, which are never broken: see `_end`."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, gap, 0, 0))
    table.add_column(heading, no_wrap=True)
    return table


def _shared_beginning(names: Sequence[str]) -> str:
    """The part up to a dot that all names begin with; nothing of a single name."""
    beginning = os.path.commonprefix(list(names)) if len(names) > 1 else ""  # noqa: RUF071 (names of modules, no paths)
    return beginning[: beginning.rfind(".") + 1]


def _histogram(label: str, counts: Mapping[int, int]) -> Text:
    """One bar an octave, by the logarithm of the count, so that a few outliers still show."""
    most = max(counts.values())
    bars = ""
    for octave in range(min(counts), max(counts) + 1):
        count = counts.get(octave, 0)
        bars += BARS[max(0, round((len(BARS) - 1) * len(str(count)) / len(str(most))))] if count else " "
    return Text.assemble(
        ("scales ", "dim"), f"2^{min(counts)} ", (bars, "blue"), f" 2^{max(counts)}", (f"  {label}, {sum(counts.values()):,}", "dim")
    )


def _worst(worst: Sequence[LinearFidelity], *, narrow: bool) -> Table:
    shared = _shared_beginning([one.name for one in worst])
    table = _table(f"the worst {len(worst)}{' of ' + shared.rstrip('.') if shared else ''}", 1)
    for heading in ("SQNR dB", "at best", *([] if narrow else ["relative error"]), "cosine", "gain", "bad rows"):
        table.add_column(heading, justify="right")
    for one in worst:
        found = one.fidelity
        rows = f"{found.bad_rows:,}" if found.bad_rows else ""
        error = [] if narrow else [f"{found.relative_error:.3f}"]
        figures = [_db(found.sqnr_db), _db(found.expected_db), *error, f"{found.cosine:.4f}", f"{found.gain:.4g}", rows]
        table.add_row(_end(one.name.removeprefix(shared), narrow=narrow), *figures)
    return table


def _end(name: str, *, narrow: bool) -> str:
    """A name that is too long loses its beginning: the end tells names apart."""
    longest = LONGEST_NAME if narrow else LONGEST_NAME + WIDTH - NARROW
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


def _finding(one: Finding) -> RenderableType:
    first = Text.assemble((f"{one.severity:<8}", COLOURS[one.severity]), (_where(one), "bold"))
    second = Text.assemble(one.value, ": ", (one.meaning, "dim"))
    return Group(first, Padding(second, (0, 0, 0, 8)))


def _where(one: Finding) -> str:
    return one.where if one.count == 1 else f"{one.where} and {one.count - 1:,} more"


def _behind(one: LinearFidelity) -> float:
    return one.fidelity.expected_db - one.fidelity.sqnr_db


def _verdict(report: Report) -> str:
    counts = [(len(report.of(severity)), severity) for severity in COLOURS]
    told = ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for count, severity in counts if count)
    return f"{report.verdict}: {told or 'nothing to report'}"


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} bytes"


def _db(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
