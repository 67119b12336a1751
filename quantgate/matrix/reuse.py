"""What of a matrix is measured and unchanged: a record that a new one would be like, in all that a figure depends on and that is known
before anything is asked. The rest is measured again, for a reason in words.

A record from before `conditions` were recorded cannot show how it was served, and is measured again.
"""

from pathlib import Path

import msgspec

from quantgate import fingerprint
from quantgate.errors import MeasurementError, QuantgateError
from quantgate.harness import declared_fingerprint
from quantgate.judgement import Case, malformed, weights_here
from quantgate.measure import declared_conditions, declared_sampling
from quantgate.records import Answers, Measurement, Throughput, read_measurement, unfinished_of
from quantgate.registry import in_cache
from quantgate.server import versions
from quantgate.suites import HarnessSuite, Suite

IN_WORDS = {
    "checkpoint_fingerprint": "the weights are others",
    "suite_fingerprint": "the suite is another",
    "tokenizer_fingerprint": "the tokenizer is another",
    "chat_template_fingerprint": "the chat template is another",
    "sampling": "the sampling is another",
    "vllm": "vLLM is another",
    "torch": "torch is another",
    "transformers": "transformers is another",
    "device_class": "the device class is another",
    "tensor_parallel": "it was served on another number of devices",
}
"""Field of provenance → what is said where a new record's would be another; in the order in which they are looked at."""
SERVED_OTHERWISE = "it was served, or its task declared, with other settings (models.toml)"
NO_RECORD = "not measured yet"


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a new record's provenance would have. `suite_fingerprint`, `sampling`: None where only another harness will tell; what was
    declared of them is in `conditions`, with how the checkpoint is served."""

    checkpoint_fingerprint: str
    suite_fingerprint: str | None
    tokenizer_fingerprint: str
    chat_template_fingerprint: str
    sampling: dict[str, float | int | bool | str] | None
    vllm: str
    torch: str
    transformers: str
    device_class: str
    tensor_parallel: int
    conditions: str


def expected_of(case: Case, suite: Suite, device_class: str) -> Expected | str:
    """Of a new record of this case on `device_class` (with the number of its devices), or why nobody can tell; nothing is fetched."""
    checkpoint = case.checkpoint
    folder, weights = in_cache(checkpoint), weights_here(checkpoint)
    if folder is None or weights is None:
        return "its files are not on this machine, so nobody can tell whether they are the same"
    is_harness = isinstance(suite, HarnessSuite)
    sampling = declared_sampling(suite)
    try:
        declared = declared_fingerprint(suite) if isinstance(suite, HarnessSuite) else suite.fingerprint
        return Expected(
            checkpoint_fingerprint=weights,
            suite_fingerprint=None if is_harness else declared,
            tokenizer_fingerprint=fingerprint.of_tokenizer(folder),
            chat_template_fingerprint=fingerprint.of_chat_template(folder),
            sampling=None if is_harness else sampling,
            **versions(),
            device_class=device_class,
            tensor_parallel=checkpoint.serve.tensor_parallel,
            conditions=declared_conditions(checkpoint.serve, declared, sampling),
        )
    except (QuantgateError, OSError) as error:
        return f"nobody can tell whether it is the same: {error}"


def done(case: Case, suite: Suite, records: Path, device_class: str, *, stop_early: bool = False) -> Measurement | str:
    """The record of this case, where a new one would be like it; else why it is measured (again). `stop_early`: as the run would be."""
    file = records / case.family.name / case.checkpoint.name / f"{case.suite}.json"
    if unfinished_of(records, case.family.name, case.checkpoint.name, case.suite).exists():
        return "a measurement of it was interrupted, and goes on"
    if not file.is_file():
        return NO_RECORD
    try:
        found = read_measurement(file)
    except (MeasurementError, OSError) as error:
        return f"its record cannot be read: {error}"
    if (why := _not_whole(found, case, device_class, stop_early=stop_early)) is not None:
        return why
    expected = expected_of(case, suite, device_class)
    if isinstance(expected, str):
        return expected
    why = why_another(found, expected)
    return found if why is None else why


def why_another(found: Measurement, expected: Expected) -> str | None:
    """The first thing in which a new record would be another, in words, or None."""
    made = found.provenance
    for name, said in IN_WORDS.items():
        has, wanted = getattr(made, name), getattr(expected, name)
        if wanted is not None and has != wanted:
            return said if isinstance(wanted, dict) else f"{said} ({has}, now {wanted})"
    if made.conditions is None:
        return "its record does not say how it was served"
    return None if made.conditions == expected.conditions else SERVED_OTHERWISE


def _not_whole(found: Measurement, case: Case, device_class: str, *, stop_early: bool) -> str | None:
    """Why a record, whatever it was made under, is none to go by."""
    wanted = (case.family.name, case.checkpoint.name, case.checkpoint.precision, case.suite)
    if (found.family, found.checkpoint, found.precision, found.suite) != wanted:
        return f"its record is of {found.family}/{found.checkpoint} ({found.precision}) {found.suite}"
    if (why := malformed(found)) is not None:
        return f"its record was not written by a measurement: {why}"
    if isinstance(found, Answers) and found.failed:
        return f"{len(found.failed)} of its requests failed"
    if isinstance(found, Answers) and found.stopped is not None and not stop_early:
        return "it was ended early (--stop-early), and is to be asked whole"
    return _no_whole_speed(found, case, device_class) if isinstance(found, Throughput) else None


def _no_whole_speed(found: Throughput, case: Case, device_class: str) -> str | None:
    """A speed that is paired with BF16's is whole with BF16's rounds in it."""
    if found.health is not None and found.health.trouble is not None:
        return f"its device was not fit to measure speed on: {found.health.trouble}"
    if case.required_speedup(device_class) is not None and not (found.log_speedup_over_bf16 or found.bf16_decode_tps):
        return "its record has no round of BF16 beside its own, and a speed-up over BF16 is asked for"
    return None
