"""The ``README.md`` of an index folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genrec.pages import card

if TYPE_CHECKING:
    from genrec.index.recipe import TokenizerRecipe

_TEMPLATE = Path(__file__).parent / "card.md.jinja"


def index_card(
    recipe: TokenizerRecipe, sizes: Sequence[int], *, n_items: int, levels: int, collision_rate: float
) -> str:
    """The page as Markdown.

    Args:
        recipe: With which the index was built.
        sizes: Number of codes of every level.
        n_items: Size of the catalogue.
        levels: Levels that come from the quantizer.
        collision_rate: Share of the items too many for the distinct codes before disambiguation.
    """
    context = {
        "recipe": recipe.model_dump(mode="json"),
        "sizes": list(sizes),
        "shown": " × ".join(f"{size:,}" for size in sizes),
        "items": n_items,
        "levels": levels,
        "collision_rate": collision_rate,
    }
    return card(_TEMPLATE, context)
