"""What a log says: why a server ended, with what to do about it; how far a boot is; which kernels run."""

from pathlib import Path

import pytest

from quantgate.server import vllm_log

ENGINE, WORKER = (
    "(EngineCore pid=13410) ERROR 11-21 07:05:18 [core.py:1503] ",
    "(Worker pid=13421) ERROR 11-21 07:05:28 [multiproc_executor.py:953] ",
)
TRACEBACK = """Traceback (most recent call last):
  File "/env/vllm/v1/engine/core.py", line 1489, in run_engine_core
    engine_core = EngineCoreProc(*args, **kwargs)
"""
FOLLOWS = [
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': 1}",
    "RuntimeError: Frontend process failed during engine core initialization. See root cause above. Failed frontend proc(s): {}",
    "Exception: WorkerProc initialization failed due to an exception in a background process. See stack trace for root cause.",
    "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause.",
]


def validation(text: str, of: str = "ModelConfig") -> str:
    """As pydantic wraps what is wrong with a configuration."""
    inputs = "[type=value_error, input_value=ArgsKwargs((), {'model': ...nderer_num_workers': 1}), input_type=ArgsKwargs]"
    visit = "    For further information visit https://errors.pydantic.dev/2.14/v/value_error"
    return f"pydantic_core._pydantic_core.ValidationError: 1 validation error for {of}\n  Value error, {text} {inputs}\n{visit}"


# The texts are those of vLLM 0.25 to 0.32 and of what they stand on, with every figure made up.
CAUSES = {
    "ValueError: Free memory on device cuda:0 (10.2/79.1 GiB) on startup is less than desired GPU memory utilization (0.9, 71.2 GiB). "
    "Decrease GPU memory utilization or reduce GPU memory used by other processes.": "the device is taken",
    "ValueError: Free memory on device cuda:0 (10.2/79.1 GiB) on startup is less than the engine's budget after excluding external "
    "process's weights (0.9, 71.2 GiB). Decrease GPU memory utilization": "the device is taken",
    "ValueError: To serve at least one request with the model's max seq len (40960), (10.00 GiB KV cache is needed, which is larger than "
    "the available KV cache memory (5.1 GiB). Based on the available memory, the estimated maximum": "no room for the KV cache",
    "ValueError: To serve at least one request with the models's max seq len (40960), (10.00 GiB KV cache is needed, which is larger than "
    "the available KV cache memory (5.1 GiB).": "no room for the KV cache",
    "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`": "no room for the KV cache",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity": "out of device memory",
    "torch.AcceleratorError: CUDA error: out of memory": "out of device memory",
    "RuntimeError: [enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you": "out of host memory",
    "ValueError: Available memory on node 0 (5.2/22.96 GiB) on startup is less than desired CPU memory utilization (0.3, 6.9 GiB). On the "
    "CPU backend, the `--gpu-memory-utilization` flag": "out of host memory",
    "ValueError: Failed to find a kernel that can implement the NVFP4 linear layer. Reasons: \n"
    "MarlinNvFp4LinearKernel: Marlin FP4 not available": "no kernel",
    "AttributeError: '_OpNamespace' '_C' object has no attribute 'cpu_gemm_wna16'": "no kernel",
    "ValueError: Forced NVFP4 kernel MarlinNvFp4LinearKernel is not supported: Marlin FP4 not available": "no kernel",
    "RuntimeError: Quantization scheme is not supported for the current GPU. Min capability: 89. Current capability: 80.": "no kernel",
    "torch.AcceleratorError: CUDA error: no kernel image is available for execution on the device": "no kernel",
    "OSError: [Errno 98] Address already in use": "the port is taken",
    "OSError: [Errno 28] No space left on device": "the disk is full",
    "OSError: [Errno 28] No space left on device: '/tmp/vllm/model.safetensors'": "the disk is full",
    "torch.distributed.DistBackendError: NCCL error in: /pytorch/NCCLUtils.cpp:94, invalid usage (run with NCCL_DEBUG=WARN for details), "
    "NCCL version 2.27.5\nncclInvalidUsage: This usually reflects invalid usage of NCCL library.\nLast error:\n"
    "Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 1000": "one GPU twice",
    "RuntimeError: NCCL error: invalid usage (run with NCCL_DEBUG=WARN for details)": "one GPU twice",
    "ValueError: Out of range float values are not JSON compliant: nan": "NaN",
    "safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered": "a damaged file",
    "OSError: It looks like the config file at '/models/x/config.json' is not a valid JSON file.": "a damaged file",
    "OSError: /models/x does not appear to have a file named config.json. Checkout 'https://huggingface.co/x/tree/main'": "a missing file",
    "RuntimeError: Cannot find any model weights with `/models/x`": "a missing file",
    "OSError: Can't load tokenizer for '/models/x'. If you were trying to load it from 'https://huggingface.co/models'": "a missing file",
    "FileNotFoundError: [Errno 2] No such file or directory: '/models/x/model-00002-of-00004.safetensors'": "a missing file",
    validation(
        "Model architectures ['FooForCausalLM'] are not supported for now. Supported architectures: dict_keys(['A"
    ): "an unknown model",
    validation(
        "Model architectures ['FooForCausalLM'] failed to be inspected. Please check the logs for more details."
    ): "an unknown model",
    validation(
        "The checkpoint you are trying to load has model type `foo9` but Transformers does not recognize this architecture. This could be "
        "because of an issue with the checkpoint, or because your version of Transformers is out of date.\n\nYou can update Transformers"
    ): "an unknown model",
    validation(
        "The repository /models/x contains custom code which must be executed to correctly load the model. You can inspect the repository "
        "content at /models/x .\n You can inspect the repository content at https://hf.co//models/x.\n"
        "Please pass the argument `trust_remote_code=True` to allow custom code to be run."
    ): "code from the checkpoint",
    validation("The quantization method modelopt is not supported for the current GPU. Minimum capability: 89.", "VllmConfig"): "no kernel",
    validation(
        "torch.float32 is not supported for quantization method auto_gptq. Supported dtypes: [torch.float16, torch.bfloat16]", "VllmConfig"
    ): "a precision of the arithmetic",
    validation("Expecting value: line 1 column 4993 (char 4992)", "VllmConfig"): "a damaged file",
}
WRITTEN = {
    "plain": "",
    "by the engine": ENGINE,
    "by a worker": WORKER,
    "by an older API server": "(APIServer pid=7) ",
    "by a rank": "[rank0]: ",
}


