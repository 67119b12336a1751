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


def test_what_a_loss_cost_the_client_is_left_out_of_an_older_record() -> None:
    old = files.encode(text_loss())
    assert b"client_cpu_share" not in old
    known = files.encode(msgspec.structs.replace(text_loss(), client_cpu_share=0.25))
    assert [files.decode(one, TextLoss, "it").client_cpu_share for one in (old, known)] == [None, 0.25]


def test_numerics_that_an_older_record_lacks_are_not_recorded() -> None:
    old = files.encode(text_loss())
    assert b"numerics" not in old
    known = files.encode(text_loss(provenance=msgspec.structs.replace(PROVENANCE, numerics="W4A16")))
    assert [files.decode(one, TextLoss, "it").provenance.numerics for one in (old, known)] == ["not recorded", "W4A16"]
