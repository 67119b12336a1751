"""Whether a suite fits into the context that a server has: known before it boots, and refused by it item by item."""

from quantgate.suites.kinds import HarnessSuite, LoadSuite, Suite, TextSuite


def why_no_room(suite: Suite, max_model_len: int | None, whose: str) -> str | None:
    """Why nothing of this suite could be asked, as a sentence about `whose` checkpoint; None where there is room, or nobody says how much
    (None)."""
    if max_model_len is None or isinstance(suite, LoadSuite):
        return None
    served = f"and {whose} is served with max_model_len {max_model_len:,}"
    if isinstance(suite, TextSuite):
        window = suite.cut.window
        if window is None or window < max_model_len:
            return None
        return f"{suite.name} asks windows of {window:,} tokens, {served}: raise that above {window:,}"
    if suite.max_tokens is None or suite.max_tokens < max_model_len:
        return None
    asked = f"{suite.name} lets an answer have {suite.max_tokens:,} tokens, {served}, prompt included"
    fewer = (
        "give it fewer max_tokens" if isinstance(suite, HarnessSuite) else f"declare a [[suite]] from {suite.name} with fewer max_tokens"
    )
    return f"{asked}: raise that, or {fewer}"
