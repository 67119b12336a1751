"""A mistake of type in models.toml names family, checkpoint and setting."""

from pathlib import Path

import pytest

from quantgate.errors import ConfigurationError
from quantgate.registry import load

FAMILY = '[[family]]\nname = "a"\nsuites = ["reference-text"]\n'
CHECKPOINT = '[[family.checkpoint]]\nname = "b"\nprecision = "fp8"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FAMILY + CHECKPOINT, "checkpoint a/b: it has no path; add one"),
        (FAMILY.replace('["reference-text"]', '"reference-text"') + CHECKPOINT, "family a: suites: it must be a list, and is a string"),
        (FAMILY + CHECKPOINT + "path = 3", "checkpoint a/b: path: it must be a string, and is a whole number"),
        (
            FAMILY + CHECKPOINT + 'path = "p"\nserve = { max_model_len = "9" }',
            "checkpoint a/b: serve.max_model_len: it must be a whole number, and is a string",
        ),
        ('[[family]]\nsuites = ["x"]\ncheckpoint = []', "family number 1: it has no name; add one"),
        (FAMILY + '[[family.checkpoint]]\nprecision = "fp8"\npath = "p"', "checkpoint a/number 1: it has no name; add one"),
        ('[tolerance]\nfp8 = { accuracy_points = "2" }\n' + FAMILY, "tolerance.accuracy_points: it must be a number, and is a string"),
        (FAMILY + 'tolerance.fp8.fail_when = "soon"\n' + CHECKPOINT, "family a: tolerance.fail_when: invalid enum value 'soon'"),
    ],
)
def test_it_is_told_in_words(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        load(file)
    assert str(error.value) == f"{file}: {said}"


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    reference = Path(__file__).parents[2] / "fixtures" / "reference" / "fp8"
    file = tmp_path / "models.toml"
    file.write_text(FAMILY + CHECKPOINT + f'path = "{reference}"', encoding="utf-8-sig")
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    assert load(file).family[0].checkpoint[0].path == str(reference)
