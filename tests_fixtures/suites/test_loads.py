"""The loads that stand in models.toml: what each asks, and that approved speeds are still of the same ones."""

import json
from pathlib import Path

import msgspec
import pytest

from quantgate.suites import SUITES, LoadSuite

ROOT = Path(__file__).parents[2]
APPROVED = {
    "decode-16x64": "04f08f016ad58904",
    "decode-16x256": "af80564360fe4465",
    "decode-64x256": "f2d6e68104e95882",
    "decode-256x256": "f5a66b568467a221",
}
"""Suite → the fingerprint under which speeds were approved."""


def suite(name: str) -> LoadSuite:
    found = SUITES[name][1](None)
    assert isinstance(found, LoadSuite)
    assert found.name == name
    return found


@pytest.mark.parametrize("name", APPROVED)
def test_a_load_that_speeds_were_approved_of_is_the_same_one(name: str) -> None:
    assert suite(name).fingerprint == APPROVED[name]
    files = list((ROOT / "baselines").glob(f"*/shape-*/*/{name}.json"))
    stored = {json.loads(file.read_text(encoding="utf-8"))["provenance"]["suite_fingerprint"] for file in files}
    assert stored <= {APPROVED[name]}


def test_the_embedded_load_is_what_it_was() -> None:
    found = suite("decode-16x64")
    assert (found.concurrency, found.requests, found.prompt_tokens, found.max_tokens) == (16, 64, 16, 16)
    assert (found.rounds, found.warm_up_rounds, found.image) == (10, 1, None)


def test_a_picture_makes_another_load() -> None:
    with_picture, without = suite("decode-16x256-image"), suite("decode-16x256")
    assert with_picture.image == (448, 448)
    assert msgspec.structs.replace(with_picture, name=without.name, image=None) == without
    prints = {msgspec.structs.replace(with_picture, image=image).fingerprint for image in (None, (448, 448), (448, 224), (224, 448))}
    assert len(prints) == 4


def test_one_at_a_time_is_one_at_a_time() -> None:
    found = suite("decode-1x16")
    assert (found.concurrency, found.requests, found.max_tokens, found.rounds, found.warm_up_rounds) == (1, 1, 16, 3, 1)
