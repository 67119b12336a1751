"""What the programs in the harnesses' environments share: data sets from local files in the hub's place, and what is told where they fail.

Python of whatever environment they run in, and nothing of ours.
"""

import difflib
import json
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

BUILDERS = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".csv": "csv", ".tsv": "csv"}
SPLITS = ("train", "validation", "val", "dev", "test")
OFFLINE = ("OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectionError", "ConnectTimeout", "ConnectError", "MaxRetryError")
NO_NAME = re.compile(r"Tasks not found: (.+)|No inspect tasks were found at (.+)|[Tt]ask (?:named )?'?([\w./-]+)'? (?:was )?not found")


class LackingError(Exception):
    """Local files lack what the task asks for: `what`, of which data set, in which folder."""

    def __init__(self, what: str, hub: str, folder: Path) -> None:
        super().__init__(f"{hub}: {what}")
        self.what, self.hub, self.folder = what, hub, folder


def told(task: dict[str, Any], run: Callable[[dict[str, Any]], dict[str, Any]], names: Callable[[], list[str]]) -> int:
    """Run it, and write what came of it into task["told"]: what `run` returns, or {"refused": kind, …}."""
    file = Path(task["told"])
    try:
        if task.get("data"):
            keep_to(Path(task["data"]), task.get("folder") or "", task.get("aliases") or {}, lenient=bool(task.get("without_examples")))
        found = run(task)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 (whatever it is, somebody waits for a sentence)
        traceback.print_exc()
        sys.stderr.flush()
        file.write_text(json.dumps(refusal(error, names, task.get("name", ""))), encoding="utf-8")
        return 1
    file.write_text(json.dumps(found), encoding="utf-8")
    return 0


def refusal(error: BaseException, names: Callable[[], list[str]], asked: str) -> dict[str, Any]:
    """What it is, from the error and those behind it."""
    chain = causes(error)
    said = " ".join(str(one) for one in chain)
    found = of_data(chain, said) or next(
        ({"refused": "module", "module": one.name} for one in chain if isinstance(one, ModuleNotFoundError) and one.name), None
    )
    if found is None and NO_NAME.search(said) and asked not in (known := names()):
        found = {"refused": "unknown", "near": difflib.get_close_matches(asked, known, n=1, cutoff=0.5), "count": len(known)}
    last = chain[-1] if isinstance(error, SystemExit) and len(chain) > 1 else error
    return found or {"refused": "failed", "said": f"{type(last).__name__}: {' '.join(str(last).split())}"[:400]}


def of_data(chain: list[BaseException], said: str) -> dict[str, Any] | None:
    """Of data that could not be had; None where that is not what failed."""
    kinds = {kind.__name__ for one in chain for kind in type(one).__mro__}
    lacking = next((one for one in chain if isinstance(one, LackingError)), None)
    if lacking is not None:
        return {"refused": "lacking", "what": lacking.what, "hub": lacking.hub, "folder": str(lacking.folder)}
    if "GatedRepoError" in kinds or "gated dataset" in said or "gated repo" in said:
        return {"refused": "gated", "hub": hub_in(said)}
    if kinds & set(OFFLINE) or "Couldn't reach" in said or "offline mode" in said.lower():
        return {"refused": "offline", "hub": hub_in(said)}
    if {"DatasetNotFoundError", "RepositoryNotFoundError"} & kinds:
        return {"refused": "no data", "hub": hub_in(said)}
    return None


def causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found


def hub_in(said: str) -> str:
    """The data set's id that a message names."""
    found = re.search(r"(?:datasets/|[Dd]ataset '|reach ')([\w.-]+/[\w.-]+?)(?:[/'@ ]|$)", said) or re.search(r"'([\w.-]+/[\w.-]+)'", said)
    return found[1] if found else ""


def keep_to(root: Path, folder: str, aliases: dict[str, str], *, lenient: bool = False) -> None:
    """From now on `datasets` reads what the hub would be asked for from files below `root`: from `folder` there, or the one that is
    called as the data set is. `lenient`: splits that examples would be taken from may be missing, and are empty then."""
    import datasets

    plain = datasets.load_dataset

    class Splits(datasets.DatasetDict):  # type: ignore[misc]
        """All splits, and a sentence for one that the files lack."""

        whose: tuple[str, Path] = ("", root)

        def __missing__(self, split: str) -> Any:
            if lenient and str(split) in SPLITS[:-1] and self:
                return next(iter(self.values())).select(range(0))
            raise LackingError(f"it has no split {split}, only {', '.join(sorted(self))}", *self.whose)

    def load(path: str, name: str | None = None, *args: Any, split: Any = None, **more: Any) -> Any:
        if path in set(BUILDERS.values()) | {"text", "arrow"} or Path(path).exists():
            return plain(path, name, *args, split=split, **more)
        place = place_of(root, folder, path, aliases)
        files = files_of(place, name)
        if not files:
            raise LackingError("there is no file of rows in it (.jsonl, .json, .parquet, .csv)", path, place)
        wanted = str(split).partition("[")[0] if split is not None else None
        if wanted is not None and wanted not in files:
            if set(files) != {""}:
                raise LackingError(f"it has no split {wanted}, only {', '.join(sorted(files))}", path, place)
            files = {wanted: files[""]}
        kept = {key: value for key, value in more.items() if key in ("features", "keep_in_memory")}
        builder = BUILDERS[next(iter(files.values()))[0].suffix]
        named = {key or "test": [str(one) for one in several] for key, several in files.items()}
        found = plain(builder, data_files=named, split=split, **kept)
        if split is not None:
            return found
        splits = Splits(found)
        splits.whose = path, place
        return splits

    datasets.load_dataset = load


def place_of(root: Path, folder: str, hub: str, aliases: dict[str, str]) -> Path:
    """The folder, or one file, of a data set."""
    alone = hub.rpartition("/")[2]
    tried = [folder] if folder else [hub, alone, *([aliases[hub]] if hub in aliases else [])]
    for one in tried:
        if (root / one).exists():
            return root / one
    if not folder:
        for place in sorted(root.iterdir()):
            if bare(place.name) == bare(alone):
                return place
    raise LackingError(f"neither {' nor '.join(tried)} is there" if len(tried) > 1 else f"{tried[0]} is not there", hub, root)


def bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def files_of(place: Path, config: str | None) -> dict[str, list[Path]]:
    """Split → its files: by their names, or "" where one file is all there is and is called otherwise."""
    if place.is_file():
        return {"": [place]}
    within = [place / config, place] if config else [place]
    for one in [*within, *(part / "data" for part in within)]:
        files = sorted(file for file in one.glob("*") if file.suffix in BUILDERS and file.is_file()) if one.is_dir() else []
        if not files:
            continue
        found: dict[str, list[Path]] = {}
        for file in files:
            split = re.split(r"[-.]", file.name)[0]
            if split in SPLITS or split.startswith(("train_", "test_")):
                found.setdefault(split, []).append(file)
        return found or ({"": files} if len(files) == 1 else {file.stem: [file] for file in files})
    return {}
