"""Under what a measurement is made, as its record has it."""

from collections.abc import Mapping
from typing import Any

from quantgate import fingerprint
from quantgate.checkpoint import declared_numerics
from quantgate.measure.numerics import numerics_of
from quantgate.records import Provenance, Started
from quantgate.registry import Serve, made_by
from quantgate.server import Serving


def provenance(server: Serving, suite: str, sampling: dict[str, Any], started: Started, seed: int = 0) -> Provenance:
    """`suite` is the suite's fingerprint; the tokenizer's and the template's are those of the checkpoint that was served."""
    serve = server.checkpoint.serve
    first, weights = server.slot.devices[0], fingerprint.of_checkpoint(server.folder)
    return Provenance(
        **server.versions(),
        driver=first.driver,
        device_name=first.name,
        device_class=server.slot.device_class,
        mig_profile=first.mig_profile,
        gpu_uuid=[device.uuid for device in server.slot.devices if device.uuid],
        tensor_parallel=serve.tensor_parallel,
        kernels=server.kernels(),
        checkpoint_fingerprint=weights,
        suite_fingerprint=suite,
        tokenizer_fingerprint=fingerprint.of_tokenizer(server.folder),
        chat_template_fingerprint=fingerprint.of_chat_template(server.folder),
        sampling=sampling,
        seed=seed,
        started=started.at,
        seconds=round(started.seconds(), 3),
        made_by=made_by(server.folder, weights),
        numerics=numerics_of(declared_numerics(server.folder), server.chosen(), serve.env),
        conditions=declared_conditions(serve, suite, sampling) if server.is_ours else None,
    )


def declared_conditions(serve: Serve, suite: str, sampling: Mapping[str, Any]) -> str:
    """What stands in a record as `conditions`: of the settings of its server, the suite's fingerprint and the sampling, as declared."""
    return fingerprint.of([serve.fingerprint, suite, dict(sampling)])
