"""Checkpoints with right weights and something wrong around them: tokenizer, template, end tokens, configuration keys."""

from mutation.file_edits import (
    begin_with,
    configure,
    exchange,
    forget_special,
    generate_with,
    shift_ids,
    template,
    tokenize_with,
    tokenizer,
)
from mutation.mutant import Damage, Mutant, both

PADDING, PAD, END = "<|endoftext|>", 0, 4


def _file(name: str, summary: str, damage: Damage) -> Mutant:
    return Mutant(f"file-{name}", "nvfp4", summary, "file", damage)


MUTANTS = (
    _file(
        "two-digits-exchanged",
        "The tokenizer gives the digits 3 and 7 each other's ids, one merge learnt before another.",
        exchange(("3", "7")),
    ),
    _file(
        "two-words-exchanged",
        "The tokenizer gives two words of the text each other's ids, where questions only count words and never see the difference.",
        exchange(("Ġbadi", "Ġzuze")),
    ),
    _file(
        "question-words-shifted",
        "The tokenizer's ids of the question words are each one further, a list that was sorted once more.",
        shift_ids([f"Ġ{word}" for word in ("add", "multiply", "remainder", "total", "median", "sort", "count", "in")]),
    ),
    _file("special-tokens-lost", "The tokenizer no longer knows its special tokens and spells them out.", tokenizer(forget_special)),
    _file(
        "beginning-token-added",
        "The tokenizer puts a token before every text, but not before a chat, whose template says what comes first.",
        begin_with("<|endoftext|>", PAD),
    ),
    _file(
        "template-begins-with-a-token",
        "The chat template puts a token before the first message that training never showed.",
        template(lambda text: "<|endoftext|>" + text),
    ),
    _file(
        "template-without-generation-prompt",
        "The chat template ends after the question and does not open an answer.",
        template(lambda text: text.replace("{{ '<|assistant|>' }}", "")),
    ),
    _file(
        "template-with-a-system-message",
        "The chat template puts a system message before every conversation, as a fine-tune's does.",
        template(lambda text: "{{ '<|system|>in<|end|>' }}" + text),
    ),
    _file(
        "template-of-another-model",
        "The chat template opens the answer with another role's token.",
        template(lambda text: text.replace("<|assistant|>", "<|system|>")),
    ),
    _file(
        "sampling-defaults-added",
        "The generation configuration samples at temperature 0.7, which counts for whoever sends no temperature.",
        generate_with(do_sample=True, temperature=0.7, top_p=0.8),
    ),
    _file(
        "end-token-wrong",
        "The model's end token is the padding token in config.json and generation_config.json, while the tokenizer knows the right one.",
        both(configure(eos_token_id=PAD), generate_with(eos_token_id=PAD)),
    ),
    _file(
        "end-token-wrong-everywhere",
        "The end token is the padding token in config.json, generation_config.json and tokenizer_config.json, and answers never end.",
        both(configure(eos_token_id=PAD), generate_with(eos_token_id=PAD), tokenize_with(eos_token=PADDING)),
    ),
    _file(
        "digit-among-the-end-tokens",
        "The generation configuration lists the id of the digit 0 as an end token, an id of the base model's vocabulary.",
        generate_with(eos_token_id=[END, 53]),
    ),
    _file(
        "context-cut-short",
        "The configuration allows 128 positions where the model was trained for 1,024.",
        configure(max_position_embeddings=128),
    ),
    _file(
        "output-layer-untied",
        "The configuration says that the output layer has weights of its own, which are not stored.",
        configure(tie_word_embeddings=False),
    ),
)
