"""Items to vectors, by the encoder of a recipe."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from genrec.progress import Progress
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.data.histories import Histories
    from genrec.encoders import ItemEncoder
    from genrec.encoders.precomputed import Files
    from genrec.index.recipe import TokenizerRecipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncodedItems:
    """A fitted item encoder and its vectors, so that several recipes with the same encoder encode once.

    Attributes:
        encoder: The encoder.
        vectors: ``(n_items, dim)`` float32, in catalogue order.
    """

    encoder: ItemEncoder[Any]
    vectors: np.ndarray


class Frozen(Protocol):
    """What is needed of a fitted tokenizer to encode other items as it would."""

    from_folder: bool
    """Files that its recipe names are not read."""

    @property
    def files(self) -> list[str]:
        """Files of vectors that its recipe names."""

    @property
    def encoder_state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What its encoder has learned."""


def encode_items(
    recipe: TokenizerRecipe,
    catalog: Catalog,
    train: Histories | None = None,
    *,
    progress: Progress | None = None,
    frozen: Frozen | None = None,
    vectors_from: Files | None = None,
) -> EncodedItems:
    """Fit the encoder of a recipe and encode a catalogue.

    Args:
        recipe: Only its encoder and text template matter.
        catalog: The items.
        train: Training histories, for collaborative encoders.
        progress: Called by slow encoders with (what, items done, items in all).
        frozen: Take its encoder where that learned something.
        vectors_from: Files of the vectors, where the encoder is ``precomputed``; needed where the recipe is that of a
            frozen tokenizer from a folder.

    Raises:
        ConfigError: The encoder is wrong.
        DataError: The items cannot be encoded.
    """
    from genrec.encoders import build_encoder
    from genrec.encoders.precomputed import forget_files, read_vectors_from, vector_files

    encoder = build_encoder(recipe.encoder_settings())
    logger.info("encoding %s with '%s'", count(len(catalog), "item"), encoder.name)
    encoder.progress = progress
    if vectors_from is not None:
        read_vectors_from(encoder, vectors_from)
    elif frozen is not None and frozen.from_folder and vector_files(recipe.encoder) == frozen.files:
        forget_files(encoder)
    if frozen is None or encoder.ready_made:
        encoder.fit(catalog, train)
    else:
        encoder.load_state(*frozen.encoder_state)
    return EncodedItems(encoder, encoder.encode(catalog))
