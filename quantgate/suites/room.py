"""Whether a suite's answers fit into the context that a server has: known before it boots, and refused by it question by question."""

from quantgate.suites.kinds import CodeSuite, QuestionSuite, Suite


def why_no_room(suite: Suite, max_model_len: int | None, whose: str) -> str | None:
    """Why no question of this suite could be answered, as a sentence about `whose` checkpoint; None where there is room, or nobody says how
    much (None)."""
    if max_model_len is None or not isinstance(suite, QuestionSuite | CodeSuite) or suite.max_tokens < max_model_len:
        return None
    asked = f"{suite.name} lets an answer have {suite.max_tokens:,} tokens, and {whose} is served with max_model_len {max_model_len:,}"
    return f"{asked}, prompt included: raise that, or declare a [[suite]] from {suite.name} with fewer max_tokens"
