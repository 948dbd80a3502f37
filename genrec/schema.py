"""Names of the columns of every table in and out, and bounds that options and settings share."""

from __future__ import annotations

LARGEST_SEED = 2**32 - 1
"""Of what scikit-learn and transformers take."""


class Columns:
    """Column names; use these constants, never the bare strings."""

    User = "user_id"
    Item = "item_id"
    Timestamp = "timestamp"
    Rank = "rank"
    Score = "score"
    Title = "title"
    SemanticId = "semantic_id"
