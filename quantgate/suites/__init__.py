"""What is asked: fixed sets of texts and questions, and loads."""

from quantgate.suites.kinds import Document, LoadSuite, Question, QuestionSuite, Suite, TextSuite
from quantgate.suites.known import REFERENCE, SUITES, decode_16x64, reference_questions, reference_text

__all__ = [
    "REFERENCE",
    "SUITES",
    "Document",
    "LoadSuite",
    "Question",
    "QuestionSuite",
    "Suite",
    "TextSuite",
    "decode_16x64",
    "reference_questions",
    "reference_text",
]
