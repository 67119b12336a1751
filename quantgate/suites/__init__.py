"""What is asked: fixed sets of texts, questions and functions to be written, and loads."""

from quantgate.suites.declared import Catalogue, catalogue
from quantgate.suites.encoding import Encoded, encode
from quantgate.suites.kinds import (
    CodeSuite,
    Cut,
    Document,
    HarnessSuite,
    LoadSuite,
    Question,
    QuestionSuite,
    Scorer,
    Suite,
    Task,
    TextSuite,
)
from quantgate.suites.known import REFERENCE, SUITES, decode_16x64, reference_questions, reference_text
from quantgate.suites.length import Length, length_of
from quantgate.suites.public import PUBLIC
from quantgate.suites.room import why_no_room

__all__ = [
    "PUBLIC",
    "REFERENCE",
    "SUITES",
    "Catalogue",
    "CodeSuite",
    "Cut",
    "Document",
    "Encoded",
    "HarnessSuite",
    "Length",
    "LoadSuite",
    "Question",
    "QuestionSuite",
    "Scorer",
    "Suite",
    "Task",
    "TextSuite",
    "catalogue",
    "decode_16x64",
    "encode",
    "length_of",
    "reference_questions",
    "reference_text",
    "why_no_room",
]
