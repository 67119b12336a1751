"""What `--baselines` may name: a folder, an fsspec URL, or several of them with commas between; and never a secret.

A URL is typed, shown, repeated in commands and sent to other hosts; so credentials have no place in it, and one that holds some is refused.
"""

from pathlib import Path
from urllib.parse import urlsplit

from quantgate.errors import ConfigurationError, nearest
from quantgate.plain_text import HIDDEN

SCHEME = "://"
HAS_A_USER = ("ssh", "sftp", "abfs", "abfss", "adl", "az", "hf")
"""Schemes in whose URLs a name before @ is no secret."""
LOCAL = ("file", "local")
OF_A_STORE = ("approved", "objects")
"""What a store has at its top."""


def links(where: str) -> list[str]:
    """The folders and URLs, in order. Raises ConfigurationError for what cannot be one of them."""
    found = [part.strip() for part in where.split(",")]
    if not all(found):
        raise ConfigurationError(f"--baselines={_masked(where)}: a name is empty; write folder, or folder,s3://bucket/team")
    for one in filter(is_url, found):
        _refuse(one)
    return found


def is_url(link: str) -> bool:
    return SCHEME in link


def folder_of(where: str) -> Path | None:
    """The first folder of them, which has the history and the files for review."""
    return next((Path(one) for one in links(where) if not is_url(one)), None)


def absolute(where: str) -> str:
    """The same for a process in another folder."""
    return ",".join(one if is_url(one) else str(Path(one).absolute()) for one in links(where))


def _refuse(url: str) -> None:
    scheme, rest = url.split(SCHEME, 1)
    if (holds := _credentials(scheme, rest)) is not None:
        raise ConfigurationError(
            f"--baselines={_masked(url)}: {holds} in a URL would stand in commands, reports and logs; leave it out, and give it as fsspec "
            "takes it (the environment, fsspec's configuration, the store's own files)"
        )
    if "::" in url:
        raise ConfigurationError(f"--baselines={url}: a chain of file systems (::) is not taken; name the store alone")
    from fsspec.registry import available_protocols

    if scheme not in (known := available_protocols()):
        raise ConfigurationError(
            f"--baselines={url}: fsspec knows no {scheme}{SCHEME}{nearest(scheme, known)}; s3, gs, hf and file are some"
        )
    if not rest.strip("/"):
        raise ConfigurationError(f"--baselines={url}: it names no place; write a bucket or a folder behind {SCHEME}")
    if scheme in LOCAL and (found := _as_git_has_them(Path(rest))) is not None:
        raise ConfigurationError(
            f"--baselines={url}: baselines lie there as git has them ({found}), and a store keeps them otherwise; write --baselines={rest}"
        )


def _as_git_has_them(folder: Path) -> str | None:
    """A file where a folder of baselines would have it, and no store."""
    found = (file.relative_to(folder) for file in folder.glob("*/*/*/*.json"))
    return next((str(file) for file in found if file.parts[0] not in OF_A_STORE), None)


def _credentials(scheme: str, rest: str) -> str | None:
    user, at, _ = urlsplit(f"//{rest}").netloc.rpartition("@")
    if at and (":" in user or scheme not in HAS_A_USER):
        return "a user or a password"
    return "what stands behind ?" if "?" in rest else None


def _masked(text: str) -> str:
    """Without anything that could be a secret: what stands before @, and behind ?."""
    shown = []
    for one in text.split(","):
        scheme, mark, rest = one.partition(SCHEME)
        before, at, behind = rest.rpartition("@")
        place, question, _ = (behind if at else rest).partition("?")
        hidden = f"{HIDDEN}@" if at and before else at
        shown.append(f"{scheme}{mark}{hidden}{place}{question}{HIDDEN if question else ''}")
    return ",".join(shown)
