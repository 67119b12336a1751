"""The questions of `many_gpus`, each answered by its own rows; each takes a plan and gives back what it saw."""

import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.host_use import HostUse, used_by
from quantgate.devices import Slot
from quantgate.records import VERDICT, Answers, TextLoss, Throughput, read_measurement
from quantgate.registry import PRECISIONS
from quantgate.stats import mean_interval

ROOT = Path(__file__).resolve().parents[1]
GATES = " or ".join(PRECISIONS)
READY = re.compile(r"^\s*(?:server\s+)?(\S+/\S+): vLLM ready on .* after (\d+) s", re.M)
NEIGHBOUR_SECONDS = 900.0
"""A boot at most, and a measurement."""


class Plan(NamedTuple):
    """`options`: pytest's for all runs (models, data, suites); `gpus`: as `--gpu` has them, one a slot of one device."""

    gpus: list[str]
    slots: list[Slot]
    families: str
    models: Path
    options: list[str]
    out: Path
    load: str
    pairs: int
    checkpoint: str
    shape: str
    shape_precision: str
    sizes: list[int]


class Row(msgspec.Struct, frozen=True):
    """One line of the table: what was done, its figures, and what else has to be said."""

    what: str
    figures: dict[str, Any]
    told: str = ""


def approve(plan: Plan) -> Iterator[Row]:
    """BF16's baselines, on the first GPU, for all that follows; whatever is compiled at a first boot is compiled then, of BF16."""
    command = [
        *_pytest(plan),
        "-m",
        "bf16 and not throughput",
        "--snapshot-update",
        f"--records={plan.out / 'first'}",
        f"--gpu={plan.gpus[0]}",
    ]
    yield _row("BF16, approved", used_by(command, plan.slots, plan.out / "first.log", ROOT), plan, "first")


def side_by_side(plan: Plan) -> Iterator[Row]:
    """Checkpoints over the slots; before `one_by_one`, so that what the first boot of a checkpoint costs is theirs to pay."""
    yield _over(plan, len(plan.gpus))


def one_by_one(plan: Plan) -> Iterator[Row]:
    """One after the other on the first slot, and how many times as fast the slots were side by side."""
    count, alone = len(plan.gpus), _over(plan, 1)
    yield alone
    if (file := plan.out / "side-by-side.json").is_file():
        together = msgspec.json.decode(file.read_bytes(), type=list[Row])[0]
        ratio = alone.figures["seconds"] / together.figures["seconds"]
        alike = compared(plan.out / f"n{count}", plan.out / "n1")
        yield Row(f"-n {count} against -n 1", {"times": round(ratio, 2), "of": count, **alike})


def _over(plan: Plan, workers: int) -> Row:
    name, gpus = f"n{workers}", ",".join(plan.gpus[:workers])
    command = [*_pytest(plan), "-m", f"({GATES}) and not throughput", f"-n{workers}", f"--gpu={gpus}", f"--records={plan.out / name}"]
    return _row(f"-n {workers}", used_by(command, plan.slots, plan.out / f"{name}.log", ROOT), plan, name)


def _pytest(plan: Plan) -> list[str]:
    program = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plan.options, f"--models={plan.models}"]
    return [*program, f"--family={plan.families}", f"--baselines={plan.out / 'baselines'}", "tests_accuracy", "tests_throughput"]


def _row(what: str, use: HostUse, plan: Plan, name: str) -> Row:
    boots: dict[str, list[int]] = {}
    logs = [plan.out / f"{name}.log", *plan.out.glob(f"{name}/units/**/pytest.log")]  # fan-out keeps each unit's own
    for checkpoint, seconds in READY.findall("\n".join(log.read_text(encoding="utf-8", errors="replace") for log in logs)):
        boots.setdefault(checkpoint, []).append(int(seconds))
    more_than_one = [checkpoint for checkpoint, found in boots.items() if len(found) > 1]
    every = [seconds for found in boots.values() for seconds in found]
    told = f"booted more than once: {', '.join(more_than_one)}" if more_than_one else ""
    boot = {"checkpoints": len(boots), "boots": len(every), "boot_s": round(sum(every) / len(every), 1) if every else None}
    return Row(what, {**boot, **msgspec.to_builtins(use)}, told)


