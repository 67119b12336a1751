# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#     "torch==2.13.0",
#     "transformers==5.19.0",
#     "gguf==0.19.0",
#     "tokenizers==0.23.3",
#     "safetensors==0.8.0",
#     "accelerate==1.14.0",
#     "numpy==2.4.6",
# ]
# ///
"""A model in a GGUF file as a BF16 checkpoint: weights dequantized, configuration, tokenizer and chat template beside them.

A program in an environment of its own, because what reads GGUF is needed for nothing else. Its one argument is a task in JSON: `file`,
`made` (the folder to be made) and `told` (a file for what is to be said at the end: {"versions"}). A line "phase: NAME" says what begins.
transformers 5.14, which `oneshot.py` has, takes the first of a file's special tokens for its end of turn.
"""

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

VERSIONS = ("gguf", "torch", "transformers")


def main(task: dict[str, Any]) -> int:
    run(Path(task["file"]), task["made"])
    versions = {name: importlib.metadata.version(name) for name in VERSIONS}
    Path(task["told"]).write_text(json.dumps({"versions": versions}), encoding="utf-8")
    return 0


def run(file: Path, made: str) -> None:
    print("phase: loading transformers", flush=True)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    print("phase: dequantizing", flush=True)
    source = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    # Left to itself it keeps the weights as they are in the file, and cannot save them.
    plain = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.bfloat16, quantization_config=plain)
    tokenizer = AutoTokenizer.from_pretrained(**source)

    print("phase: saving", flush=True)
    model.save_pretrained(made)
    tokenizer.save_pretrained(made)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