def written(text: str, prefix: str) -> str:
    """With what vLLM's logger, or torch, puts before every line."""
    return "".join(f"{prefix}{line}\n" for line in text.splitlines())


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("text", CAUSES, ids=[f"{kind}-{number}" for number, kind in enumerate(CAUSES.values())])
def test_a_cause_is_found_whoever_wrote_it_down(text: str, how: str) -> None:
    log = "(APIServer pid=1) INFO 11-21 07:05:08 [model.py:733] Resolved architecture: X\n" + written(TRACEBACK + text, WRITTEN[how])
    found = vllm_log.cause(log + TRACEBACK + FOLLOWS[0])
    assert found is not None
    assert found.kind == CAUSES[text]
    assert str(found).endswith(f"({found.kind}: {found.advice})")
    assert found.advice
    assert "\n" not in str(found)


@pytest.mark.parametrize("text", FOLLOWS)
def test_what_only_follows_is_no_cause(text: str) -> None:
    assert vllm_log.cause(written(TRACEBACK + text, ENGINE)) is None
    found = vllm_log.cause(written(TRACEBACK + text, "") + written(TRACEBACK + "KeyError: 'layers.9.weight'", ENGINE))
    assert found is not None
    assert (found.kind, str(found)) == ("", "KeyError: 'layers.9.weight'")


def test_what_the_engine_dumps_of_its_input_is_no_part_of_an_exception() -> None:
    dumped = "Dumping input data for V1 LLM engine (v0.32.0) with config: model='/models/x', trust_remote_code=False"
    log = written(f"{TRACEBACK}RuntimeError: Unsupported CPU attention configuration: head_dim=16 isa=2\n\n{dumped}", ENGINE)
    assert str(vllm_log.cause(log)) == "RuntimeError: Unsupported CPU attention configuration: head_dim=16 isa=2"


def test_a_remedy_is_preferred_to_the_first_exception() -> None:
    log = written(TRACEBACK + "ImportError: no flash attention here", "") + written(TRACEBACK + "MemoryError: tried 9 GiB", ENGINE)
    assert str(vllm_log.cause(log)) == "MemoryError: tried 9 GiB (out of host memory: free memory of this host, or lower cpu_offload_gb)"


