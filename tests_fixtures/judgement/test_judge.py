"""What has changed since an approval."""

from quantgate.judgement.judge import since_approval
from tests_fixtures.doubles.examples import text_loss, with_provenance


def test_what_changed_since_the_approval_is_listed_and_a_core_is_no_change() -> None:
    before = with_provenance(text_loss("nvfp4"), device_name="CPU X core 0", vllm="vllm 1", kernels=["A"])
    now = with_provenance(text_loss("nvfp4"), device_name="CPU X core 1", vllm="vllm 2", kernels=["B"], checkpoint_fingerprint="c1")
    assert since_approval(now, before) == [
        "the weights changed",
        "vllm went from vllm 1 to vllm 2",
        "kernels went from A to B",
    ]
    assert since_approval(with_provenance(before, device_name="CPU X"), before) == []