def compared(one: Path, other: Path) -> dict[str, Any]:
    """How far two folders of records are alike: keys, verdicts' words, and answers and losses item by item."""
    records = [{file.relative_to(folder): file for file in _records(folder)} for folder in (one, other)]
    both = sorted(records[0].keys() & records[1].keys())
    verdicts = [[_verdict(side[name]) for side in records] for name in both]
    same = total = 0
    largest = 0.0
    for name in both:
        pair = [read_measurement(side[name]) for side in records]
        if all(isinstance(found, Answers) for found in pair):
            values = [{item.id: item.worth for item in found.items} for found in pair if isinstance(found, Answers)]
            same += sum(values[0].get(key) == value for key, value in values[1].items())
            total += len(values[1])
        if all(isinstance(found, TextLoss) for found in pair):
            losses = [found.nll_per_token for found in pair if isinstance(found, TextLoss)]
            largest = max(largest, abs(losses[0] - losses[1]))
    return {
        "records": [len(side) for side in records],
        "in_both": len(both),
        "same_verdict": sum(words[0] == words[1] for words in verdicts),
        "same_answers": f"{same} of {total}",
        "largest_nll_difference": largest,
    }


def _records(folder: Path) -> Iterator[Path]:
    return (file for file in folder.glob("*/*/*.json") if not file.name.endswith(VERDICT))


def _verdict(record: Path) -> str:
    file = record.with_name(record.name.removesuffix(".json") + VERDICT)
    return str(json.loads(file.read_bytes())["verdict"]) if file.is_file() else "none"


def tensor_parallel(plan: Plan) -> Iterator[Row]:
    """A shape's decode speed on one GPU, two, four, …, beside what the memory of so many allows; what cannot be spread says why."""
    for size in plan.sizes:
        records = plan.out / f"tp{size}"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--models={plan.models}", f"--family={plan.shape}"]
        command += ["-m", plan.shape_precision, f"--tp={size}", f"--gpu={','.join(plan.gpus[:size])}", f"--suites={plan.load}"]
        command += [f"--records={records}", f"--baselines={plan.out / 'baselines'}", "tests_throughput"]
        use = used_by(command, plan.slots, plan.out / f"tp{size}.log", ROOT)
        told = [json.loads(line) for line in _lines(records / "outcomes.jsonl")]
        for outcome in told:
            if outcome["outcome"] != "passed" and outcome.get("suite"):
                yield Row(f"TP={size} {outcome['checkpoint']}", {"seconds": use.seconds}, str(outcome["why"]).splitlines()[0])
        for file in sorted(records.glob(f"*/*/{plan.load}.json")):
            found = read_measurement(file)
            if isinstance(found, Throughput):
                limit = None if found.limit is None else round(found.limit.percent, 1)
                rounds = [round(one.decode_tps) for one in found.rounds]
                figures = {"decode_tps": round(found.decode_tps), "rounds": rounds, "percent_of_limit": limit}
                yield Row(f"TP={size} {found.checkpoint}", {**figures, "seconds": use.seconds, "survivors": use.survivors})


def _lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines() if file.is_file() else []


def neighbours(plan: Plan) -> Iterator[Row]:
    """One checkpoint's decode speed with all other GPUs resting and with all at the same load, in alternation, on the same servers."""
    with ExitStack() as stack:
        ours, *others = [stack.enter_context(_Neighbour(plan, gpu)) for gpu in plan.gpus]
        for one in (ours, *others):
            one.expect("ready")
        ours.measure()  # the first after a boot is slower, and nobody's measure
        alone, among = [], []
        for _ in range(plan.pairs):
            alone.append(ours.measure())
            for one in others:
                one.tell("work")
            for one in others:
                one.expect("working")
            among.append(ours.measure())
            for one in others:
                one.tell("rest")
            for one in others:
                one.expect("resting")
    for what, found in ((f"{plan.checkpoint} alone", alone), (f"with {len(others)} neighbours at work", among)):
        means = {name: _mean([one[name] for one in found]) for name in found[0] if name not in ("rounds", "trouble")}
        yield Row(what, {"pairs": len(found), **means}, "; ".join(dict.fromkeys(filter(None, (one["trouble"] for one in found)))))
    logs = mean_interval([math.log(busy["decode_tps"] / quiet["decode_tps"]) for quiet, busy in zip(alone, among, strict=True)])
    copies = mean_interval([math.log(busy["copy_gb_s"] / quiet["copy_gb_s"]) for quiet, busy in zip(alone, among, strict=True)])
    yield Row("with neighbours over alone", {"decode_tps": _with_interval(logs), "canary's copy": _with_interval(copies)})


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if known else None