def test_the_line_of_a_wrapped_error_is_what_is_wrong_not_how_often() -> None:
    found = vllm_log.cause(written(TRACEBACK + validation("max_model_len is too large"), ""))
    assert str(found) == "pydantic_core._pydantic_core.ValidationError: max_model_len is too large"


def test_a_cause_stays_short() -> None:
    found = vllm_log.cause(TRACEBACK + "ValueError: Model architectures ['X'] are not supported for now. Supported: " + "'Y', " * 500)
    assert found is not None
    assert len(found.line) == vllm_log.LONGEST_LINE


@pytest.mark.parametrize(
    "log",
    [
        "",
        "(APIServer pid=1) INFO 11-21 07:05:08 [entry.py:140] Starting vLLM server on http://127.0.0.1:49471\n",
        "(APIServer pid=1) WARNING 11-21 07:05:08 [system_utils.py:255] This can cause errors like `OSError: [Errno 24] Too many`\n",
        "UserWarning: resource_tracker: There appear to be 2 leaked shared_memory objects\n",
    ],
)
def test_a_log_without_an_exception_has_no_cause(log: str) -> None:
    assert vllm_log.cause(log) is None


def test_a_later_record_is_no_part_of_an_exception() -> None:
    warning = "(APIServer pid=1) WARNING 11-21 07:05:08 [x.py:1] FlashInfer is not supported on this GPU\n"
    assert str(vllm_log.cause(written(TRACEBACK + "KeyError: 'a'", ENGINE) + warning)) == "KeyError: 'a'"


BOOT = {
    "": "importing vLLM",
    "INFO [model.py:733] Resolved architecture: Qwen3ForCausalLM": "starting the engine",
    "INFO [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: model='/m'": "starting the engine",
    "INFO [gpu_model_runner.py:5040] Starting to load model /m...": "loading weights",
    "Loading safetensors checkpoint shards:   0% Completed | 0/4 [00:00<?, ?it/s]": "loading weights, 0 of 4 shards",
    "Loading safetensors checkpoint shards:  50% Completed | 2/4 [00:09<00:09, 4.53s/it]": "loading weights, 2 of 4 shards",
    "INFO [default_loader.py:501] Loading weights took 18.03 seconds": "weights loaded",
    "INFO [gpu_model_runner.py:5150] Model loading took 27.5 GiB memory and 19.1 seconds": "weights loaded",
    "INFO [backends.py:1166] Dynamo bytecode transform time: 4.20 s": "compiling",
    "INFO [backends.py:398] Compiling a graph for compile range (1, 2048) takes 9.10 s": "compiling",
    "INFO [gpu_worker.py:760] Available KV cache memory: 38.2 GiB": "sizing the KV cache",
    "INFO [kv_cache_utils.py:2327] GPU KV cache size: 174,720 tokens, Maximum concurrency": "sizing the KV cache",
    "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):   0%|          | 0/35 [00:00<?, ?it/s]": "capturing CUDA graphs",
    "INFO [core.py:402] init engine (profile, create kv cache, warmup model) took 30.41 s": "warming up",
    "INFO [entry.py:140] Starting vLLM server on http://127.0.0.1:49471": "opening the port",
}


def test_the_phases_of_a_boot_follow_each_other() -> None:
    log, seen = "", []
    for line in BOOT:
        log += line + "\n"
        seen.append(vllm_log.phase(log))
    assert seen == list(BOOT.values())


def test_the_share_of_the_weights_that_is_loaded_grows_from_nothing_to_one() -> None:
    log, seen = "", []
    for line in BOOT:
        log += line + "\n"
        seen.append(vllm_log.share_loaded(log))
    assert seen == [None] * 4 + [0.0, 0.5] + [1.0] * (len(BOOT) - 6)


def test_kernels_are_named_once_in_order_and_backends_of_other_things_are_none() -> None:
    log = """(Worker pid=1) INFO 11-21 07:05:28 [__init__.py:1240] Using MarlinNvFp4LinearKernel for NVFP4 GEMM
(Worker pid=1) INFO 11-21 07:05:28 [__init__.py:847] Selected CutlassFP8ScaledMMLinearKernel for ModelOptFp8LinearMethod
(Worker pid=1) INFO 11-21 07:05:28 [__init__.py:1240] Using MarlinNvFp4LinearKernel for NVFP4 GEMM
(Worker pid=1) INFO 11-21 07:05:28 [cuda.py:300] Using FLASH_ATTN for attention
"""
    assert vllm_log.kernels(log) == ["MarlinNvFp4LinearKernel", "CutlassFP8ScaledMMLinearKernel"]


