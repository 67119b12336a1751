"""Prompts of an exact length, that begin differently, again the same from the same seed; and when requests come due."""

import base64
import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from quantgate import fingerprint
from quantgate.errors import ConfigurationError, MeasurementError
from quantgate.measure.load import plan, prompts
from quantgate.measure.load.plan import Load, job
from quantgate.measure.load.prompts import Prompts, arrivals_ns
from quantgate.measure.load.target import parse_target

REFERENCE = Path(__file__).parents[3] / "fixtures" / "reference" / "bf16"
TEXT = (Path(__file__).parents[3] / "LICENSE").read_text(encoding="utf-8").split("\n\n")


@pytest.fixture(scope="module")
def tiny_bpe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE as Qwen's is one, with words from our licence."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=["<|end|>"], show_progress=False)
    tokenizer.train_from_iterator([*TEXT, *(word for text in TEXT for word in text.split())], trainer)
    folder = tmp_path_factory.mktemp("bpe")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(params=["words", "bpe"])
def folder(request: pytest.FixtureRequest, tiny_bpe: Path) -> Path:
    return REFERENCE if request.param == "words" else tiny_bpe


def ids(folder: Path, text: str) -> list[int]:
    return list(fingerprint.tokenizer(folder).encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("length", [1, 2, 16, 333])
def test_a_prompt_has_exactly_as_many_tokens_as_were_asked_for_also_when_a_template_strips_it(folder: Path, length: int) -> None:
    for text in Prompts(7, folder).take(20, length):
        assert len(ids(folder, text)) == len(ids(folder, text.strip())) == length


def test_no_two_prompts_begin_with_the_same_token_in_one_round_or_the_next(folder: Path) -> None:
    source = Prompts(7, folder)
    size = len(prompts.single_token_words(fingerprint.tokenizer(folder)))
    made = [text for _ in range(2) for text in source.take(min(64, size // 2), 16)]
    firsts = [ids(folder, text)[0] for text in made]
    assert len(made) > 40
    assert len(set(firsts)) == len(made)


def test_when_every_word_has_begun_a_prompt_two_begin_one_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "source_words", lambda: ("a", "b", "c"))
    made = [text.split() for text in Prompts(1).take(3 + 9, 6)]
    assert len({text[0] for text in made[:3]}) == 3
    assert len({tuple(text[:2]) for text in made[3:]}) == 9
    with pytest.raises(MeasurementError, match="4 prompts of 1 token cannot all begin differently, there are 3 words"):
        Prompts(1).take(4, 1)


def test_the_seed_decides_the_prompts() -> None:
    assert Prompts(7, REFERENCE).take(5, 16) == Prompts(7, REFERENCE).take(5, 16)
    firsts, others = ([text.split()[0] for text in Prompts(seed, REFERENCE).take(9, 16)] for seed in (7, 8))
    assert firsts != others


def test_without_a_tokenizer_a_length_counts_words() -> None:
    assert [len(text.split(" ")) for text in Prompts(7).take(9, 12)] == [12] * 9


def test_a_tokenizer_without_whole_words_is_refused(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.BPE(vocab={"?": 0, "!": 1}, merges=[]))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(MeasurementError, match=r"has 0 words that are one token each.*use another checkpoint's tokenizer"):
        Prompts(7, tmp_path)
    with pytest.raises(ConfigurationError, match=r"holds no tokenizer\.json"):
        Prompts(7, tmp_path / "nowhere")


def test_a_prompt_that_never_comes_out_at_its_length_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Prompts(7, REFERENCE)
    monkeypatch.setattr(prompts, "encoded", lambda *_: [1, 2, 3])
    with pytest.raises(MeasurementError, match="no prompt of 16 tokens came out of 50 tries, the last of 3"):
        source.take(1, 16)


def test_requests_at_a_rate_come_due_as_a_poisson_process_does() -> None:
    rate, count = 20.0, 4000
    due = arrivals_ns(count, rate, seed=3)
    gaps = [(after - before) / 1e9 for before, after in zip([0, *due], due, strict=False)]
    # Exponential gaps: mean and standard deviation are both 1 / rate; 4 standard errors of the mean are 6 % here.
    assert fmean(gaps) == pytest.approx(1 / rate, rel=4 / math.sqrt(count))
    assert stdev(gaps) == pytest.approx(1 / rate, rel=0.1)
    assert sum(gap > 1 / rate for gap in gaps) / count == pytest.approx(math.exp(-1), abs=0.03)
    assert due == arrivals_ns(count, rate, seed=3) != arrivals_ns(count, rate, seed=4)


def unpacked(png: bytes) -> tuple[tuple[int, ...], bytes]:
    """Header and raw rows; every chunk's checksum is verified."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, found = 8, {}
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        kind, content = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0] == zlib.crc32(kind + content)
        found[kind] = content
        place += 12 + length
    assert list(found) == [b"IHDR", b"IDAT", b"IEND"]
    return struct.unpack(">IIBBBBB", found[b"IHDR"]), zlib.decompress(found[b"IDAT"])


@pytest.mark.parametrize("size", [(64, 48), (17, 33), (1, 1)])
def test_a_picture_is_a_png_of_its_size_and_another_one_from_another_seed(size: tuple[int, int]) -> None:
    header, rows = unpacked(plan.png(5, *size))
    assert header == (*size, 8, 2, 0, 0, 0)
    assert len(rows) == (1 + 3 * size[0]) * size[1]
    assert set(rows[:: 1 + 3 * size[0]]) == {0}
    assert plan.png(5, *size) == plan.png(5, *size) != plan.png(6, *size)


def test_pillow_reads_the_picture() -> None:
    pillow = pytest.importorskip("PIL.Image")  # it comes with vLLM, not with us
    io = pytest.importorskip("io")
    picture = pillow.open(io.BytesIO(base64.b64decode(plan.data_url(5, 40, 20).partition(",")[2])))
    picture.load()
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (40, 20))


def test_every_round_has_prompts_and_times_of_its_own() -> None:
    load, source = Load(2, 8, 4, 3, request_rate=5, image=(8, 8)), Prompts(0)
    one, two = (job(load, parse_target("http://h", "m"), source, number) for number in range(2))
    assert not set(one.bodies) & set(two.bodies)
    assert len(set(one.bodies)) == 8
    assert one.due_ns != two.due_ns


REFUSED: dict[str, Callable[[], object]] = {
    "concurrency is 0; it must be at least 1": lambda: Load(0, 1, 1, 1),
    "prompt_tokens is -1; it must be at least 1": lambda: Load(1, 1, 1, -1),
    "clients is 0; it must be at least 1": lambda: Load(1, 1, 1, 1, clients=0),
    "request_rate is 0; it must be above 0": lambda: Load(1, 1, 1, 1, request_rate=0),
    "request_rate is nan; it must be above 0": lambda: Load(1, 1, 1, 1, request_rate=math.nan),
    "image is 0x9; each side must lie between 1 and 8192": lambda: Load(1, 1, 1, 1, image=(0, 9)),
    "'localhost:8000' is no base URL of a server; give one such as": lambda: parse_target("localhost:8000", "m"),
    "'ftp://host' is no base URL": lambda: parse_target("ftp://host", "m"),
    "'http://host:99999999' is no base URL": lambda: parse_target("http://host:99999999", "m"),
    "'a URL with a name or password in it' is no base URL": lambda: parse_target("http://me:secret@host", "m"),
    "the key has a character in it that no HTTP header may carry": lambda: parse_target("http://host", "m", "secret\r\nX: y"),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_cannot_be_asked_is_refused_in_a_sentence(said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        REFUSED[said]()
    assert said in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_a_base_url_may_end_in_v1_or_not(url: str) -> None:
    assert parse_target(url, "m").place.path == "/v1/chat/completions"
    assert parse_target(url, "m").root == "http://h:1"


def test_a_path_before_v1_and_the_port_of_the_scheme_are_kept() -> None:
    place = parse_target("https://h.example/openai/v1", "m").place
    assert (place.host, place.port, place.tls, place.path) == ("h.example", 443, True, "/openai/v1/chat/completions")
