"""Programs that mean harm: what each tries, and what it must get.

In their texts FOLDER is a folder that everybody may write, PORT one that somebody listens at, PID a process of the user that the sandbox
runs as, all three outside of it; HOME is the user's home. What a program got is read off its output and, where it could touch the machine,
seen from outside.
"""

from dataclasses import dataclass

from quantgate.sandbox import Limits, Outcome

QUICK = Limits(wall_s=1.0)
DEFAULT = Limits()


@dataclass(frozen=True)
class Hostile:
    """`says` is what the end of its output must have, a regular expression."""

    name: str
    tries: str
    program: str
    outcome: Outcome
    says: str
    limits: Limits = DEFAULT


FORK_BOMB = """
import os, signal
count = 0
while True:
    try:
        if os.fork() == 0:
            signal.pause()
        count += 1
    except OSError as error:
        print(f"{count} forks, then {error}", flush=True)
        break
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
HOME_AND_PROC = """
import os
for path in (HOME + "/.ssh", HOME + "/.bash_history", "/etc/shadow", FOLDER + "/secret", "/proc/PID/environ", "/proc/PID/mem"):
    try:
        open(path).read()
    except OSError as error:
        continue
    raise SystemExit("read " + path)
seen = [pid for pid in os.listdir("/proc") if pid.isdigit()]
raise SystemExit(f"nothing read; processes seen: {len(seen)}")
"""
KILL_PARENT = """
import os, signal
os.kill(os.getppid(), signal.SIGKILL)
os.kill(1, signal.SIGTERM)
os.kill(PID, signal.SIGKILL)
"""
PTRACE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(16, PID, 0, 0) == 0:
    raise SystemExit("attached")
raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""
ZIP_BOMB = """
import zlib
packer = zlib.compressobj(1, zlib.DEFLATED, -15)
block = packer.compress(bytes(16 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
bomb = block * 640
print(f"{len(bomb) >> 10} KiB that hold 10 GiB")
unpacked = zlib.decompressobj(-15)
try:
    with open("unpacked", "wb") as file:
        while True:
            file.write(unpacked.decompress(unpacked.unconsumed_tail or bomb, 1 << 20))
except OSError as error:
    print("to a file:", error)
zlib.decompress(bomb, -15)
"""
WRITE_OUTSIDE = """
import json, os, sys
places = [FOLDER, HOME, "/", "/etc", "/usr", "/dev", "/proc/sys/kernel", "/sys"]
places += [os.path.dirname(json.__file__), os.path.dirname(sys.executable)]
refused = 0
for place in places:
    try:
        os.makedirs(place, exist_ok=True)
        open(place + "/quantgate-was-here", "w").write("x")
    except OSError as error:
        refused += 1
try:
    open("/inside.py", "a").write("x")
except OSError as error:
    print(f"{refused} of {len(places)} places refused")
    raise
"""
MOUNT = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for what, arguments in (("mount", (b"none", b"/work", b"tmpfs", 0, None)), ("unshare", (0x10000000 | 0x20000,))):
    code = getattr(libc, what)(*arguments)
    print(what, "done" if code == 0 else os.strerror(ctypes.get_errno()))
    assert code, what
raise SystemExit("both refused")
"""
SYMLINK = """
import os
os.symlink(FOLDER, "out")
for path in ("out", "/proc/1/root" + FOLDER, "/proc/1/cwd" + FOLDER, "../" * 20 + FOLDER):
    try:
        open(path + "/quantgate-was-here", "w").write("x")
    except OSError as error:
        print(type(error).__name__)
        continue
    raise SystemExit("wrote through " + path)
os.listdir("out")
"""
SIGNALS = """
import os, signal
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
for _ in range(20):
    if os.fork() == 0:
        while True:
            for number in range(1, 65):
                for target in (1, -1, os.getppid()):
                    try:
                        os.kill(target, number)
                    except OSError:
                        pass
while True:
    signal.pause()
"""
OPEN_FILES = """
held = []
try:
    for _ in range(5000):
        held.append(open("/dev/null"))
except OSError:
    print(len(held), "opened")
    raise
"""
FILL = """
import os
errors = []
for place in ("/work", "/dev/shm", "/tmp", "/", "/dev"):
    try:
        for number in range(1000):
            open(f"{place}/{number}", "wb").write(bytes(8 << 20))
    except OSError as error:
        errors.append(f"{place}: {error.strerror}")
held = sum(os.path.getsize(f"{place}/{name}") for place in ("/work", "/dev/shm") for name in os.listdir(place))
raise SystemExit(f"{held >> 20} MiB written; " + ", ".join(errors))
"""
DAEMON = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        while True:
            signal.pause()
    os._exit(0)
os.wait()
print("the daemon is on its own")
"""
ENVIRONMENT = """
import glob, os
everything = repr(dict(os.environ))
for path in glob.glob("/proc/*/environ"):
    try:
        everything += open(path).read()
    except OSError:
        pass
assert "QUANTGATE_TEST_SECRET" in everything, "no secret in " + str(sorted(os.environ))
print(everything)
"""
GUESS = """
import os
for fd in range(64):
    for guess in (b"started\\n", b"0" * 32, b"passed\\n", b"a1" * 16):
        try:
            os.write(fd, guess)
        except OSError:
            pass
os._exit(0)
"""
PATCH = """
import builtins, os, sys
real = os._exit
os.write = os.read = lambda *_: b""
os._exit = sys.exit = lambda *_: None
builtins.exec = builtins.compile = lambda *_, **__: None
builtins.AssertionError = SystemExit
sys.excepthook = lambda *_: real(0)
sys.stdout.flush = lambda: real(0)
def check():
    assert 1 == 2, "a check that is wrong"
check()
"""
FRAMES = """
import gc, os, re, sys
seen, frame = [], sys._getframe()
while frame:
    seen += [repr(value) for value in [*frame.f_locals.values(), *frame.f_globals.values()]]
    frame = frame.f_back
seen += [repr(thing) for thing in gc.get_objects() if isinstance(thing, (list, dict, tuple)) and len(thing) < 50]
seen += [repr(sys.orig_argv), open("/proc/self/cmdline").read(), repr(dict(os.environ))]
tokens = [word for text in seen for word in re.findall(r"\\b[0-9a-f]{32}\\b", text)]
raise SystemExit(f"{len(seen)} objects looked at, {len(tokens)} tokens found")
"""

PROGRAMS = (
    Hostile("fork bomb", "fork until refused, then for ever", FORK_BOMB, "timed_out", r"^30 forks, then .*unavailable", QUICK),
    Hostile("10 GiB at once", "`bytearray(10 << 30)`", "bytearray(10 << 30)", "failed", "MemoryError"),
    Hostile("endless output", "print for ever", "while True:\n    print('x' * 1000)", "too_much_output", "xxx"),
    Hostile(
        "network",
        "connect to a server on this machine",
        "import socket\nsocket.create_connection(('127.0.0.1', PORT), 5)",
        "failed",
        "ConnectionRefusedError",
    ),
    Hostile(
        "home and /proc", "read keys, shadow, another's environ and memory", HOME_AND_PROC, "failed", "nothing read; processes seen: 2"
    ),
    Hostile("kill the parent", "SIGKILL to its parent and to a process outside", KILL_PARENT, "failed", "ProcessLookupError"),
    Hostile("ptrace", "attach to a process outside", PTRACE, "failed", "(ProcessLookup|Permission)Error"),
    Hostile("zip bomb", "unpack 10 GiB, to a file and to memory", ZIP_BOMB, "failed", "(?s)to a file: .*File too large.*MemoryError"),
    Hostile("sleep for ever", "`signal.pause()`", "import signal\nsignal.pause()", "timed_out", "", QUICK),
    Hostile("compute for ever", "`while True: pass`", "while True: pass", "timed_out", "", Limits(cpu_s=1)),
    Hostile(
        "write outside",
        "a file in ten places, and in the harness",
        WRITE_OUTSIDE,
        "failed",
        "(?s)10 of 10 places refused.*Read-only file system: '/inside.py'",
    ),
    Hostile(
        "mount",
        "mount a tmpfs; a user namespace of its own, to mount there",
        MOUNT,
        "failed",
        "(?s)mount Operation not permitted.*both refused",
    ),
    Hostile("symlink out", "write through links, /proc/1/root and ..", SYMLINK, "failed", "(?s)(NotFoundError.*){5}"),
    Hostile("signal storm", "20 processes send all 64 signals to all, for ever", SIGNALS, "killed", "", QUICK),
    Hostile("thousands of files", "open 5,000", OPEN_FILES, "failed", "(?s)5. opened.*Too many open files"),
    Hostile("fill the disk", "8 MiB files without end, in five places", FILL, "failed", "128 MiB written; .*No space.*Read-only"),
    Hostile("daemon", "fork twice, setsid, ignore signals, hold the output open; then end well", DAEMON, "passed", "on its own"),
    Hostile("secrets", "read every environment there is", ENVIRONMENT, "failed", "AssertionError: no secret in"),
    Hostile("os._exit(0)", "end with code 0 before the checks", "import os\nos._exit(0)\nassert False", "failed", ""),
    Hostile("sys.exit(0)", "the same, politely", "import sys\nsys.exit(0)\nassert False", "failed", ""),
    Hostile("guessed token", "write guesses to all descriptors, exit 0", GUESS, "failed", "passed"),
    Hostile("patched harness", "replace what ends, writes, compiles and reports", PATCH, "failed", ""),
    Hostile(
        "searched harness", "look for the token in frames, objects, arguments, environment", FRAMES, "failed", "looked at, 0 tokens found"
    ),
    Hostile("read stdin", "`input()`", "input('token? ')", "failed", "EOFError"),
)
