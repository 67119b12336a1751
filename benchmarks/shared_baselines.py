"""Baselines in S3 under load: two hosts' worth of processes approve and read at once; with latency; with the store stopped in the middle.

`python -m benchmarks.shared_baselines` starts moto's S3 server as a process, two "hosts" (a cache and a clone each) of two processes each,
and a little proxy between them and the store, which can delay and be cut. moto and s3fs come from the index, into uv's cache.
"""

import argparse
import contextlib
import datetime
import hashlib
import importlib.util
import json
import math
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.little_proxy import Proxy, free_port
from quantgate.baselines import approval_of, open_baselines, with_history
from quantgate.errors import BaselineError, StoreAwayError
from quantgate.records import Apart, Keep, Measurement, TextLoss, read_measurement, write_apart

ROOT = Path(__file__).resolve().parents[1]
TEXT, QUESTIONS = (read_measurement(ROOT / f"baselines/cpu/reference/bf16/reference-{name}.json") for name in ("text", "questions"))
URL, BUCKET, NAMES = "s3://team/gates", "team", ("one", "two", "three")
S3FS, MOTO = "s3fs==2026.9.0", "moto[server]==5.2.5"
WHEN = datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC)


def uv_run(*more: str) -> list[str]:
    return [str(ROOT / ".venv" / "bin" / "uv"), "run", "--quiet", "--no-project", *more]


def text(suite: str, factor: float) -> TextLoss:
    """The shipped text baseline with every loss scaled, so that each is another and any mixture of two is found out."""
    assert isinstance(TEXT, TextLoss)
    documents = [msgspec.structs.replace(one, nll_sum=one.nll_sum * factor) for one in TEXT.documents]
    nll = math.fsum(one.nll_sum for one in documents) / sum(one.tokens for one in documents)
    return msgspec.structs.replace(
        TEXT, suite=suite, documents=documents, nll_per_token=nll, perplexity=math.exp(nll), history=[], oldest=None, again=[]
    )


def into(root: Path, measured: Measurement, keep: Keep | None) -> None:
    path = root / measured.provenance.device_class / measured.family / measured.checkpoint / f"{measured.suite}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_apart(path, measured, keep)


def approve(where: str, measured: Measurement, by: str) -> bool:
    baselines = open_baselines(where)
    old = baselines.load(measured.provenance.device_class, measured.family, measured.checkpoint, measured.suite)
    baselines.approve(with_history(measured, old, approval_of(measured, "round", by, WHEN)), into)
    return True


def work(who: str, clone: Path, rounds: int, seed: int) -> None:
    """One process: approve into the store alone, read it, approve into the clone and the store, read that."""
    dice, counts, said = random.Random(seed), Counter[str](), Counter[str]()
    for number in range(rounds):
        factor, suite, other = 1 + dice.random() / 100, dice.choice(NAMES), dice.choice(NAMES)
        steps: dict[str, Callable[[], bool]] = {
            "approved": partial(approve, URL, text(suite, factor), who),
            "read": partial(_read, URL, other),
            "read through git": partial(_read, f"{clone},{URL}", f"{suite}-{who}"),
        }
        if number % 5 == 0:
            steps["approved in git"] = partial(approve, f"{clone},{URL}", text(f"{suite}-{who}", factor), who)
        for what, step in steps.items():
            try:
                if step():
                    counts[what] += 1
            except StoreAwayError as error:
                counts["away"] += 1
                said[str(error)[:160]] += 1
                time.sleep(0.2)
            except BaselineError as error:
                counts["second of two" if "approved meanwhile" in str(error) else "HALF OR LOST"] += 1
                said[str(error)[:160]] += "approved meanwhile" not in str(error)
    print(json.dumps({"counts": counts, "said": {key: value for key, value in said.items() if value}}))


def _read(where: str, suite: str) -> bool:
    """Raises BaselineError for what is not whole; False where nothing is approved yet."""
    found = open_baselines(where).load("cpu", "reference", "bf16", suite)
    return found is not None


@contextlib.contextmanager
def server(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """moto's S3, up, and ended by its id."""
    command = uv_run("--with", MOTO, "moto_server", "-H", "127.0.0.1", "-p", str(port))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        give_up = time.monotonic() + 120
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > give_up:
                sys.exit("moto's server did not come up; is the package index within reach?")
            time.sleep(0.1)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int) -> bool:
    import httpx

    try:
        return httpx.get(f"http://127.0.0.1:{port}/moto-api/", timeout=2).status_code < 500
    except httpx.HTTPError:
        return False


def s3() -> Any:
    import s3fs  # type: ignore[import-not-found]  # in an environment of its own

    return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


def hosts(root: Path, rounds: int, meanwhile: Callable[[], None] = lambda: None) -> tuple[Counter[str], Counter[str], float]:
    """Two hosts of two processes; what they counted and said, and the seconds."""
    began, running = time.monotonic(), []
    for host in ("a", "b"):
        for process in (0, 1):
            environment = os.environ | {"QUANTGATE_CACHE": str(root / f"cache-{host}")}
            command = [sys.executable, "-m", "benchmarks.shared_baselines", "--work", f"{host}{process}", str(root / f"clone-{host}")]
            running.append(
                subprocess.Popen([*command, str(rounds), str(ord(host) + process)], env=environment, cwd=ROOT, stdout=subprocess.PIPE)
            )
    meanwhile()
    counts, said = Counter[str](), Counter[str]()
    for one in running:
        out, _ = one.communicate()
        found = json.loads(out)
        counts.update(found["counts"])
        said.update(found["said"])
    return counts, said, time.monotonic() - began


