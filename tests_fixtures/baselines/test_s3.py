"""S3 for real: moto's server and s3fs, each in an environment of its own, through the program that maintainers measure with."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.thorough
def test_two_hosts_at_once_lose_nothing_and_a_store_that_stops_is_a_sentence() -> None:
    command = [sys.executable, "-m", "benchmarks.shared_baselines", "--rounds", "24"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "moto's server did not come up" in ended.stderr:
        pytest.skip(ended.stderr.strip().splitlines()[-1])
    said = ended.stdout
    assert ended.returncode == 0, ended.stderr
    assert "HALF" not in said
    assert said.count("numbered without a gap, each on top of the one before, all items there and whole") == 2
    assert re.search(r"hangs, store alone: .* no answer within 3 s", said)
    assert re.search(r"killed, store alone: .*cannot be reached", said)
    assert re.search(r"killed, git \+ cache: +\(0\.\d s\) done", said)
    assert re.search(r"killed, approval: +its 1,200 items stay in the file, since no store took them", said)
    assert re.search(r"back, and empty: .*there is no such bucket", said)
    assert re.search(r"back, read: .* done", said)
    assert "testing-secret" not in said + ended.stderr
    assert "Traceback" not in ended.stderr
