"""Where a harness's program finds data sets: on the hub, or in local files in its place."""

from pathlib import PurePosixPath
from typing import Any

from quantgate.suites import PUBLIC, HarnessSuite

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


def data_for(suite: HarnessSuite) -> dict[str, Any]:
    """Of a task for the program: the folder of --data-dir, and how data sets are called in it."""
    if suite.data is None:
        return {}
    aliases = {one.hub: str(PurePosixPath(one.local).parent) for one in PUBLIC}
    return {"data": str(suite.data.resolve()), "folder": suite.folder, "aliases": aliases}
