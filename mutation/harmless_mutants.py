"""Checkpoints that are as good as their source: only how they are written down has changed."""

from typing import Literal

from mutation.file_edits import configure, generate_with, tokenize_with, tokenizer
from mutation.harmless_edits import (
    add_readme,
    drop,
    halve_scales_and_divisor,
    link_to_blobs,
    negative_zeros,
    on_one_line,
    reshard,
    reverse_keys,
    rewrite,
    saved_again,
    template_inside,
)
from mutation.linears import linears
from mutation.mutant import Damage, Mutant, weights


def _harmless(name: str, summary: str, damage: Damage, source: Literal["bf16", "fp8", "nvfp4"] = "nvfp4") -> Mutant:
    return Mutant(f"harmless-{name}", source, summary, "harmless", damage)


MUTANTS = (
    _harmless("two-shards", "The weights are cut into two files with an index, as a saving library does with larger models.", reshard(2)),
    _harmless(
        "renamed-weights", "The weights are in one file of another name with an index, as a saving library numbers it.", reshard(1), "fp8"
    ),
    _harmless("tensors-reversed", "The tensors are laid out in the opposite order.", rewrite(lambda names: names[::-1])),
    _harmless(
        "fp8-tensors-by-length",
        "The tensors are laid out by the lengths of their names.",
        rewrite(lambda names: sorted(names, key=len)),
        "fp8",
    ),
    _harmless(
        "more-metadata",
        "The weights' header has metadata that nobody reads, such as the tool that wrote it.",
        rewrite(metadata={"producer": "a tool", "step": "6000"}),
    ),
    _harmless("keys-reversed", "The keys of config.json stand in the opposite order.", reverse_keys),
    _harmless("on-one-line", "Every JSON file is on one line.", on_one_line),
    _harmless("newer-transformers", "The configuration names another version of transformers.", configure(transformers_version="5.99.0")),
    _harmless("unknown-key", "The configuration has a key that nobody reads.", configure(produced_by="a tool")),
    _harmless(
        "tokenizer-saved-again", "The tokenizer's file has the truncation and padding of the program that saved it.", tokenizer(saved_again)
    ),
    _harmless(
        "bf16-tokenizer-saved-again",
        "The BF16 tokenizer's file has the truncation and padding of the program that saved it.",
        tokenizer(saved_again),
        "bf16",
    ),
    _harmless(
        "tokenizer-keys",
        "The tokenizer's configuration has keys that a saving library adds.",
        tokenize_with(is_local=True, extra_special_tokens=[]),
    ),
    _harmless(
        "generation-version", "The generation configuration names the version of its library.", generate_with(transformers_version="5.99.0")
    ),
    _harmless(
        "no-generation-config",
        "There is no generation_config.json, and config.json says the same.",
        drop("generation_config.json"),
    ),
    _harmless(
        "template-inside",
        "The chat template stands in tokenizer_config.json, where it stood before it had a file of its own.",
        template_inside,
    ),
    _harmless("readme", "A model card and .gitattributes lie beside the weights.", add_readme),
    _harmless("linked", "Every file is a link to one in another folder, as the hub's cache lays a snapshot out.", link_to_blobs),
    _harmless(
        "scales-and-divisor-halved",
        "Group scales and divisor of layer 3's o_proj are both halved, which cancels to the last bit.",
        weights(halve_scales_and_divisor(linears(3, "o_proj"))),
    ),
    _harmless("negative-zeros", "Every weight that is zero is written as minus zero.", weights(negative_zeros(linears()))),
)
