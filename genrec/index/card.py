"""The ``README.md`` of an index folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genrec.wording import count

if TYPE_CHECKING:
    from genrec.index.recipe import TokenizerRecipe


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
    shown = " × ".join(f"{size:,}" for size in sizes)
    return f"""# Semantic index

{count(n_items, "item")}, each with {count(len(sizes), "code")}; codebook sizes {shown}.
Collision rate before disambiguation: {collision_rate:.2%}; after: 0.00%.

| part | method |
|---|---|
| recipe | {recipe.name} |
| item encoder | {recipe.encoder.get("name")} |
| quantizer | {recipe.quantizer.get("name")}, {count(levels, "level")} |
| disambiguation | {recipe.disambiguation.get("name")} |

```python
from genrec.index.semantic_index import SemanticIndex

index = SemanticIndex.load(".")
index.codes  # ({n_items}, {len(sizes)}) int32, row n belongs to index.item_ids[n]
```

`index.json` holds the resolved recipe, the fingerprint and the SHA-256 of every file.
`genrec index show` prints a full report.
"""
