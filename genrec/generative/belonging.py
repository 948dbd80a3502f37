"""Whether a saved recommender and an index belong together."""

from __future__ import annotations

from genrec.artifacts import Manifest
from genrec.errors import ArtifactError
from genrec.generative.config import TrainConfig
from genrec.index.semantic_index import SemanticIndex
from genrec.wording import count


def check_index(manifest: Manifest, index: SemanticIndex, config: TrainConfig) -> None:
    """Refuse an index that is neither the one of training nor grown from it, by its codes and, if read, its vectors.

    Args:
        manifest: Of the recommender.
        index: That it shall recommend from.
        config: Its settings.

    Raises:
        ArtifactError: It is another one.
    """
    fingerprint = manifest.need("index_fingerprint", str)
    known = manifest.get("vectors_fingerprint") if config.model.item_vectors else None
    same = fingerprint in index.lineage
    if same and known is not None and index.vectors_fingerprint(manifest.need("n_items", int)) == known:
        return
    if not same or known is not None:
        raise ArtifactError(
            "The recommender was trained on another index."
            if not same
            else "The items of this index have other vectors than those that the recommender was trained on.",
            where=manifest.path.parent,
            expected=f"index {fingerprint} or one grown from it",
            hint=f"This index is {index.fingerprint} ({count(len(index.item_ids), 'item')}). Train on "
            "it, or leave it out.",
        )
