"""Why items are recommended: the codes that the search walked, and what each part added to the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from genrec.index.code_names import code_name
from genrec.recommendations import Recommendations
from genrec.schema import Columns

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class ItemExplanation:
    """Why one item is recommended to one user.

    Attributes:
        item_id: The item.
        score: As in the recommendations.
        parts: What each part added to the score, by name; they add up to it.
        codes: Semantic ID, ``()`` of a recommender without codes.
        names: Codes as tokens, such as ``<a_12>``.
        levels: What each code added; they add up to ``parts["network"]``.
    """

    item_id: str
    score: float
    parts: Mapping[str, float]
    codes: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    levels: tuple[float, ...] = ()


@dataclass(frozen=True, repr=False)
class Explanations:
    """Recommendations of many users, and why. Arrays are padded with zeros where a list is shorter.

    Attributes:
        recommendations: What is explained.
        parts: By name ``(n_users, k)`` float32. ``network`` is what the network says; ``words``, ``counts`` and
            ``prior`` stand where the recommender or the request adds them. Re-ranking scales all of these and adds
            ``scale``, the constant that puts the worst item at zero, and ``likeness`` to items higher up. A baseline
            has one part, of its own name.
        codes: ``(n_users, k, n_levels)`` int32 semantic IDs; None of a recommender without codes.
        levels: ``(n_users, k, n_levels)`` float32: what each code added to ``network``; None without codes.
    """

    recommendations: Recommendations
    parts: Mapping[str, np.ndarray]
    codes: np.ndarray | None = None
    levels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.recommendations)

    def __repr__(self) -> str:
        return f"Explanations({self.recommendations!r}; parts: {', '.join(self.parts)})"

    def __getitem__(self, user: int) -> list[ItemExplanation]:
        """The list of one user, best first, without fillers."""
        found = self.recommendations
        return [self._of(user, int(place)) for place in np.flatnonzero(found.items[user] >= 0)]

    def _of(self, user: int, place: int) -> ItemExplanation:
        found = self.recommendations
        item, score = str(found.catalogue_ids[found.items[user, place]]), float(found.scores[user, place])
        parts = {name: float(values[user, place]) for name, values in self.parts.items()}
        if self.codes is None or self.levels is None:
            return ItemExplanation(item, score, parts)
        codes = tuple(int(code) for code in self.codes[user, place])
        names = tuple(code_name(level, code) for level, code in enumerate(codes))
        return ItemExplanation(item, score, parts, codes, names, tuple(map(float, self.levels[user, place])))

    @cached_property
    def totals(self) -> np.ndarray:
        """Sums of the parts, ``(n_users, k)`` float32: the scores, but for rounding; 0 at fillers."""
        shape = self.recommendations.items.shape
        return np.sum([*self.parts.values(), np.zeros(shape)], axis=0).astype(np.float32)

    def to_frame(self, user_ids: Sequence[str] | np.ndarray) -> pl.DataFrame:
        """The table of the recommendations with a column for each part, and the codes as tokens.

        Raises:
            DataError: There are not as many user ids as lists.
        """
        import polars as pl

        frame = self.recommendations.to_frame(user_ids)
        rows, columns = np.nonzero(self.recommendations.items >= 0)
        more = [pl.Series(f"part_{name}", values[rows, columns]) for name, values in self.parts.items()]
        if self.codes is not None:
            tokens = ["".join(one.names) for user in range(len(self)) for one in self[user]]
            more.append(pl.Series(Columns.SemanticId, tokens, dtype=pl.String))
        return frame.with_columns(more)
