"""Codes that came with the items: somebody else's semantic IDs, kept as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.errors import ArtifactError, DataError
from genrec.quantizers.base import MOST_LEVELS, MOST_SIZE, ItemContext
from genrec.quantizers.item_table import ItemTable, hash_ids
from genrec.wording import count


class ImportedSettings(Settings):
    """Settings of :class:`ImportedCodes`."""

    codebook_sizes: tuple[int, ...] = Field(
        (256, 256, 256), min_length=1, max_length=MOST_LEVELS, description="number of codes of every level"
    )


class ImportedCodes(ItemTable):
    """A table of codes by item id; :func:`genrec.index.imported.index_from_codes` makes one.

    It learns nothing, and knows no codes for other items: these come from where the codes came from. So no recipe can
    ask for it.
    """

    name: ClassVar[str] = "imported"
    Config: ClassVar[type[Settings]] = ImportedSettings

    def __init__(self, settings: ImportedSettings | None = None) -> None:
        super().__init__()
        self.settings: ImportedSettings = settings or ImportedSettings()

    @classmethod
    def of(cls, item_ids: np.ndarray, codes: np.ndarray, sizes: tuple[int, ...]) -> ImportedCodes:
        """The table of some items.

        Args:
            item_ids: ``(n,)`` ids.
            codes: ``(n, n_levels)`` their codes.
            sizes: Number of codes of every level.
        """
        made, keys = cls(ImportedSettings(codebook_sizes=sizes)), hash_ids(item_ids)
        order = np.argsort(keys, kind="stable")
        made._keys, made._codes = keys[order], np.asarray(codes)[order].astype(np.int32)
        return made

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return self.settings.codebook_sizes

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what ``state`` gave.

        Raises:
            ArtifactError: A code is beyond its level.
        """
        super().load_state(tensors, rest)
        sizes = np.array(self.codebook_sizes)
        if self._codes.ndim != 2 or self._codes.shape[1] != len(sizes) or max(sizes) > MOST_SIZE:
            raise ArtifactError("The imported codes have another number of levels.", where="quantizer")
        if (self._codes < 0).any() or (self._codes >= sizes).any():
            raise ArtifactError("An imported code is beyond its level.", where="quantizer")

    def _learn(self, x: np.ndarray, items: ItemContext, seed: int) -> np.ndarray:
        raise DataError("Imported codes are not learned.", hint="Use genrec index import CODES ITEMS --out INDEX.")

    def _unknown(self, x: np.ndarray, fitted: int) -> np.ndarray:
        raise DataError(
            f"{count(len(x), 'item')} without codes: those of this index were imported.",
            where="new items",
            expected="items of the file of codes",
            hint="Make their codes where the others were made, and import the whole file again.",
        )
