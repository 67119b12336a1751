"""A boot up to the weights: vLLM's configuration, its model class, its loader. No server, no kernel, no device."""

from pathlib import Path
from typing import Any

import torch
from vllm.config import set_current_vllm_config
from vllm.distributed import init_distributed_environment, initialize_model_parallel
from vllm.engine.arg_utils import EngineArgs
from vllm.model_executor.layers.quantization.kv_cache import BaseKVCacheMethod
from vllm.model_executor.layers.vocab_parallel_embedding import VocabParallelEmbedding
from vllm.model_executor.model_loader import get_model_loader
from vllm.model_executor.model_loader.utils import initialize_model

from . import kernels, layers, stand_ins
from .answer import Answer
from .watch import Watch

try:
    from vllm.utils.argparse_utils import FlexibleArgumentParser
    from vllm.utils.torch_utils import set_default_torch_dtype
except ImportError:  # where they were in 2025
    from vllm.model_executor.model_loader.utils import set_default_torch_dtype  # type: ignore[attr-defined, no-redef]
    from vllm.utils import FlexibleArgumentParser  # type: ignore[attr-defined, no-redef]


def prepare() -> None:
    """Once a process."""
    torch.set_num_threads(1)  # threads of a pool would not be there in a fork
    kernels.leave_out()
    stand_ins.for_torchvision()
    stand_ins.for_the_inspection()
    stand_ins.for_a_device()


def boot(request: dict[str, Any], answer: Answer) -> None:
    """Raises whatever vLLM raises; what was found out until then stands in the answer."""
    folder = Path(request["folder"])
    with answer.stage("configuration"):
        config = _engine_args(folder, request.get("args", [])).create_engine_config()
        kernels.leave_out()  # of the quantization method, which has been imported now
    answer.tell(quantization=config.model_config.quantization)
    watch, chosen = Watch(), layers.choose(folder)
    answer.tell(layers=None if chosen is None else sorted(chosen))
    with set_current_vllm_config(config):
        init_distributed_environment(1, 0, f"file://{answer.file}.meeting", 0, backend="gloo")
        initialize_model_parallel(1, 1)
        with answer.stage("model"), set_default_torch_dtype(config.model_config.dtype), torch.device("cpu"), watch:
            model = initialize_model(vllm_config=config)
        watch.follow(model)
        with answer.stage("weights"), set_default_torch_dtype(config.model_config.dtype), watch:
            try:
                _load(config, model, watch, chosen)
            except Exception:
                answer.tell(reading=watch.reading)
                raise
        answer.tell(**_written(model, watch, chosen))
        with answer.stage("cache scales"):
            _cache_scales(model)


def _engine_args(folder: Path, args: list[str]) -> Any:
    parser = EngineArgs.add_cli_args(FlexibleArgumentParser())
    known, _ = parser.parse_known_args(["--model", str(folder), "--skip-tokenizer-init", "--enforce-eager", *args])
    return EngineArgs.from_cli_args(known)


def _load(config: Any, model: torch.nn.Module, watch: Watch, chosen: set[int] | None) -> None:
    loader: Any = get_model_loader(config.load_config)
    stored = loader.get_all_weights
    loader.get_all_weights = lambda *given: watch.stored(one for one in stored(*given) if layers.is_chosen(one[0], chosen))
    if chosen is not None:
        loader.enable_weights_track = False
    loader.load_weights(model, config.model_config)


def _written(model: torch.nn.Module, watch: Watch, chosen: set[int] | None) -> dict[str, Any]:
    """Scales of a cache have defaults, and rows that fill up a vocabulary belong to nobody."""
    optional, padded = set(), set()
    for name, module in model.named_modules():
        own = {f"{name}.{inner}" for inner, _ in module.named_parameters(recurse=False)}
        if isinstance(getattr(module, "quant_method", None), BaseKVCacheMethod):
            optional |= own
        if isinstance(module, VocabParallelEmbedding):
            padded |= own
        if _leaves_activations(getattr(module, "quant_method", None)):
            optional |= {one for one in own if one.endswith("input_scale")}
    now = dict(model.named_parameters())
    unwritten, partly = [], []
    for one in watch.parameters.values():
        if one.name in optional or one.name not in now or not layers.is_chosen(one.name, chosen):
            continue
        if now[one.name].data_ptr() != one.tensor.data_ptr():
            continue  # another tensor has been put in its place
        written = sum(one.rows)
        if not written:
            unwritten.append(one.name)
        elif written < len(one.rows) and one.name not in padded:
            partly.append([one.name, len(one.rows) - written, len(one.rows)])
    unused = sorted(watch.unused, key=lambda name: -watch.unused[name])
    return {"parameters": len(watch.parameters), "unwritten": unwritten, "partly": partly, "casts": watch.casts, "unused": unused}


def _leaves_activations(method: Any) -> bool:
    """ModelOpt's weight-only methods take a scale for activations, where one is stored, and drop it."""
    spec = getattr(method, "spec", None)
    return getattr(method, "use_a16", False) is True or (spec is not None and getattr(spec, "activation", spec) is None)


def _cache_scales(model: torch.nn.Module) -> None:
    """The one step after loading that looks at values and needs no kernel."""
    for module in model.modules():
        method = getattr(module, "quant_method", None)
        if isinstance(method, BaseKVCacheMethod):
            method.process_weights_after_loading(module)
