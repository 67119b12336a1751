"""Text from elsewhere, shown as text."""

import pytest

from quantgate.plain_text import in_a_line, shown, without_secrets


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("a\x00b\x7f\x9b", "a␀b␡⟨U+009B⟩"),
        ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
        ("half \ud800 of a pair", "half ⟨U+D800⟩ of a pair"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("windows\r\nline, lone\rreturn", "windows\nline, lone␍return"),
        ("שלום 你好 😀", "שלום 你好 😀"),
    ],
)
def test_nothing_in_it_steers(text: str, said: str) -> None:
    assert shown(text) == said


def test_what_is_too_long_is_cut_with_a_note() -> None:
    assert shown("abcdef", 4) == "abcd … (2 more characters are in the record)"
    assert in_a_line(" a\n\n b\t") == "a b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("key planted-key here", "key (secret) here"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer (secret)"),
        ('{"authorization": "Basic dXNlcg=="}', '{"authorization": "Basic (secret)"}'),
        ("hf_" + "x" * 30, "(secret)"),
        ("none of it", "none of it"),
    ],
)
def test_a_secret_is_not_told(text: str, said: str) -> None:
    assert without_secrets(text, {"QUANTGATE_API_KEY": "planted-key", "HF_TOKEN": "none"}) == said