def test_a_tail_is_the_last_lines_and_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert vllm_log.tail("\n".join(map(str, range(100)))).splitlines() == [str(number) for number in range(75, 100)]
    assert vllm_log.read(tmp_path / "none") == ""
    (tmp_path / "log").write_bytes(b"\xff broken\n")
    assert vllm_log.read(tmp_path / "log") == "\ufffd broken\n"


def test_a_line_that_announces_reasons_is_told_with_them() -> None:
    before = "(Worker pid=18172) ERROR 11-21 20:11:16 [multiproc_executor.py:953] "
    log = (
        f"{before}Traceback (most recent call last):\r\n"
        f"{before}ValueError: Failed to find a kernel that can implement the ScaledMM linear layer. Reasons: \r\n"
        f"{before}CPUFp8BlockScaledMMKernel requires AMX tile support (Sapphire Rapids or newer)..\n"
        "(EngineCore pid=18152) INFO 11-21 20:11:16 [multiproc_executor.py:479] [shutdown] Executor: waiting for worker exit count=1\n"
    )
    found = vllm_log.cause(log)
    assert found is not None
    assert found.line == (
        "ValueError: Failed to find a kernel that can implement the ScaledMM linear layer. Reasons: "
        "CPUFp8BlockScaledMMKernel requires AMX tile support (Sapphire Rapids or newer).."
    )
    assert found.kind == "no kernel"


INSPECTION = """Error in inspecting model architecture 'FooForCausalLM'
Traceback (most recent call last):
  File "/env/vllm/model_executor/models/registry.py", line 1569, in _run_in_subprocess
    returned.check_returncode()
subprocess.CalledProcessError: Command '['/env/bin/python', '-m', 'vllm.model_executor.models.registry']' returned non-zero exit status 1.

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/env/vllm/model_executor/models/registry.py", line 1572, in _run_in_subprocess
    raise RuntimeError(
RuntimeError: Error raised in subprocess:
<frozen runpy>:128: RuntimeWarning: 'vllm.model_executor.models.registry' found in sys.modules; this may result in MemoryError: no
Traceback (most recent call last):
  File "/env/vllm/platforms/interface.py", line 150, in device_id_to_physical_device_id
{}

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
ImportError: cannot import the model
"""
INSPECTED = validation("Model architectures ['FooForCausalLM'] failed to be inspected. Please check the logs for more details.")
UUID = "e3e1cf80-63a6-5b1d-8237-3daa43edde87"


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (f"ValueError: invalid literal for int() with base 10: 'MIG-{UUID}'", "a UUID for a number"),
        (f"ValueError: invalid literal for int() with base 10: 'GPU-{UUID}'", "a UUID for a number"),
        ("ModuleNotFoundError: No module named 'torchvision'", "a missing package"),
        ("ImportError: libcudart.so.13: cannot open shared object file: No such file or directory", "a missing file"),
        ("AttributeError: module 'torch.library' has no attribute 'opaque'", ""),
        ("RuntimeError: CUDA error: no kernel image is available for execution on the device", "no kernel"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "(APIServer pid=1) ERROR 11-27 14:33:18 [registry.py:1120] "])
def test_what_could_not_be_inspected_is_told_by_its_first_exception(first: str, kind: str, prefix: str) -> None:
    earlier = written(
        TRACEBACK + "OSError: [Errno 28] No space left on device: '/cache'", "(APIServer pid=1) ERROR 11-27 14:33:01 [x.py:9] "
    )
    found = vllm_log.cause(earlier + written(INSPECTION.format(first), prefix) + TRACEBACK + INSPECTED)
    assert found is not None
    assert (found.line, found.kind) == (first, kind)


def test_what_could_not_be_inspected_and_nobody_knows_why_is_an_unknown_model() -> None:
    found = vllm_log.cause("Error in inspecting model architecture 'FooForCausalLM'\n" + TRACEBACK + INSPECTED)
    assert found is not None
    assert found.kind == "an unknown model"
