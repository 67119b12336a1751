"""Lines of a history that the tests fill in by hand."""

import datetime

import msgspec

from quantgate.history import Line, Versions

FIRST = datetime.datetime(2026, 1, 1, 2, tzinfo=datetime.UTC)


def night(number: int, value: float | None = 800.0, **changes: object) -> Line:
    """The line of the night of this number, from 0: a speed on an H200, and nothing wrong with it."""
    at = (FIRST + datetime.timedelta(days=number)).isoformat(timespec="seconds")
    line = Line(
        at=at,
        run=f"night-{number}",
        device_class="NVIDIA H200",
        family="reference",
        checkpoint="nvfp4",
        precision="nvfp4",
        suite="decode-16x64",
        kind="throughput",
        value=value,
        estimate=0.01,
        unit="ln(decode_tps ratio)",
        interval=(-0.01, 0.03),
        n=10,
        verdict="pass",
        reason="within tolerance",
        since_approval="pass",
        tolerance=0.05,
        seconds=30.0,
        boot_seconds=60.0,
        versions=Versions(vllm="0.31.0", torch="2.13", transformers="5", driver="580"),
        kernels=["MarlinNvFp4LinearKernel"],
        device="NVIDIA H200",
        host="night-host",
        suite_fingerprint="s0",
        checkpoint_fingerprint="c0",
    )
    return msgspec.structs.replace(line, **changes)
