"""The machine around a hostile program: what it could reach if the sandbox let it, and whether it did."""

import ctypes
import os
import select
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from quantgate.sandbox.bubblewrap import NOBODY, is_root

PR_SET_CHILD_SUBREAPER = 36
SECRET = "QUANTGATE_TEST_SECRET"  # noqa: S105 (its name)


class Outside:
    """A folder, a listening port, a process and a secret in the environment, all of them for everybody to touch."""

    def __enter__(self) -> Self:
        # Not under /tmp, where the sandbox has something else anyway.
        self.folder = Path(tempfile.mkdtemp(prefix="quantgate-hostile-", dir="/var/tmp"))
        self.folder.chmod(0o777)
        (self.folder / "secret").write_text("secret")
        self.server = socket.create_server(("127.0.0.1", 0))
        user = NOBODY if is_root() else None
        self.bystander = subprocess.Popen([shutil.which("cat") or "cat"], stdin=subprocess.PIPE, user=user)
        os.environ[SECRET] = "hidden"
        # Whoever loses its parent becomes our child: what outlives the sandbox shows among these.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.children = children()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        del os.environ[SECRET]
        self.server.close()
        self.bystander.kill()
        self.bystander.communicate()
        for orphan in children(ended=True) - self.children:
            os.waitpid(orphan, 0)
        shutil.rmtree(self.folder)

    def filled_in(self, program: str) -> str:
        for name, value in (("FOLDER", repr(str(self.folder))), ("HOME", repr(str(Path.home())))):
            program = program.replace(name, value)
        return program.replace("PORT", str(self.server.getsockname()[1])).replace("PID", str(self.bystander.pid))

    def touched(self) -> list[str]:
        """What is not as it was, in words."""
        found = [f"a file {path}" for path in self.folder.iterdir() if path.name != "secret"]
        found += [f"a file {path}" for path in (Path.home(), Path("/"), Path("/etc")) if (path / "quantgate-was-here").exists()]
        found += [f"a process {pid}" for pid in children() - self.children]
        if select.select([self.server], [], [], 0)[0]:
            found.append("a connection")
        if self.bystander.poll() is not None:
            found.append(f"the bystander's end, {self.bystander.returncode}")
        return found


def children(*, ended: bool = False) -> set[int]:
    """Processes whose parent this one is: those that live, or those that have ended and that nobody has waited for."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
        except OSError:  # ended meanwhile
            continue
        if int(parent) == os.getpid() and (state in "ZX") == ended:
            found.add(int(folder.name))
    return found
