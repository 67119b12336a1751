"""The stanza for models.toml."""

import tomllib

import msgspec

from quantgate.quantize.stanza import family_stanza
from quantgate.registry import Base, Registry
from tests_fixtures.doubles.fake_llmcompressor import Bench


def test_a_stanza_names_a_hub_id_by_its_commit_and_keeps_names_apart(bench: Bench) -> None:
    made = bench.make()
    told = msgspec.structs.replace(made.manifest, base=Base(name="org/my model", revision="a" * 40, fingerprint="f"))
    text = family_stanza(msgspec.structs.replace(made, output="/models/bf16", precision="", manifest=told))
    family = msgspec.convert(tomllib.loads(text), Registry).family[0]
    assert (family.name, family.checkpoint[0].path, family.checkpoint[0].revision) == ("my-model", "org/my model", "a" * 40)
    assert (family.checkpoint[1].name, family.checkpoint[1].precision) == ("bf16-nvfp4", "nvfp4")
