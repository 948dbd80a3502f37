"""Artefacts on the Hugging Face hub: fetched by name, pushed, and never asked for where a path was meant.

A path that exists is taken. A name such as ``name/repo`` is looked for on the hub, which is said in the log; whatever
looks like a path, or begins with a folder that is here, is not. What is fetched is read as any folder is: its manifest
and files are checked, and nothing in it runs code.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genrec.errors import ArtifactError, ConfigError

logger = logging.getLogger(__name__)

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w][\w.-]*")
_LONGEST = 96  # signs of either part, as the hub has it


def is_hub_id(name: Path | str) -> bool:
    """Whether a name is one of the hub: a text such as ``name/repo`` that is no path of this machine.

    >>> is_hub_id("ann/shop-model"), is_hub_id("./ann/shop-model"), is_hub_id(Path("ann/shop-model"))
    (True, False, False)
    """
    if not isinstance(name, str) or not _ID.fullmatch(name) or os.path.lexists(name):
        return False
    owner, _, repo = name.partition("/")
    return max(len(owner), len(repo)) <= _LONGEST and ".." not in name and not Path(owner).is_dir()


def at_hand(name: Path | str, kind: str, revision: str | None = None, token: str | None = None) -> Path:
    """The folder of an artefact: itself, or where a repository of the hub was fetched to.

    Args:
        name: A folder, or the id of a repository.
        kind: What it should be, for messages.
        revision: Branch, tag or commit on the hub; None: its main branch.
        token: For private repositories; that of ``hf auth login`` or ``HF_TOKEN`` where not given.

    Raises:
        ConfigError: A revision of something that is not on the hub.
        ArtifactError: The hub cannot be reached, or has no such repository or revision.
    """
    if not isinstance(name, str | os.PathLike):
        raise ConfigError(
            f"The {kind} is given by {type(name).__name__}.", where=kind, expected="a folder, or name/repo of the hub"
        )
    if not is_hub_id(name):
        if revision is not None:
            raise ConfigError(
                f"Only repositories of the hub have revisions, and '{name}' is none.",
                where="revision",
                expected="name/repo, which is no path here",
                hint="Leave revision out for a folder of this machine.",
            )
        return Path(name)
    from huggingface_hub import snapshot_download

    logger.info("'%s' is no folder here: looking for it on the hub.", name)
    with _told(str(name), kind, revision):
        found = snapshot_download(
            str(name), revision=revision, token=token, library_name="genrec", endpoint=_endpoint()
        )
    return Path(found)


def shown_place(folder: Path) -> Path:
    """A folder, or ``name/repo`` where it was fetched from the hub: what a person would call it.

    >>> shown_place(Path("/cache/models--ann--shop/snapshots/0123abcd")).as_posix()
    'ann/shop'
    """
    kept, part = folder.parent.parent.name, folder.parent.name
    owner, _, repo = kept.removeprefix("models--").partition("--")
    return Path(owner, repo) if kept.startswith("models--") and part == "snapshots" and repo else folder


def push_folder(
    folder: Path,
    repo_id: str,
    *,
    private: bool = True,
    revision: str | None = None,
    message: str | None = None,
    token: str | None = None,
) -> str:
    """Make a repository hold exactly what a folder holds.

    Args:
        folder: What to push.
        repo_id: ``name/repo``; it is made where it is not there.
        private: Whether only its owner sees a repository that is made; one that is there stays as it is.
        revision: Branch, made where it is not there; None: the main branch.
        message: Of the commit.
        token: As in :func:`at_hand`; it must be one that may write.

    Returns:
        The address of the commit.

    Raises:
        ConfigError: The id is none.
        ArtifactError: The hub cannot be reached, or refuses.
    """
    if not _ID.fullmatch(repo_id):
        raise ConfigError(f"'{repo_id}' is no id of a repository.", where="repo_id", expected="name/repo")
    from huggingface_hub import HfApi

    api = HfApi(endpoint=_endpoint(), token=token, library_name="genrec")
    with _told(repo_id, "repository", revision):
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        made: Any = api.upload_folder(
            repo_id=repo_id,
            folder_path=str(folder),
            revision=revision,
            commit_message=message or "Upload with genrec",
            delete_patterns="*",
        )
    return str(made.commit_url)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _told(repo_id: str, kind: str, revision: str | None) -> Iterator[None]:
    """One error for each kind of trouble with the hub."""
    from huggingface_hub import errors

    here = f"If a path was meant: there is no folder '{repo_id}' here."
    try:
        yield
    except errors.RevisionNotFoundError:
        raise ArtifactError(f"The repository '{repo_id}' has no revision '{revision}'.", where="hub") from None
    except (errors.RepositoryNotFoundError, errors.GatedRepoError):
        raise ArtifactError(
            f"The hub has no {kind} '{repo_id}' that you may see.",
            where="hub",
            expected="a public repository, or a token that may read it",
            hint=f"{here} For a private repository: hf auth login (token=... in Python)",
        ) from None
    except (errors.HfHubHTTPError, errors.HFValidationError) as error:
        raise ArtifactError(f"The hub refuses '{repo_id}': {_first_line(error)}", where="hub") from None
    except Exception as error:
        if not _is_transport(error):
            raise
        raise ArtifactError(
            f"'{repo_id}' is no folder here, and the hub cannot be asked: {_first_line(error)}",
            where="hub",
            expected=f"a folder of a {kind}, a connection to the hub, or what was fetched before",
            hint="Is there a connection? HF_HUB_OFFLINE=1 turns it off. Or give the path of a folder.",
        ) from None


def _is_transport(error: Exception) -> bool:
    """Whether the hub could not be reached, or is not to be."""
    from huggingface_hub import errors

    offline = (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, ConnectionError)
    return isinstance(error, offline) or type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
