"""Names of the columns of every table in and out."""

from __future__ import annotations


class Columns:
    """Column names; use these constants, never the bare strings."""

    User = "user_id"
    Item = "item_id"
    Timestamp = "timestamp"
    Rank = "rank"
    Score = "score"
    Title = "title"
    SemanticId = "semantic_id"
