"""Settings of :class:`~genrec.models.vector_decoder.network.VectorDecoder`."""

from __future__ import annotations

from genrec.config import Width
from genrec.models.catalogue_network import CatalogueNetworkConfig
from genrec.models.config import Chance, Some, Weight


class VectorDecoderConfig(CatalogueNetworkConfig):
    """Configuration of :class:`~genrec.models.vector_decoder.network.VectorDecoder`.

    Attributes:
        pair_dim: Length of the vectors of what is bought together.
        window: Longest distance of two items that count as bought together.
        folds: Parts of the users. A user in training reads pair vectors of the other parts, which do not know the
            user's own next items; 1: everybody reads the same, and the network trusts them too much.
        heads: Mixtures of the history's vectors, each with a decay of its own.
        row_dropout: Probability with which the free row of an item is left out of a training step, so that the
            network also learns from codes and vectors alone.
        later: Places after an item whose items count as targets, the next one most.
        later_share: What each of these counts of the one before it.
        words: Words are a kind of vector of their own, beside the index's; a network saved before that has none.
        candidates: Items that a target is told apart from in training; larger catalogues are sampled.
    """

    model_type = "genrec-vector-decoder"

    pair_dim: Width = 256
    window: Some = 10
    folds: Width = 4
    heads: Width = 2
    row_dropout: Chance = 0.3
    later: Width = 5
    later_share: Weight = 0.5
    words: bool = False
    candidates: Some = 32768
