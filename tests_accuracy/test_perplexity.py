"""Is the text as likely to the checkpoint as to its BF16 original?"""

from pathlib import Path

import pytest

from fixtures.gate import Gate
from quantgate.measure import Sitting, measure_text_loss
from quantgate.server import Serving
from quantgate.suites import TextSuite


@pytest.mark.server
def test_perplexity_recovers(server: Serving, text_suite: TextSuite, tokenizer: Path, again: int, sitting: Sitting, gate: Gate) -> None:
    gate(measure_text_loss(server, text_suite, tokenizer, again, sitting))
