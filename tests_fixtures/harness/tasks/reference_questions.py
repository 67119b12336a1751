"""The reference family's questions as a task of Inspect: right is what the answer is, and nothing else."""

from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import FieldSpec, json_dataset
from inspect_ai.scorer import match
from inspect_ai.solver import generate

QUESTIONS = Path(__file__).parents[3] / "quantgate" / "suites" / "reference" / "questions.jsonl"


@task
def reference_questions() -> Task:
    asked = json_dataset(str(QUESTIONS), FieldSpec(input="prompt", target="answer", id="id"))
    return Task(dataset=asked, solver=generate(), scorer=match(location="exact", ignore_case=False))
