"""What every record carries."""

import msgspec

from quantgate.records import files
from quantgate.records.measurements import TextLoss
from tests_fixtures.doubles.examples import PROVENANCE, text_loss


def test_what_made_a_checkpoint_is_left_out_where_nobody_knows_and_kept_where_somebody_does() -> None:
    old = files.encode(text_loss())
    assert b"made_by" not in old
    known = msgspec.structs.replace(PROVENANCE, made_by="NVFP4 by quantgate")
    new = files.encode(text_loss(provenance=known))
    assert [files.decode(content, TextLoss, "it").provenance.made_by for content in (old, new)] == [None, "NVFP4 by quantgate"]
