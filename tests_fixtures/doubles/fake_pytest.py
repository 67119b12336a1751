"""Stands in for pytest where a night is tested: `script.json` beside it says which tests there are and how each ends.

A program of its own, of the standard library alone, so that a night takes a moment. It understands --collect-only, --family, --records,
--junitxml and --deselect, and notes every command line in `calls.jsonl`.
"""

import datetime
import json
import os
import signal
import sys
from pathlib import Path
from xml.sax.saxutils import quoteattr

SCRIPT = Path(sys.argv[1])
GIVEN = sys.argv[2:]


def options(name: str) -> list[str]:
    return [one.partition("=")[2] for one in GIVEN if one.startswith(f"--{name}=")]


def write(parameters: str, how: str, templates: dict[str, str]) -> None:
    """The record as if made now, and its verdict."""
    checkpoint, _, suite = parameters.partition(":")
    folder = Path(options("records")[0]) / checkpoint
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    (folder / f"{suite}.json").write_text(templates[parameters].replace("2026-01-01T00:00:00+00:00", now), encoding="utf-8")
    told = {"family": checkpoint.split("/")[0], "checkpoint": checkpoint.split("/")[1], "suite": suite, "unit": "points", "reason": how}
    (folder / f"{suite}.verdict.json").write_text(json.dumps({"verdict": how, "drop": 0.5, "n": 10, **told}), encoding="utf-8")


def test(node: str, how: str, templates: dict[str, str]) -> str:
    """Run it; its element of the JUnit file."""
    name, parameters = node.partition("::")[2], node.partition("[")[2].removesuffix("]")
    told, inside = "", ""
    if how in ("pass", "fail", "inconclusive", "error"):
        if parameters in templates:
            write(parameters, how, templates)
        told = f"<property name={quoteattr(f'quantgate: {how}')} value={quoteattr(f'{how}: {parameters}: because')} />"
        inside = f'<failure message="Failed: {how}: {parameters}: because" />' if how in ("fail", "error") else ""
    elif how == "skip":
        inside = '<skipped message="data set is gated" />'
    elif how == "boot":
        told = f"<property name='quantgate: error' value='error: {parameters}: vLLM did not boot: out of memory' />"
        inside = '<error message="failed on setup with &quot;vLLM did not boot: out of memory&quot;" />'
    elif how == "assertion":
        inside = '<failure message="AssertionError: another kernel" />'
    elif how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how in ("hang", "interrupt"):
        if how == "interrupt":
            os.kill(os.getppid(), signal.SIGTERM)
        while True:
            signal.pause()
    return f"<testcase name={quoteattr(name)}><properties>{told}</properties>{inside}</testcase>"


def main() -> int:
    script = json.loads((SCRIPT / "script.json").read_text(encoding="utf-8"))
    with (SCRIPT / "calls.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(GIVEN) + "\n")
    family = options("family")[0]
    there = [node for node in script["nodes"] if f"[{family}/" in node]
    if "--collect-only" in GIVEN:
        print(script["refusals"].get(family) or "\n".join(there))
        return 4 if family in script["refusals"] else 0 if there else 5
    done = list[str]()
    try:
        for node in there:
            if node not in options("deselect"):
                how = script["how"].get(node.partition("[")[2].removesuffix("]"), "pass")
                done.append(test(node, how, script["templates"]))
    except KeyboardInterrupt:
        return 2
    finally:
        Path(options("junitxml")[0]).write_text(f"<testsuites><testsuite>{''.join(done)}</testsuite></testsuites>", encoding="utf-8")
    return int(any("<failure" in one or "<error" in one for one in done)) if done else 5


if __name__ == "__main__":
    sys.exit(main())
