"""The files of docs/ci/: sound to their own linters, and the issues that the night opens, tells of and closes."""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate.cli.nightly import add_nightly

CI = Path(__file__).parents[1] / "docs" / "ci"
SCHEMAS = {"github-actions.yml": "vendor.github-workflows", "gitlab-ci.yml": "vendor.gitlab-ci", "buildkite.yml": "vendor.buildkite"}
GH = """#!{python}
import json, pathlib, sys
store = pathlib.Path({store!r})
issues, (what, how, *rest) = json.loads(store.read_text()), sys.argv[1:]
options = dict(zip(rest, rest[1:]))
if (what, how) == ("issue", "list"):
    print(json.dumps([{{"number": number, "title": one["title"]}} for number, one in enumerate(issues) if one["open"]]))
elif (what, how) == ("issue", "create"):
    issues.append({{"title": options["--title"], "open": True, "said": [options["--body"]]}})
elif what == "issue":
    issues[int(rest[0])]["said"].append(options.get("--body") or options["--comment"])
    issues[int(rest[0])]["open"] = how != "close"
store.write_text(json.dumps(issues))
"""


def lint(*command: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(("file", "schema"), SCHEMAS.items())
def test_a_pipeline_fits_its_schema(file: str, schema: str, tmp_path: Path) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    lint(*check, str(CI / file))
    broken = tmp_path / file
    broken.write_text((CI / file).read_text(encoding="utf-8").replace("timeout", "time_out"), encoding="utf-8")
    if file != "gitlab-ci.yml":  # whose schema takes any key of a job
        assert subprocess.run([*check, str(broken)], capture_output=True, check=False).returncode == 1


def test_actionlint_has_nothing_to_say() -> None:
    if (command := shutil.which("actionlint")) is None:
        pytest.skip("no actionlint on PATH: its package on the index fetches the program from elsewhere")
    lint(command, "-ignore", 'label "gpu" is unknown', str(CI / "github-actions.yml"))


def test_systemd_takes_the_timer_and_the_service(tmp_path: Path) -> None:
    if (command := shutil.which("systemd-analyze")) is None:
        pytest.skip("no systemd-analyze on PATH")
    for name in ("quantgate-nightly.service", "quantgate-nightly.timer"):
        text = (CI / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("%h/quantgate/.venv/bin/quantgate", sys.executable), encoding="utf-8")
    lint(command, "verify", "--man=no", *map(str, sorted(tmp_path.iterdir())))


@pytest.mark.parametrize("file", sorted(file.name for file in CI.iterdir() if "quantgate" in file.read_text(encoding="utf-8")))
def test_the_command_that_it_runs_is_one(file: str) -> None:
    lines = [line for line in (CI / file).read_text(encoding="utf-8").splitlines() if " nightly --gpu" in line]
    assert bool(lines) == (file not in ("issues.sh", "quantgate-nightly.timer"))
    for line in lines:
        parser = argparse.ArgumentParser(exit_on_error=False)
        add_nightly(parser.add_subparsers())
        words = shlex.split(f"--gpu{line.partition(' nightly --gpu')[2]}".partition("&&")[0].rstrip("'"))
        given = parser.parse_args(["nightly", *words[: words.index("--")]])
        assert (given.gpu, given.hours) == ("0,1", 8.0)


def night(folder: Path, run: str, verdict: str, since: str | None = None) -> Path:
    line: dict[str, object] = {
        "family": "f",
        "checkpoint": "nvfp4",
        "suite": "s",
        "device_class": "H200",
        "verdict": verdict,
        "since_approval": since,
    }
    line |= {"reason": "3.1 points", "value": 0.8, "versions": {"vllm": "0.32.0"} if verdict != "error" else None}
    file = folder / f"{run}.json"
    file.write_text(json.dumps({"run": run, "lines": [line]}), encoding="utf-8")
    return file


def test_a_regression_has_one_issue_that_is_told_of_again_and_closed_when_it_passes(tmp_path: Path) -> None:
    if shutil.which("jq") is None:
        pytest.skip("no jq on PATH")
    store = tmp_path / "issues.json"
    store.write_text("[]", encoding="utf-8")
    (tmp_path / "gh").write_text(GH.format(python=sys.executable, store=str(store)), encoding="utf-8")
    (tmp_path / "gh").chmod(0o755)
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    nights = [
        ("1", "pass", None),
        ("2", "fail", None),
        ("3", "error", None),
        ("4", "pass", "fail"),
        ("5", "pass", "pass"),
        ("6", "fail", None),
    ]
    seen = []
    for run, verdict, since in nights:
        subprocess.run(
            [shutil.which("bash") or "bash", str(CI / "issues.sh"), str(night(tmp_path, run, verdict, since))],
            env=env,
            check=True,
            capture_output=True,
        )
        seen.append([(one["open"], len(one["said"])) for one in json.loads(store.read_text(encoding="utf-8"))])
    assert seen == [[], [(True, 1)], [(True, 1)], [(True, 2)], [(False, 3)], [(False, 3), (True, 1)]]
    (first, second) = json.loads(store.read_text(encoding="utf-8"))
    assert first["title"] == second["title"] == "quantgate: f/nvfp4 s on H200"
    assert first["said"][0].startswith("Night 2: 3.1 points (value 0.8, vLLM 0.32.0)")