def _with_interval(logs: Any) -> str:
    return f"{math.exp(logs.value):.3f} [{math.exp(logs.interval[0]):.3f}, {math.exp(logs.interval[1]):.3f}]"


class _Neighbour:
    """A process of `benchmarks.neighbour`, and the lines it says."""

    def __init__(self, plan: Plan, gpu: str) -> None:
        self._gpu, logs = gpu, plan.out / f"neighbour-{gpu}"
        logs.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.neighbour", f"--gpu={gpu}", f"--models={plan.models}"]
        command += [f"--checkpoint={plan.checkpoint}", f"--suite={plan.load}", f"--logs={logs}"]
        with (logs / "said.log").open("wb") as said:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, cwd=ROOT)

    def __enter__(self) -> "_Neighbour":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.tell("end")
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.terminate()  # its server's watchdog ends the server
            self._process.wait(60)

    def tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def line(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise SystemExit(f"the neighbour on {self._gpu} has ended: see its said.log")
        return line.strip()

    def expect(self, word: str) -> None:
        if (line := self.line()) != word:
            raise SystemExit(f"the neighbour on {self._gpu} said {line!r}, and {word!r} was to come")

    def measure(self) -> dict[str, Any]:
        self.tell("measure")
        found: dict[str, Any] = json.loads(self.line())
        return found


def fan_out(plan: Plan) -> Iterator[Row]:
    """The same matrix by Ray over the GPUs of this host, beside `-n`'s records."""
    if shutil.which("ray") is None:
        yield Row("fan-out", {}, "ray is not installed here: pip install 'quantgate[ray]'")
        return
    count, folder = len(plan.gpus), Path(tempfile.mkdtemp(prefix="qg-ray-"))
    subprocess.run(
        ["ray", "start", "--head", f"--num-gpus={count}", f"--temp-dir={folder}", "--disable-usage-stats"],  # noqa: S607 (the user's own ray)
        check=True,
        capture_output=True,
    )
    try:
        command = [sys.executable, "-m", "quantgate", "fan-out", "--on=auto", f"--models={plan.models}", f"--family={plan.families}"]
        command += [
            f"--baselines={plan.out / 'baselines'}",
            f"-o={plan.out / 'fanned'}",
            "--again",
            *plan.options,
            "--",
            "-m",
            "not throughput",
        ]
        use = used_by(command, plan.slots, plan.out / "fanned.log", ROOT)
    finally:
        subprocess.run(["ray", "stop"], check=False, capture_output=True)  # noqa: S607
        shutil.rmtree(folder, ignore_errors=True)
    yield _row("fan-out on Ray", use, plan, "fanned")
    if (plan.out / f"n{count}").is_dir():
        yield Row(f"fan-out against -n {count}", compared(plan.out / "fanned" / "records", plan.out / f"n{count}"))


PARTS: dict[str, Callable[[Plan], Iterator[Row]]] = {
    "approve": approve,
    "side-by-side": side_by_side,
    "one-by-one": one_by_one,
    "neighbours": neighbours,
    "tensor-parallel": tensor_parallel,
    "fan-out": fan_out,
}


def asked(plan: Plan, part: str) -> list[Row]:
    """One part, its rows kept as they come: what was seen is not lost to what fails after it."""
    rows, began = list[Row](), time.monotonic()
    for row in PARTS[part](plan):
        rows.append(row)
        (plan.out / f"{part}.json").write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1))
    print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return rows
