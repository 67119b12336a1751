"""The sampling that a suite of our own will be asked with, as provenance will have it: known before anything is asked."""

from quantgate.measure.chats import sampling_of
from quantgate.measure.text_loss import SAMPLING
from quantgate.measure.throughput import sampling_of_load
from quantgate.suites import CodeSuite, HarnessSuite, LoadSuite, QuestionSuite, Suite


def declared_sampling(suite: Suite) -> dict[str, float | int | bool | str]:
    """Of another harness's task only what we tell it: what the task says by itself is known when it has run."""
    if isinstance(suite, LoadSuite):
        return sampling_of_load(suite)
    if isinstance(suite, QuestionSuite):
        return sampling_of(suite.max_tokens, suite.thinking, suite.temperature, suite.repeats)
    if isinstance(suite, CodeSuite):
        return sampling_of(suite.max_tokens, suite.thinking)
    if isinstance(suite, HarnessSuite):
        told = sampling_of(suite.max_tokens or 0, suite.thinking, suite.temperature, suite.repeats)
        return {name: value for name, value in told.items() if name != "max_tokens" or suite.max_tokens is not None}
    return SAMPLING
