"""What `quantgate quantize` refuses, one sentence each, before anything is made: options, models, recipes."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from quantgate.errors import ConfigurationError
from tests_fixtures.doubles.fake_llmcompressor import Bench
from tests_fixtures.doubles.made_checkpoints import configure

Edit = Callable[[Bench], object]


def replaced(**keys: Any) -> Edit:
    return lambda bench: configure(bench.model, lambda raw: raw.update(keys))


def pickled(bench: Bench) -> None:
    (bench.model / "model.safetensors").rename(bench.model / "pytorch_model.bin")


def quantized(bench: Bench) -> None:
    bench.model = bench.checkpoint


REFUSALS: dict[str, tuple[dict[str, Any], Edit | None, str]] = {
    "unknown scheme": ({"scheme": "NVFP"}, None, r"--scheme NVFP: no such scheme \(did you mean NVFP4\?\); there are NVFP4, .*W4A16, and"),
    "uncalibrated": ({"calibrate": None}, None, r"NVFP4 needs to see activations: .*--calibrate ultrachat .*--repair-input-scales$"),
    "both": ({"repair_input_scales": True}, None, r"--repair-input-scales stands in for calibration; leave it out, or --calibrate"),
    "nothing to repair": (
        {"scheme": "FP8_DYNAMIC", "calibrate": None, "repair_input_scales": True},
        None,
        "FP8_DYNAMIC has no input scales",
    ),
    "needs no data": ({"scheme": "FP8_BLOCK"}, None, r"--scheme FP8_BLOCK uses no calibration data; leave --calibrate and --data-dir out"),
    "unknown data": ({"calibrate": "wiki"}, None, r"--calibrate wiki: no data set; name ultrachat, reference, a hub id \(org/name\), or a"),
    "no samples": ({"samples": 0}, None, r"--samples 0: at least 1 is needed"),
    "quantized": ({}, quantized, r"is quantized already \(NVFP4\); name the BF16 original"),
    "pickles": ({}, pickled, r"holds its weights as pickles alone \(pytorch_model.bin\), which run code"),
    "no config": ({}, lambda bench: (bench.model / "config.json").unlink(), r"is no model: there is no config.json in .*original; name a"),
    "own code": ({}, replaced(auto_map={"AutoModel": "m.M"}), r"brings code of its own \(auto_map in config.json\), which is not run here"),
    "experts": ({}, replaced(num_experts=8), r"has num_experts in config.json: parts of it must stay .* give it with --recipe"),
    "cut off": (
        {},
        lambda bench: os.truncate(bench.model / "model.safetensors", 300_000),
        r"is not whole: model.safetensors: 300,000 of .* bytes: cut off",
    ),
    "no rotation": ({"rotate": True}, replaced(model_type="gemma2"), r"--rotate: .* is a gemma2; .* known of llama, mistral, qwen2, qwen3"),
    "no rule": ({"calibrate": None, "repair_input_scales": True}, replaced(model_type="gemma2"), r"is a gemma2; the rule holds for llama,"),
    "no such activation": ({"calibrate": None, "repair_input_scales": True}, replaced(hidden_act="relu2"), "has the activation relu2; the"),
    "nowhere": ({"model": "./nowhere"}, None, r"./nowhere: there is no such folder, and a hub id looks like org/name"),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_left(why: str, bench: Bench) -> None:
    asked, edit, said = REFUSALS[why]
    if edit is not None:
        edit(bench)
    with pytest.raises(ConfigurationError, match=said) as error:
        bench.make("sys.exit('was run')", **asked)
    assert "\n" not in str(error.value)
    assert not bench.output.parent.exists()
