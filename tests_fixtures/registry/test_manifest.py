"""The manifest of a checkpoint that quantgate made."""

from quantgate import fingerprint
from quantgate.checkpoint import inspect_checkpoint
from quantgate.registry import MANIFEST, made_by
from tests_fixtures.doubles.fake_llmcompressor import Bench
from tests_fixtures.doubles.made_checkpoints import change

DIVISOR = "model.layers.1.mlp.down_proj.input_global_scale"


def test_inspect_shows_the_manifest_and_notices_weights_that_were_changed_since(bench: Bench) -> None:
    bench.make()
    report = inspect_checkpoint(bench.output, bench.model)
    assert report.made_by is not None
    assert report.made_by.startswith("NVFP4 by quantgate ")
    assert "quantgate.json" not in {one.where for one in report.findings}
    before = fingerprint.of_checkpoint(bench.output)
    assert made_by(bench.output, before) == report.made_by

    change(bench.output, lambda tensors: tensors[DIVISOR][1].fill(3.0))
    stale = [one for one in inspect_checkpoint(bench.output).findings if one.where == "quantgate.json"]
    assert [(one.severity, one.check) for one in stale] == [("warning", "manifest-stale")]
    assert made_by(bench.output, fingerprint.of_checkpoint(bench.output)) is None

    (bench.output / MANIFEST).write_text("{", encoding="utf-8")
    noted = [one for one in inspect_checkpoint(bench.output).findings if one.where == "quantgate.json"]
    assert [(one.severity, one.check) for one in noted] == [("note", "manifest-unreadable")]


def test_a_manifest_is_no_part_of_a_fingerprint(bench: Bench) -> None:
    bench.make()
    before = fingerprint.of_checkpoint(bench.output)
    (bench.output / MANIFEST).unlink()
    assert fingerprint.of_checkpoint(bench.output) == before
