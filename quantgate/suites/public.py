"""Public data sets: rows as `datasets` reads them, from the hub or from the same files below --data-dir."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from quantgate.errors import ConfigurationError
from quantgate.registry import fetch


class PublicData(NamedTuple):
    """One split. `hub`, `revision`, `pattern`: the data set's id, a commit, and the split's files in it; `local`: where people keep
    the same rows below --data-dir. Both are read by the builder of `datasets` that the file's ending means."""

    hub: str
    revision: str
    pattern: str
    local: str


WIKITEXT2 = PublicData(
    hub="Salesforce/wikitext",
    revision="b08601e04326c79dfdd32d625aee71d232d685c3",
    pattern="wikitext-2-raw-v1/test-*.parquet",
    local="wikitext2_raw/wiki.test.raw",
)
ULTRACHAT = PublicData(
    hub="HuggingFaceH4/ultrachat_200k",
    revision="8049631c405ae6576f93f445c6b8166f76f5505a",
    pattern="data/test_sft-*.parquet",
    local="chat_oasst/chat_messages.jsonl",
)
GSM8K = PublicData(
    hub="openai/gsm8k", revision="e53f048856ff4f594e959d75785d2c2d37b678ee", pattern="main/test-*.parquet", local="gsm8k/test.jsonl"
)
HUMANEVAL = PublicData(
    hub="openai/openai_humaneval",
    revision="7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
    pattern="openai_humaneval/test-*.parquet",
    local="humaneval/HumanEval.jsonl",
)
MBPP = PublicData(
    hub="google-research-datasets/mbpp",
    revision="4bb6404fdc6cacfda99d4ac4205087b89d32030c",
    pattern="sanitized/test-*.parquet",
    local="mbpp/sanitized-mbpp.json",
)
BUILDERS = {".parquet": "parquet", ".json": "json", ".jsonl": "json"}
"""By the file's ending; anything else is text, a row a line."""


def rows(source: PublicData, data: Path | None, suite: str) -> list[dict[str, Any]]:
    """The split's rows in their order; `suite` names who wants them, in messages.

    Raises ConfigurationError where the file is not below --data-dir, cannot be fetched, or is no such data.
    """
    files = _fetched(source, suite) if data is None else [data_file(data, suite, source.local)]
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError
    from datasets.utils import disable_progress_bars

    disable_progress_bars()
    builder = BUILDERS.get(files[0].suffix, "text")
    try:
        # Its cache is for what is read often and in parts; this is read once, and a file that has changed is read anew.
        with TemporaryDirectory() as scratch:
            return list(load_dataset(builder, data_files=[str(file) for file in files], split="train", cache_dir=scratch))
    except (DatasetGenerationError, UnicodeDecodeError) as error:
        why = str(error.__cause__ or error).splitlines()[0]
        raise ConfigurationError(f"suite {suite}: {files[0]} is no {builder} that `datasets` reads ({why}); fetch it again") from error


def _fetched(source: PublicData, suite: str) -> list[Path]:
    folder = fetch(source.hub, source.revision, f"suite {suite} ({source.hub})", kind="dataset", only=[source.pattern])
    files = sorted(folder.glob(source.pattern))
    if not files:
        raise ConfigurationError(
            f"suite {suite}: {source.hub} at {source.revision[:12]} has no {source.pattern}; name a folder with --data-dir"
        )
    return files


def data_file(data: Path, suite: str, name: str) -> Path:
    """A local data set's file below --data-dir; raises ConfigurationError where it is not there."""
    if not (data / name).is_file():
        raise ConfigurationError(f"--data-dir={data}: suite {suite} needs {name} in it, which is not there")
    return data / name
