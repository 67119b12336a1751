"""`quantgate quantize` from the outside: what it says at its end, and ended at each moment that there is: one line, nothing left."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from quantgate.cli import main
from quantgate.cli.quantize import family_stanza
from quantgate.registry import Base, Registry, load
from tests_fixtures.doubles.fake_llmcompressor import TOKENS, WHOLE, Bench, tools
from tests_fixtures.doubles.made_checkpoints import change, configure, make_pair
from tests_fixtures.doubles.processes import lives, until

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0
DRIVER = """
import sys
from pathlib import Path
from quantgate.errors import QuantgateError
from quantgate.quantize import making
from quantgate.cli.quantize import quantize
from tests_fixtures.doubles.fake_llmcompressor import tools
root, model, checkpoint = map(Path, sys.argv[1:4])
take = making.place.take
def slowly(made, place):
    (root / "here").write_text("0")
    {before_taking}
    take(made, place)
making.place.take = slowly
asked = making.Asked(str(model), root / "out" / "made", scheme="NVFP4", calibrate="reference")
try:
    sys.exit(quantize(asked, tools(root, checkpoint, {oneshot!r}, {tokens!r})))
except QuantgateError as error:
    sys.exit(str(error))
"""
WAIT = "(Path({root!r}) / 'here').write_text(str(os.getpid())); time.sleep(600)"


class Run:
    """One run that stops at a moment, and waits there to be ended."""

    def __init__(self, root: Path, moment: str) -> None:
        self.root, self.output = root, root / "out" / "made"
        self.checkpoint, self.model = make_pair(root, "nvfp4", layers=1)
        for folder in (self.checkpoint, self.model):
            configure(folder, lambda raw: raw.update(max_position_embeddings=256))
        self.start(moment)

    def start(self, moment: str) -> None:
        wait = WAIT.format(root=str(self.root))
        oneshot = {"half": f"half(); {wait}", "whole": f"whole(); {wait}", "deaf": f"signal.signal(15, signal.SIG_IGN); {wait}"}
        taking = "import time; time.sleep(600)" if moment == "taking" else "pass"
        tokens = wait if moment == "tokens" else TOKENS
        code = DRIVER.format(before_taking=taking, oneshot=oneshot.get(moment, WHOLE), tokens=tokens)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, (self.root, self.model, self.checkpoint))],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_there(self) -> int:
        """The pid of the program that waits, 0 for the run itself."""
        until(lambda: (self.root / "here").exists() and bool((self.root / "here").read_text()), "the moment", PATIENCE_SECONDS)
        return int((self.root / "here").read_text())

    def left(self) -> list[str]:
        return sorted(one.name for one in (self.root / "out").iterdir())


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path, request.param)
    yield made
    made.process.kill()
    made.process.communicate()


MOMENTS = ["tokens", "half", "whole", "taking"]


@pytest.mark.thorough
@pytest.mark.parametrize("run", MOMENTS, indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_it_with_one_line_and_leaves_nothing(number: signal.Signals, run: Run) -> None:
    program = run.wait_there()
    run.process.send_signal(number)
    _, said = run.process.communicate(timeout=PATIENCE_SECONDS)
    assert run.process.returncode == 128 + number
    assert said.splitlines()[-1] == f"quantgate quantize: interrupted ({number.name}); nothing was made in {run.output}"
    assert "Traceback" not in said
    assert run.left() == []
    assert program == 0 or not lives(program)


@pytest.mark.thorough
@pytest.mark.parametrize("run", ["deaf"], indirect=True)
def test_a_program_that_does_not_listen_is_killed_even_if_ctrl_c_comes_twice(run: Run) -> None:
    program = run.wait_there()
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    run.process.send_signal(signal.SIGINT)
    run.process.communicate(timeout=PATIENCE_SECONDS)
    assert run.process.returncode == 128 + signal.SIGINT
    assert run.left() == []
    assert not lives(program)


@pytest.mark.thorough
@pytest.mark.parametrize("run", MOMENTS, indirect=True)
def test_after_a_kill_there_is_no_checkpoint_and_the_next_run_puts_the_rest_away(run: Run) -> None:
    program = run.wait_there()
    run.process.kill()
    run.process.communicate(timeout=PATIENCE_SECONDS)
    if program:
        until(lambda: not lives(program), "the end of the program", PATIENCE_SECONDS)
    (left,) = run.left()
    assert left.startswith(".made.quantgate-")

    (run.root / "here").unlink()
    run.start("none")
    _, said = run.process.communicate(timeout=PATIENCE_SECONDS)
    assert run.process.returncode == 0
    assert run.left() == ["made"]
    assert f"removed {run.root}/out/{left}, which a run that was killed had left" in said


@pytest.mark.thorough
@pytest.mark.parametrize("run", ["half"], indirect=True)
def test_a_program_that_is_killed_ends_the_run_and_leaves_nothing(run: Run) -> None:
    os.kill(run.wait_there(), signal.SIGKILL)
    _, said = run.process.communicate(timeout=PATIENCE_SECONDS)
    assert run.process.returncode == 1
    assert "llm-compressor was killed (SIGKILL), most often by a system that is out of memory; nothing was made" in said
    assert run.left() == []


DIVISOR = "model.layers.1.mlp.down_proj.input_global_scale"


def test_a_checkpoint_with_an_error_is_made_and_the_exit_code_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change(bench.checkpoint, lambda tensors: tensors[DIVISOR][1].fill(float("nan")))
    monkeypatch.setattr("quantgate.quantize.making.Tools", lambda: tools(bench.root, bench.checkpoint))
    code = main(["quantize", str(bench.model), "--scheme", "NVFP4", "--calibrate", "reference", "-o", str(bench.output), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code == 1
    assert (document["inspection"]["verdict"], document["manifest"]["verdict"]) == ("fail", "fail")
    assert [one["where"] for one in document["inspection"]["findings"] if one["severity"] == "error"] == [DIVISOR]
    assert document["output"] == str(bench.output)


def test_at_the_end_it_says_what_to_do_next(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("quantgate.quantize.making.Tools", lambda: tools(bench.root, bench.checkpoint))
    assert main(["quantize", str(bench.model), "--scheme", "nvfp4", "--calibrate", "reference", "-o", str(bench.output)]) == 0
    told = capsys.readouterr().out
    assert f"\n  quantgate inspect {bench.output} --against {bench.model}\n" in told
    pasted = bench.root / "models.toml"
    pasted.write_text(told[told.index("[[family]]") :], encoding="utf-8")
    family = load(pasted).family[0]
    assert [(one.precision, one.path) for one in family.checkpoint] == [("bf16", str(bench.model)), ("nvfp4", str(bench.output))]


def test_a_stanza_names_a_hub_id_by_its_commit_and_keeps_names_apart(bench: Bench) -> None:
    made = bench.make()
    told = msgspec.structs.replace(made.manifest, base=Base(name="org/my model", revision="a" * 40, fingerprint="f"))
    text = family_stanza(msgspec.structs.replace(made, output="/models/bf16", precision="", manifest=told))
    family = msgspec.convert(tomllib.loads(text), Registry).family[0]
    assert (family.name, family.checkpoint[0].path, family.checkpoint[0].revision) == ("my-model", "org/my model", "a" * 40)
    assert (family.checkpoint[1].name, family.checkpoint[1].precision) == ("bf16-nvfp4", "nvfp4")
