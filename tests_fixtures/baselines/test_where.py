"""What `--baselines` may name, and that no secret gets through it."""

from pathlib import Path

import pytest

from quantgate.baselines import absolute, folder_of, links
from quantgate.errors import ConfigurationError


def test_folders_and_stores_stand_in_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert links("baselines, s3://bucket/team") == ["baselines", "s3://bucket/team"]
    assert folder_of("s3://bucket/team,a,b") == Path("a")
    assert folder_of("s3://bucket/team") is None
    assert absolute("a,gs://bucket/x,/b") == f"{tmp_path}/a,gs://bucket/x,/b"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("s3://AKIAXX:hunter22@bucket/x", r"^--baselines=s3://\(secret\)@bucket/x: a user or a password in a URL would stand in commands"),
        ("s3://AKIAXX@bucket/x", r"^--baselines=s3://\(secret\)@bucket/x: a user or a password"),
        ("sftp://ann:hunter22@host/x", r"^--baselines=sftp://\(secret\)@host/x: a user or a password"),
        ("a,gs://bucket/x?key=hunter22", r"^--baselines=gs://bucket/x\?\(secret\): what stands behind \?"),
        ("simplecache::s3://bucket", r"a chain of file systems \(::\) is not taken"),
        ("s4://bucket/x", r"fsspec knows no s4:// \(did you mean s3\?\)"),
        ("s3://", r"names no place"),
        ("a,,s3://AKIAXX:hunter22@bucket", r"^--baselines=a,,s3://\(secret\)@bucket: a name is empty"),
    ],
)
def test_what_cannot_be_one_is_a_sentence_without_the_secret(where: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        links(where)
    assert "hunter22" not in str(refused.value)
    assert "AKIAXX" not in str(refused.value)


@pytest.mark.parametrize("url", ["hf://datasets/org/name@revision/x", "sftp://ann@host/x", "hf://org/name@revision"])
def test_a_name_before_at_that_is_no_secret_is_taken(url: str) -> None:
    assert links(url) == [url]


def test_a_folder_as_git_has_it_is_not_taken_for_an_empty_store(tmp_path: Path) -> None:
    file = tmp_path / "cpu" / "reference" / "bf16" / "reference-text.json"
    file.parent.mkdir(parents=True)
    assert links(f"file://{tmp_path}") == [f"file://{tmp_path}"]
    file.touch()
    with pytest.raises(
        ConfigurationError, match=rf"as git has them \(cpu/reference/bf16/reference-text\.json\).*write --baselines={tmp_path}$"
    ):
        links(f"file://{tmp_path}")
    file.parents[2].rename(tmp_path / "approved")
    assert links(f"file://{tmp_path}")
