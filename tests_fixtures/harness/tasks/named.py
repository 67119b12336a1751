"""Questions that say how a scripted server answers them."""

from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import FieldSpec, hf_dataset, json_dataset
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

FIELDS = FieldSpec(input="question", target="answer", id="question")


@task
def named() -> Task:
    return Task(dataset=json_dataset(str(Path(__file__).with_name("named.jsonl")), FIELDS), solver=generate(), scorer=includes())


@task
def from_the_hub() -> Task:
    return Task(dataset=hf_dataset("some/named", split="test", sample_fields=FIELDS), solver=generate(), scorer=includes())
