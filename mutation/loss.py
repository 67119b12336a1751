"""What a checkpoint loses, without a server: the loss on each document, and which questions it answers right.

The same two things that the suites ask of a server, asked of the model itself and in batches: documents are encoded
with the BF16 checkpoint's tokenizer, questions go through the folder's own template, tokenizer and end tokens.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer
from torch.nn.functional import log_softmax

from mutation.stored import UnloadableError
from quantgate.fingerprint import read_json
from quantgate.suites.reference.questions import Question

BF16 = Path(__file__).parents[1] / "fixtures" / "reference" / "bf16"
MAX_TOKENS = 24
"""Generated for a question at most, as in the suite."""
BATCH_TOKENS = {"cuda": 400_000, "cpu": 8_000}
PADDING = 0

Item = TypeVar("Item")


class Loss(NamedTuple):
    """Nats and predicted tokens of each document; of each question whether it was answered right, to the letter."""

    nll_per_document: list[float]
    tokens_per_document: list[int]
    correct: list[bool]

    @property
    def is_void(self) -> bool:
        """Whether any document's loss is no number: then nothing can be said of the checkpoint but that it is broken."""
        return not all(map(math.isfinite, self.nll_per_document))

    @property
    def nll_per_token(self) -> float:
        return math.fsum(self.nll_per_document) / sum(self.tokens_per_document)


def loss_of(folder: Path, documents: Sequence[str], questions: Sequence[Question]) -> Loss:
    """Measure the checkpoint in `folder` on a GPU where there is one. A folder that makes no model loses NaN everywhere."""
    from mutation.model import load

    encoded = [row.ids for row in _tokenizer(BF16).encode_batch(list(documents))]
    tokens = [len(ids) - 1 for ids in encoded]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("highest")
    try:
        model = load(folder, device)
    except UnloadableError as error:
        print(f"no model: {error}", flush=True)
        return Loss([math.nan] * len(encoded), tokens, [False] * len(questions))
    with torch.inference_mode():
        if max(map(len, encoded), default=0) >= model.config.max_position_embeddings:
            return Loss([math.nan] * len(encoded), tokens, [False] * len(questions))  # no server takes such a document
        nll = text_loss(model, encoded, folder)
        if not all(map(math.isfinite, nll)):
            return Loss(nll, tokens, [False] * len(questions))
        return Loss(nll, tokens, answers(model, questions, folder))


def _tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()  # a file may bring either from the program that saved it
    tokenizer.no_truncation()
    return tokenizer


def batches(items: Sequence[Item], lengths: Sequence[int], device: str) -> Iterator[list[int]]:
    """Places of the items, shortest first, in batches of about the same number of tokens when padded."""
    batch: list[int] = []
    for place in sorted(range(len(items)), key=lambda place: lengths[place]):
        if batch and (len(batch) + 1) * lengths[place] > BATCH_TOKENS[device]:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def text_loss(model: Any, encoded: Sequence[list[int]], folder: Path) -> list[float]:
    """−Σ ln p(token | those before it) of each document, the first token given; nats."""
    from mutation.model import new_cache

    nll = [math.nan] * len(encoded)
    for batch in batches(encoded, list(map(len, encoded)), model.device.type):
        longest = max(len(encoded[place]) for place in batch)
        ids = torch.full((len(batch), longest), PADDING)
        for row, place in enumerate(batch):  # padded on the right, which a causal model never looks back from
            ids[row, : len(encoded[place])] = torch.tensor(encoded[place])
        ids = ids.to(model.device)
        logits = model(input_ids=ids, past_key_values=new_cache(folder), use_cache=True).logits[:, :-1]
        own = log_softmax(logits.float(), -1).gather(-1, ids[:, 1:, None]).squeeze(-1).double().cpu()
        for row, place in enumerate(batch):
            nll[place] = -float(own[row, : len(encoded[place]) - 1].sum())
    return nll


def end_tokens(folder: Path, tokenizer: Tokenizer) -> set[int]:
    """Where vLLM stops: at the tokenizer's own end token and at those of generation_config.json (else of config.json)."""
    own = tokenizer.token_to_id(read_json(folder / "tokenizer_config.json").get("eos_token") or "")
    file = folder / "generation_config.json"
    listed = read_json(file if file.exists() else folder / "config.json").get("eos_token_id")
    return {end for end in (own, *(listed if isinstance(listed, list) else [listed])) if end is not None}


def prompts(questions: Sequence[Question], folder: Path, tokenizer: Tokenizer) -> list[list[int]]:
    """Every question as the folder's chat template and tokenizer write it; no tokens are added to that."""
    file = folder / "chat_template.jinja"
    template = file.read_text(encoding="utf-8") if file.exists() else read_json(folder / "tokenizer_config.json")["chat_template"]
    rendering = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(template)
    texts = [rendering.render(messages=[{"role": "user", "content": asked.prompt}], add_generation_prompt=True) for asked in questions]
    return [row.ids for row in tokenizer.encode_batch(texts, add_special_tokens=False)]


def answers(model: Any, questions: Sequence[Question], folder: Path) -> list[bool]:
    """Whether the greedy answer is the right one and nothing else, question by question."""
    from mutation.model import new_cache

    tokenizer = _tokenizer(folder)
    asked, ends, right = prompts(questions, folder, tokenizer), end_tokens(folder, tokenizer), [False] * len(questions)
    # The answers' own tokens count: each takes a place in the cache.
    for batch in batches(asked, [len(ids) + MAX_TOKENS for ids in asked], model.device.type):
        said = generate(model, [asked[place] for place in batch], ends, new_cache(folder))
        for place, text in zip(batch, tokenizer.decode_batch(said, skip_special_tokens=True), strict=True):
            right[place] = text.strip() == questions[place].answer
    return right


def generate(model: Any, asked: Sequence[list[int]], ends: set[int], cache: Any) -> list[list[int]]:
    """Greedy continuations, up to an end token (left out) or MAX_TOKENS; all prompts at once, padded on the left."""
    longest, rows = max(map(len, asked)), len(asked)
    ids = torch.full((rows, longest), PADDING)
    mask = torch.zeros((rows, longest + MAX_TOKENS), dtype=torch.long)
    mask[:, longest:] = 1
    for row, prompt in enumerate(asked):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) : longest] = 1
    ids, mask = ids.to(model.device), mask.to(model.device)
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    said, ended = torch.empty((rows, 0), dtype=torch.long, device=model.device), torch.zeros(rows, dtype=torch.bool, device=model.device)
    stops, seen = torch.tensor(sorted(ends), device=model.device), 0
    for upto in range(longest, longest + MAX_TOKENS):
        logits = model(
            input_ids=ids,
            attention_mask=mask[:, :upto],
            position_ids=places[:, seen:upto],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        ids, seen = logits[:, -1].argmax(-1, keepdim=True), upto
        said = torch.cat([said, ids], -1)
        ended |= torch.isin(ids.squeeze(-1), stops)
        if bool(ended.all()):
            break
    return [_before_end(row, ends) for row in said.tolist()]


def _before_end(ids: list[int], ends: set[int]) -> list[int]:
    return ids[: next((place for place, token in enumerate(ids) if token in ends), len(ids))]
