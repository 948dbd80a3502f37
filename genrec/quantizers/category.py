"""Category paths as codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from genrec.config import Settings
from genrec.errors import DataError
from genrec.quantizers.base import MOST_LEVELS, MOST_SIZE, ItemContext, Quantizer, check_vectors, not_fitted
from genrec.quantizers.item_table import require_catalog
from genrec.wording import count

_SEPARATOR = " > "


class CategorySettings(Settings):
    """Settings of :class:`CategoryPath`."""

    field: str = Field("categories", description="field with the path: a list of names, or one text 'a > b > c'")
    levels: int = Field(3, ge=1, le=MOST_LEVELS, description="steps of the path that become codes")
    codebook_size: int = Field(
        256, ge=2, le=MOST_SIZE, description="codes per level; one more than the children of any category"
    )


class CategoryPath(Quantizer):
    """The semantic indexing of How to Index Item IDs (arXiv 2305.06569): a category path, then the item's number.

    Code ``i`` of a level is the ``i``-th child, by name, of the category before it; 0 says that the path ends here, or
    leads to a category that was not there when the index was built. A step that all items share (the root) is left
    out. All items of a category share their codes: the number of the item is the suffix of the disambiguation.

    Example:
        >>> quantizer = CategoryPath(CategorySettings(levels=2, codebook_size=4))
        >>> quantizer.learn([["Beauty", "Hair"], ["Beauty", "Nails", "Polish"], ["Beauty"]])
        >>> quantizer.codes_of([["Beauty", "Nails", "Polish"], ["Beauty", "Hair", "Wax"]]).tolist()
        [[2, 1], [1, 0]]
    """

    name: ClassVar[str] = "category-path"
    Config: ClassVar[type[Settings]] = CategorySettings

    def __init__(self, settings: CategorySettings | None = None) -> None:
        self.settings: CategorySettings = settings or CategorySettings()
        self._shared: list[str] = []
        self._children: dict[tuple[str, ...], list[str]] | None = None

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return (self.settings.codebook_size,) * self.settings.levels

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Learn the categories; see :meth:`Quantizer.fit`."""
        check_vectors(x)
        self.learn(self._paths(items))

    def learn(self, paths: list[list[str]]) -> None:
        """Number the children of every category.

        Raises:
            DataError: No item has a category, or a category has more children than a level has codes.
        """
        filled = [path for path in paths if path]
        if not filled:
            raise DataError(
                f"No item has anything in the field '{self.settings.field}'.",
                where="quantizer.field",
                expected="category paths",
                hint="Name the field that holds the categories, or choose a quantizer that reads vectors.",
            )
        same, deepest = 0, max(len(path) for path in filled)
        while same < deepest - 1 and len({tuple(path[same : same + 1]) for path in filled}) == 1:
            same += 1
        self._shared = filled[0][:same]
        children: dict[tuple[str, ...], set[str]] = {}
        for path in filled:
            steps = path[same : same + self.settings.levels]
            for depth, name in enumerate(steps):
                children.setdefault(tuple(steps[:depth]), set()).add(name)
        self._children = {parent: sorted(names) for parent, names in sorted(children.items())}
        most = max(self._children.items(), key=lambda entry: len(entry[1]))
        if len(most[1]) >= self.settings.codebook_size:
            raise DataError(
                f"The category '{_SEPARATOR.join(most[0])}' has {len(most[1])} children, but a level has "
                f"{count(self.settings.codebook_size, 'code')}, one of them for 'none'.",
                where="quantizer.codebook_size",
                expected=f"at least {len(most[1]) + 1}",
                hint="Raise quantizer.codebook_size, or name another field.",
            )

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """Codes of the items' categories; see :meth:`Quantizer.encode`."""
        if self._children is None:
            raise not_fitted(self.name)
        check_vectors(x)
        return self.codes_of(self._paths(items))

    def codes_of(self, paths: list[list[str]]) -> np.ndarray:
        """Codes of category paths, ``(n, n_levels)`` int32."""
        if self._children is None:
            raise not_fitted(self.name)
        number = {
            (parent, name): n for parent, names in self._children.items() for n, name in enumerate(names, start=1)
        }
        codes = np.zeros((len(paths), self.settings.levels), dtype=np.int32)
        same = len(self._shared)
        for row, path in enumerate(paths):
            steps = path[same : same + self.settings.levels] if path[:same] == self._shared else []
            for depth, name in enumerate(steps):
                code = number.get((tuple(steps[:depth]), name), 0)
                if not code:
                    break
                codes[row, depth] = code
        return codes

    def _paths(self, items: ItemContext | None) -> list[list[str]]:
        frame, field = require_catalog(items, self.name).frame, self.settings.field
        if field not in frame.columns:
            raise DataError(
                f"The items have no field '{field}'.",
                where="quantizer.field",
                expected="one of " + ", ".join(frame.columns[1:]),
            )
        values = frame[field]
        texts = values.to_list() if isinstance(values.dtype, pl.List) else [[v] for v in values.cast(pl.String)]
        return [_path_of(text or []) for text in texts]

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The categories in the order of their codes."""
        children = [[list(parent), names] for parent, names in (self._children or {}).items()]
        return {}, {"shared": self._shared, "children": children}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._shared = list(rest["shared"])
        self._children = {tuple(parent): list(names) for parent, names in rest["children"]}


def _path_of(names: list[str | None]) -> list[str]:
    """Steps of an item's first path; a list of names without ``>`` is one path."""
    filled = [name.strip() for name in names if name and name.strip()]
    if filled and _SEPARATOR in filled[0]:
        filled = filled[0].split(_SEPARATOR)
    return [name.strip() for name in filled if name.strip()]
