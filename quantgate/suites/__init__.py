"""What is asked: fixed sets of texts and questions, and loads."""

from quantgate.suites.declared import Catalogue, catalogue
from quantgate.suites.encoding import Encoded, encode
from quantgate.suites.kinds import Cut, Document, LoadSuite, Question, QuestionSuite, Scorer, Suite, TextSuite
from quantgate.suites.known import REFERENCE, SUITES, decode_16x64, reference_questions, reference_text

__all__ = [
    "REFERENCE",
    "SUITES",
    "Catalogue",
    "Cut",
    "Document",
    "Encoded",
    "LoadSuite",
    "Question",
    "QuestionSuite",
    "Scorer",
    "Suite",
    "TextSuite",
    "catalogue",
    "decode_16x64",
    "encode",
    "reference_questions",
    "reference_text",
]
