"""Which of vLLM's warnings are about the checkpoint: in its own words, of many versions, each once."""

import pytest

from quantgate.server.vllm_warnings import LONGEST_WARNING, warnings

LIKELY = "This will likely reduce accuracy. Consider a checkpoint with the same global NVFP4 scale for fused weights."
ABOUT = [
    f"[modelopt.py:2055] In NVFP4 linear, the global weight scale differs across parallel layers (e.g. q_proj, k_proj, v_proj). {LIKELY}",
    f"[modelopt.py:2089] In NVFP4 linear, the global input scale differs across parallel layers (e.g. q_proj, k_proj, v_proj). {LIKELY}",
    "[compressed_tensors_w4a4_nvfp4.py:97] In NVFP4 linear, the global scale for input or weight are different for parallel layers",
    "[modelopt.py:1028] w1_weight_scale_2 must match w3_weight_scale_2. Accuracy may be affected.",
    "[compressed_tensors_moe_w4a4_nvfp4.py:208] w1_weight_global_scale must match w3_weight_global_scale. Accuracy may be affected.",
    "[quark_moe.py:836] Found input_scales that are not equal for fp8 MoE layer. Using the maximum across experts for each layer.",
    "[fp8.py:603] Found act_scales that are not equal for fp8 MoE layer. Using the maximum across experts for each layer.",
    "[kv_cache.py:163] Using KV cache scaling factor 1.0 for fp8_e4m3. If this is unintended, verify that k/v_scale scaling factors",
    "[kv_cache.py:86] Using KV cache scaling factor 1.0 for fp8_e4m3. This may cause accuracy issues. Please make sure k/v_scale",
    "[kv_cache.py:201] Using uncalibrated q_scale 1.0 and/or prob_scale 1.0 with fp8 attention. This may cause accuracy issues.",
    "[kv_cache.py:146] Checkpoint does not provide a q scaling factor. Setting it to k_scale. This only matters for FP8 Attention",
    "[marlin_utils_fp4.py:85] NVFP4 Marlin assumes the scales to be >=0, but has encountered negative scales. Accuracy will likely be",
    "[weight_utils.py:1633] Found kv_scale in the checkpoint (e.g. model.layers.0.self_attn.kv_scale), but not found the expected name",
    "[weight_tying.py:89] The config for X says the word embeddings are tied, but the checkpoint contains a different lm_head.weight",
    "[marlin.py:34] Your GPU does not have native support for FP4 computation but FP4 quantization is being used. Weight-only FP4",
    "[auto_gptq.py:244] Layer 'model.layers.3.mlp.experts' is not supported by GPTQMoeMarlin. Falling back to Moe WNA16 kernels.",
    "[utils.py:312] FooForCausalLM has no vLLM implementation, falling back to Transformers implementation. Some features may",
    "[mxfp4.py:510] No Mxfp4 MoE backend supports activation=mxfp8 for the deployment configuration. Falling back to 'MARLIN' with BF16",
]
NOT_ABOUT = [
    "[cpu.py:317] Reset SSM cache type to float32 for accelerated GDN mamba backend 'none'.",
    "[system_utils.py:255] Found ulimit of 20000 and failed to automatically increase with error current limit exceeds maximum limit.",
    "[fused_moe.py:1163] Using default MoE config. Performance might be sub-optimal! Config file not found at /env/x.json",
    "[fp8_utils.py:953] Using default W8A8 Block FP8 kernel config. Performance might be sub-optimal! Config file not found at /e.json",
    "[modelopt.py:90] Detected ModelOpt fp8 checkpoint. Please note that the format is experimental and could change.",
    "[prometheus.py:31] Found PROMETHEUS_MULTIPROC_DIR was set by user. You will find inaccurate metrics.",
    "[weight_utils.py:921] Could not release checkpoint page cache for /models/x: denied",
    "[cpu.py:224] Triton is not installed. triton-cpu is expected on x86 CPUs.",
    "[vllm.py:1621] Async scheduling will be disabled because it is not supported with the `ray` distributed executor backend.",
    "[arg_utils.py:3033] This model does not officially support prefix caching. Enabling this manually may produce incorrect outputs.",
    "[interface.py:1457] Unknown vLLM environment variable detected: VLLM_SCALES",
]


def log(*lines: str, level: str = "WARNING", process: str = "(EngineCore pid=282) ") -> str:
    return "".join(f"{process}{level} 05-30 07:12:45 {line}\n" for line in lines)


@pytest.mark.parametrize("said", ABOUT)
@pytest.mark.parametrize("process", ["(EngineCore pid=282) ", "(VllmWorker rank=5 pid=436) ", ""])
def test_a_warning_about_the_checkpoint_is_told_in_its_own_words(said: str, process: str) -> None:
    assert warnings(log(said, process=process)) == [said.partition("] ")[2]]


@pytest.mark.parametrize("said", NOT_ABOUT)
def test_a_warning_about_something_else_is_not(said: str) -> None:
    assert warnings(log(said)) == []


def test_other_levels_are_no_warnings() -> None:
    assert warnings(log(*ABOUT, level="INFO") + log(*ABOUT, level="ERROR") + "\n".join(ABOUT)) == []


def test_each_is_told_once_whichever_worker_or_layer_said_it() -> None:
    layers = [f"[auto_gptq.py:244] Layer 'model.layers.{n}.mlp.experts' is not supported by GPTQMoeMarlin. Falling back to" for n in (0, 1)]
    layers = [f"{one} Moe WNA16 kernels." for one in layers]
    names = [
        f"[weight_utils.py:1633] Found kv_scale in the checkpoint (e.g. model.layers.{n}.kv_scale), and it is not loaded." for n in (0, 1)
    ]
    both = log(*ABOUT[:2], *layers, *names) + log(*ABOUT[:2], *layers, *names, process="(Worker_TP1 pid=3) ")
    assert warnings(both) == [one.partition("] ")[2] for one in (*ABOUT[:2], layers[0], names[0])]


def test_two_scales_that_must_match_others_are_two_warnings() -> None:
    assert len(warnings(log(ABOUT[3], ABOUT[4]))) == 2


def test_a_long_warning_is_cut_at_a_word() -> None:
    (said,) = warnings(log(f"[modelopt.py:2055] In NVFP4 linear, the global  weight scale differs. {'This will. ' * 40}"))
    assert said.startswith("In NVFP4 linear, the global weight scale differs. This will.")
    assert said.endswith((" will. …", " This …"))
    assert len(said) <= LONGEST_WARNING
