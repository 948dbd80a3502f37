"""Recommenders and indexes into repositories of the hub."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.artifacts.hub import push_folder
from genrec.artifacts.manifest import CARD
from genrec.sharing.card import CardWords, card

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex
    from genrec.recommender import Recommender


def push_to_hub(
    made: Recommender | SemanticIndex,
    repo_id: str,
    *,
    private: bool = True,
    revision: str | None = None,
    message: str | None = None,
    token: str | None = None,
    **words: Any,
) -> str:
    """Push a recommender or an index, with a card.

    Args:
        made: What is shared. An index and a recommender around one hold the items' fields.
        repo_id: ``name/repo``; the repository then holds this and nothing else.
        private: Whether only its owner sees a repository that is made by this.
        revision: Branch, made where it is not there.
        message: Of the commit.
        token: One that may write; that of ``hf auth login`` or ``HF_TOKEN`` where not given.
        words: Of :class:`~genrec.sharing.card.CardWords`: ``license``, ``trained_on``, ``evaluation``, ``limits``.

    Returns:
        The address of the commit.

    Raises:
        ConfigError: The id or the licence is none.
        DataError: The evaluation has no figures.
        ArtifactError: The hub cannot be reached, or refuses.
    """
    text = card(made, repo_id, CardWords(**words))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "artefact"
        made.save_pretrained(folder)
        (folder / CARD).write_text(text, encoding="utf-8")
        return push_folder(folder, repo_id, private=private, revision=revision, message=message, token=token)