def check(files: Any) -> str:
    """Every approval in the store: numbered without a gap, each on top of the one before, its items there and whole."""
    total = 0
    for suite in NAMES:
        history: list[Any] = []
        for number, file in enumerate(sorted(files.find(f"{URL}/approved/cpu/reference/bf16/{suite}")), 1):
            assert file.endswith(f"/{number:06d}.json"), file
            light = msgspec.json.decode(files.cat_file(file))
            assert light["history"][:-1] == history, f"{file} is not on top of the one before"
            history = light["history"]
            apart = msgspec.convert(light["apart"], Apart)
            content = files.cat_file(f"{URL}/objects/{apart.sha256[:2]}/{apart.sha256}")
            assert len(content) == apart.bytes
            assert hashlib.sha256(content).hexdigest() == apart.sha256
            total += 1
    return f"{total} approvals in the store, numbered without a gap, each on top of the one before, all items there and whole"


def told(title: str, counts: Counter[str], said: Counter[str], seconds: float) -> None:
    print(f"{title}: {seconds:.0f} s; " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    for sentence, count in said.most_common(3):
        print(f"    {count} x {sentence}")


def milliseconds(step: Callable[[], object], times: int = 5) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        step()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def sentence(step: Callable[[], object]) -> str:
    began = time.monotonic()
    try:
        step()
    except (BaselineError, StoreAwayError) as error:
        return f"({time.monotonic() - began:.1f} s) {error}"
    return f"({time.monotonic() - began:.1f} s) done"


def latency(proxy: Proxy, root: Path) -> None:
    os.environ["QUANTGATE_CACHE"] = str(root / "cache-late")
    for delay in (0.0, 0.05, 0.2):
        proxy.delay = delay

        def cold() -> None:
            shutil.rmtree(root / "cache-late", ignore_errors=True)
            _read(f"{root / 'clone-a'},{URL}", "mine")

        alone = milliseconds(lambda: _read(URL, "one"))
        warm = milliseconds(lambda: _read(f"{root / 'clone-a'},{URL}", "mine"))
        said = f"git + store {milliseconds(cold):.0f} ms, cached {warm:.1f} ms; store alone {alone:.0f} ms"
        print(f"latency {2000 * delay:.0f} ms a round trip: {said}")
    proxy.delay = 0.0


def stopped(process: subprocess.Popen[bytes], root: Path) -> None:
    """What is said, one after the other, of a store that hangs, is gone, and comes back empty."""
    both = f"{root / 'clone-a'},{URL}"
    in_git = partial(_read, both, "mine")
    in_git()
    os.killpg(process.pid, signal.SIGSTOP)
    print("hangs, store alone:  ", sentence(lambda: open_baselines(URL, seconds=3).load("cpu", "reference", "bf16", "one")))
    print("hangs, git + cache:  ", sentence(in_git))
    os.killpg(process.pid, signal.SIGCONT)
    print("goes on, store alone:", sentence(lambda: _read(URL, "one")))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    print("killed, store alone: ", sentence(lambda: _read(URL, "one")))
    print("killed, git + cache: ", sentence(in_git))
    kept = with_history(QUESTIONS, None, approval_of(QUESTIONS, None, "Ann", WHEN))
    print("killed, approval:    ", open_baselines(both).approve(kept, into))
    print("killed, that one:    ", sentence(lambda: _read(both, QUESTIONS.suite)))
    print("killed, approval, store alone:", sentence(lambda: approve(URL, text("one", 1.5), "Ann")))


def main() -> None:
    parser = argparse.ArgumentParser(description="Baselines in S3, by two hosts at once.")
    parser.add_argument("--rounds", type=int, default=200, metavar="N", help="of all four processes together (200)")
    parser.add_argument("--work", nargs=4, metavar=("WHO", "CLONE", "ROUNDS", "SEED"), help="one of the processes (for itself)")
    options = parser.parse_args()
    if options.work:
        who, clone, rounds, seed = options.work
        return work(who, Path(clone), int(rounds), int(seed))
    if importlib.util.find_spec("s3fs") is None:  # once more, in an environment that has it on top of this one
        environment = os.environ | {"VIRTUAL_ENV": sys.prefix}
        again = uv_run("--with", S3FS, "python", "-m", "benchmarks.shared_baselines", *sys.argv[1:])
        sys.exit(subprocess.run(again, env=environment, cwd=ROOT, check=False).returncode)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # or the server would outlive us
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, server(port) as process, Proxy(port) as proxy:
        root = Path(folder)
        os.environ |= {
            "FSSPEC_S3_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        os.environ |= {"AWS_SECRET_ACCESS_KEY": "testing-secret"}
        s3().mkdir(BUCKET)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a TextIO is one here
        told(f"{options.rounds} rounds by 4 processes on 2 hosts", *hosts(root, math.ceil(options.rounds / 4)))
        print("  ", check(s3()))

        def cut() -> None:
            for _ in range(3):
                time.sleep(4)
                proxy.down()
                time.sleep(2)
                proxy.up()

        told("the connection cut three times for 2 s", *hosts(root, math.ceil(options.rounds / 8), cut))
        print("  ", check(s3()))
        approve(f"{root / 'clone-a'},{URL}", text("mine", 1.0), "Ann")
        latency(proxy, root)
        stopped(process, root)
        with server(port):
            print("back, and empty:     ", sentence(lambda: _read(URL, "one")))
            s3().mkdir(BUCKET)
            print("back, approval:      ", sentence(lambda: approve(URL, text("one", 1.5), "Ann")))
            print("back, read:          ", sentence(lambda: _read(URL, "one")))
    return None


if __name__ == "__main__":
    main()
