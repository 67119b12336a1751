"""What the reference family is asked, and what it was taught: two sources whose truth is known.

    words → source → text.jsonl             (the true probability of every word is known)
    words → questions → questions.jsonl     (one decidable answer each)

Its modules are its face. None needs more than numpy and `tokenizers`.
"""

__all__ = ["make_suites", "questions", "source", "words"]
