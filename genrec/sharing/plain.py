"""A language model with its codes for systems that do not know genrec."""

from __future__ import annotations

from pathlib import Path

from genrec.artifacts import atomic_dir
from genrec.generative.recommender import GenerativeRecommender
from genrec.index.imported import write_codes

CODES = "codes.json"


def export_plain(recommender: GenerativeRecommender, folder: Path | str, *, overwrite: bool = False) -> None:
    """Write a folder that transformers loads: the merged model, its tokenizer with the code tokens, and ``codes.json``.

    ``codes.json`` says which tokens name which item, as public systems write it;
    :func:`genrec.index.imported.read_codes` reads it back.

    Args:
        recommender: Around a language model that writes codes; :meth:`GenerativeRecommender.merge` puts an adapter into
            the weights.
        folder: Is made.
        overwrite: Replace a folder that genrec made.

    Raises:
        ModelError: There is no such model, or an adapter is not merged.
        ArtifactError: The folder exists and ``overwrite`` is false.
    """
    with atomic_dir(folder, overwrite=overwrite) as work:
        recommender.model.save_plain(work)
        write_codes(recommender.index, work / CODES)
