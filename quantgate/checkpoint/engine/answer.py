"""What comes back from the engine's process."""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """An exception inside the engine: its kind, its own words, file and function that raised it, the line there."""

    kind: str
    text: str
    where: str = ""
    line: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`stage`: what was begun last (import, configuration, model, weights, cache scales, done); `reading`: the stored tensor under way
    when it was refused; `layers`: those that stood for all, None where all were read.

    `unwritten` are the model's parameters that nothing was written to; `partly`: parameter, rows without a value, rows; `casts`:
    parameter → from which kind of number into which, where codes and plain numbers were taken for each other; `unused`: stored
    names that nothing was made of. `ended`: why there is no whole answer, "" where there is one.
    """

    vllm: str = ""
    stage: str = "import"
    error: Problem | None = None
    reading: str = ""
    layers: list[int] | None = None
    parameters: int = 0
    unwritten: list[str] = []
    partly: list[tuple[str, int, int]] = []
    casts: dict[str, str] = {}
    unused: list[str] = []
    quantization: str | None = None
    seconds: dict[str, float] = {}
    ended: str = ""
