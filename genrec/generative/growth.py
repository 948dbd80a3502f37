"""A recommender for a catalogue that has grown, beside the one that it was made of."""

from __future__ import annotations

from genrec.errors import ArtifactError
from genrec.generative.recommender import GenerativeRecommender
from genrec.index.semantic_index import SemanticIndex


def with_index(recommender: GenerativeRecommender, index: SemanticIndex) -> GenerativeRecommender:
    """The same recommender for a grown catalogue; both share the weights and can be used side by side.

    Args:
        recommender: Stays as it is.
        index: Grown from that of the recommender by ``encode_new``.

    Raises:
        ArtifactError: It has not grown from that one.
    """
    before = recommender.index
    grown = before.fingerprint in index.lineage
    if grown and recommender.config.model.item_vectors:
        grown = index.vectors_fingerprint(len(before)) == before.vectors_fingerprint()
    if not grown:
        raise ArtifactError(
            "The index has not grown from the one that the recommender uses.",
            expected=f"index {before.fingerprint} or one grown from it",
            hint="Add items with genrec index add; a rebuilt index needs another training.",
        )
    other = GenerativeRecommender(recommender.model, index, recommender.config, recommender.metrics)
    other.prior, other.options = recommender.prior, recommender.options
    other.columns = recommender.columns.over(index.columns)
    return other
