"""Public data sets: rows as `datasets` reads them, from the hub or from the same files below --data-dir."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from quantgate.errors import ConfigurationError
from quantgate.registry import fetch


class PublicData(NamedTuple):
    """One split. `hub`, `revision`, `pattern`: the data set's id, a commit, and the split's files in it; `local`: where people keep
    the same rows below --data-dir. Both are read by the builder of `datasets` that the file's ending means. `columns`: what each row
    must have."""

    hub: str
    revision: str
    pattern: str
    local: str
    columns: tuple[str, ...] = ()


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
MATH500 = PublicData(
    hub="HuggingFaceH4/MATH-500",
    revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
    pattern="test.jsonl",
    local="math500/test.jsonl",
    columns=("problem", "answer", "subject", "unique_id"),
)
AIME24 = PublicData(
    hub="HuggingFaceH4/aime_2024",
    revision="2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
    pattern="data/train-*.parquet",
    local="aime24/train.jsonl",
    columns=("id", "problem", "answer"),
)
MMLU_PRO = PublicData(
    hub="TIGER-Lab/MMLU-Pro",
    revision="b189ec765aa7ed75c8acfea42df31fdae71f97be",
    pattern="data/test-*.parquet",
    local="mmlu_pro/test.jsonl",
    columns=("question_id", "question", "options", "answer", "category"),
)
GPQA = PublicData(
    hub="Idavidrein/gpqa",
    revision="633f5ee89ab8ad4522a9f850766b73f62147ffdd",
    pattern="gpqa_diamond.csv",
    local="gpqa/gpqa_diamond.jsonl",
    columns=(
        "Record ID", "High-level domain", "Question", "Correct Answer",
        "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3",
    ),
)  # fmt: skip
PUBLIC = (WIKITEXT2, ULTRACHAT, GSM8K, HUMANEVAL, MBPP, MATH500, AIME24, MMLU_PRO, GPQA)
BUILDERS = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".csv": "csv"}
"""By the file's ending; anything else is text, a row a line."""
AS_WRITTEN: dict[str, dict[str, Any]] = {"csv": {"keep_default_na": False}}
"""An option that reads None or NA is one."""


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
    told: dict[str, Any] = {"data_files": [str(file) for file in files], "split": "train", **AS_WRITTEN.get(builder, {})}
    try:
        # Its cache is for what is read often and in parts; this is read once, and a file that has changed is read anew.
        with TemporaryDirectory() as scratch:
            found = list(load_dataset(builder, cache_dir=scratch, **told))
    except (DatasetGenerationError, UnicodeDecodeError) as error:
        why = str(error.__cause__ or error).splitlines()[0]
        raise ConfigurationError(f"suite {suite}: {files[0]} is no {builder} that `datasets` reads ({why}); fetch it again") from error
    for number, row in enumerate(found, 1):
        if (lacking := next((name for name in source.columns if row.get(name) in (None, "", [])), None)) is not None:
            has = ", ".join(name for name, value in row.items() if value not in (None, "", []))
            raise ConfigurationError(f"suite {suite}: {files[0]}, row {number} has no {lacking}; it has {has}: is it {source.hub}'s?")
    return found


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
