"""Over how many devices blocks and groups of weights can be spread: 29,568 / 2 = 14,784 is no multiple of 128."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from quantgate.checkpoint.decode import Linear
from quantgate.checkpoint.findings import Finding
from quantgate.checkpoint.promised import promised_linears
from quantgate.checkpoint.source import VLLM, Source, open_source, without_weights
from quantgate.checkpoint.structure import check_linears

ROW_PARALLEL = ("o_proj", "down_proj", "w2", "out_proj")
COLUMN_PARALLEL = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "w1", "w3")
TRIED = (1, 2, 4, 8)


def check_tensor_parallel(source: Source, linears: Sequence[Linear], asked: int | None) -> Iterator[Finding]:
    """Over how many devices the blocks and groups can be spread: a warning where the number asked for is none of them."""
    heads = source.setting("num_attention_heads")
    if not isinstance(heads, int) or not heads:
        return
    tried = sorted({*TRIED, *([asked] if asked else [])})
    fails = {count: wrong for count in tried if heads % count == 0 and (wrong := _first_split(source, linears, count))}
    works = ", ".join(str(count) for count in tried if heads % count == 0 and count not in fails) or "none"
    if asked is not None and asked in fails:
        yield Finding(
            severity="warning", area="structure", check="tensor-parallel", where="config.json",
            value=f"over {asked} devices: {fails[asked]}",
            meaning=f"vLLM {VLLM} refuses it; tensor parallelism that works: {works}",
        )  # fmt: skip
    elif asked is None and fails:
        first = min(fails)
        yield Finding(
            severity="note", area="structure", check="tensor-parallel", where="config.json",
            value=f"over {', '.join(map(str, fails))} devices it cannot be spread: {fails[first]}",
            meaning=f"tensor parallelism that works: {works}",
        )  # fmt: skip


def why_not_spread(folder: Path, count: int) -> str | None:
    """Why vLLM would refuse to spread this checkpoint over `count` devices, and over how many it would; None where it would not.

    Headers and configuration only; where there are no weights, what the configuration promises. Raises ConfigurationError for a
    folder that is no checkpoint.
    """
    has_weights = any(folder.glob("*.safetensors"))
    source = open_source(folder) if has_weights else without_weights(folder)
    heads = source.setting("num_attention_heads")
    if count == 1 or not isinstance(heads, int) or not heads:
        return None
    linears = check_linears(source, None)[0] if has_weights else promised_linears(source)
    wrong = {number: _uneven_heads(heads, number) or _first_split(source, linears, number) for number in sorted({*TRIED, count})}
    works = ", ".join(str(number) for number, told in wrong.items() if not told)
    return f"{wrong[count]}; tensor parallelism that works: {works}" if wrong[count] else None


def _uneven_heads(heads: int, count: int) -> str:
    return f"{heads} attention heads cannot be shared out evenly over {count} devices" if heads % count else ""


def _first_split(source: Source, linears: Sequence[Linear], count: int) -> str:
    return next((told for one in linears if (told := _split(source, one, count))), "")


def _split(source: Source, linear: Linear, count: int) -> str:
    """What does not divide, if anything, where the linear is spread over `count` devices."""
    scheme, last = linear.scheme, linear.name.rpartition(".")[2]
    wide = scheme.block[1] if scheme.block else scheme.group
    high = scheme.block[0] if scheme.block else None
    if count == 1:
        return ""
    if last in ROW_PARALLEL and wide and (linear.width % count or linear.width // count % wide):
        return f"{linear.width:,} / {count} = {linear.width / count:,.10g} columns of {last} are no multiple of {wide}"
    if last in COLUMN_PARALLEL and high:
        parts = count
        if last in ("k_proj", "v_proj") and isinstance(shared := source.setting("num_key_value_heads"), int):
            parts = min(count, shared)
        if linear.rows % parts or linear.rows // parts % high:
            return f"{linear.rows:,} / {parts} = {linear.rows / parts:,.10g} rows of {last} are no multiple of {high}"
    return ""
