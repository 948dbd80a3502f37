"""Codes of several methods one after the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.errors import ConfigError
from genrec.quantizers.base import ItemContext, Quantizer, check_vectors
from genrec.quantizers.item_table import require_catalog

if TYPE_CHECKING:
    from genrec.encoders import ItemEncoder


class ConcatPart(Settings):
    """One method of :class:`Concat`."""

    quantizer: dict[str, Any] = Field(description="a quantizer with its settings")
    encoder: dict[str, Any] | None = Field(None, description="item encoder of this part; None: the recipe's vectors")


class ConcatSettings(Settings):
    """Settings of :class:`Concat`."""

    parts: tuple[ConcatPart, ...] = Field(min_length=1, description="methods, in the order of their codes")


class Concat(Quantizer):
    """The codes of several methods one after the other, one sequence per modality as in MSCGRec (arXiv 2602.03713).

    Text codes followed by collaborative codes, or the hybrid indexing of How to Index Item IDs (arXiv 2305.06569):
    collaborative or category codes followed by an atomic code. A part may have an item encoder of its own, which is
    fitted on the catalogue and the training histories; a part without one quantizes the vectors of the recipe. Items
    that a part's encoder knows nothing of (zero vectors) share that part's codes.

    Example:
        >>> part = {"quantizer": {"name": "random", "levels": 2, "codebook_size": 8}}
        >>> Concat(ConcatSettings(parts=(part, {"quantizer": {"name": "random"}}))).codebook_sizes
        (8, 8, 256, 256, 256)
    """

    name: ClassVar[str] = "concat"
    Config: ClassVar[type[Settings]] = ConcatSettings

    def __init__(self, settings: ConcatSettings) -> None:
        from genrec.encoders import build_encoder
        from genrec.quantizers import build_quantizer

        self.settings: ConcatSettings = settings
        self.quantizers: list[Quantizer] = [build_quantizer(part.quantizer) for part in settings.parts]
        if any(isinstance(quantizer, Concat) for quantizer in self.quantizers):
            raise ConfigError("A part of 'concat' is 'concat' itself.", where="quantizer.parts", hint="List all parts.")
        self.encoders: list[ItemEncoder[Any] | None] = [
            None if part.encoder is None else build_encoder(part.encoder) for part in settings.parts
        ]

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Sizes of the parts' levels, one part after the other."""
        return tuple(size for quantizer in self.quantizers for size in quantizer.codebook_sizes)

    def fitted_sizes(self, rest: Mapping[str, Any]) -> tuple[int, ...]:
        """Sizes of the parts' levels as they were fitted."""
        parts = zip(self.quantizers, rest["parts"], strict=True)
        return tuple(size for quantizer, own in parts for size in quantizer.fitted_sizes(own["quantizer"]))

    def room(self) -> int | None:
        """What the part with the least room has."""
        return min((room for quantizer in self.quantizers if (room := quantizer.room()) is not None), default=None)

    @property
    def moves(self) -> bool:
        """Whether a part moves items."""
        return any(quantizer.moves for quantizer in self.quantizers)

    @property
    def codebooks(self) -> list[np.ndarray] | None:
        """The parts' codebooks, each in the space of its part; None unless all parts have some."""
        books = [quantizer.codebooks for quantizer in self.quantizers]
        return None if any(own is None for own in books) else [book for own in books for book in own or ()]

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Fit every part; see :meth:`Quantizer.fit`."""
        check_vectors(x)
        for quantizer, encoder in zip(self.quantizers, self.encoders, strict=True):
            if encoder is not None:
                catalog = require_catalog(items, self.name)
                encoder.fit(catalog, None if items is None else items.train)
            quantizer.fit(self._vectors(x, encoder, items), seed=seed, items=items)

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """Codes of every part; see :meth:`Quantizer.encode`."""
        codes = [
            quantizer.encode(self._vectors(x, encoder, items), items=items)
            for quantizer, encoder in zip(self.quantizers, self.encoders, strict=True)
        ]
        return np.hstack(codes)

    def place(
        self, x: np.ndarray, *, items: ItemContext | None = None, published: np.ndarray | None = None
    ) -> np.ndarray:
        """Every part places its codes by itself; see :meth:`Quantizer.place`."""
        codes, start = [], 0
        for quantizer, encoder in zip(self.quantizers, self.encoders, strict=True):
            stop = start + len(quantizer.codebook_sizes)
            taken = None if published is None else published[:, start:stop]
            codes.append(quantizer.place(self._vectors(x, encoder, items), items=items, published=taken))
            start = stop
        return np.hstack(codes)

    def _vectors(self, x: np.ndarray, encoder: ItemEncoder[Any] | None, items: ItemContext | None) -> np.ndarray:
        return x if encoder is None else encoder.encode(require_catalog(items, self.name))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """States of the parts, numbered."""
        tensors: dict[str, np.ndarray] = {}
        rests: list[dict[str, Any]] = []
        for n, (quantizer, encoder) in enumerate(zip(self.quantizers, self.encoders, strict=True)):
            arrays, rest = quantizer.state()
            tensors |= {f"{n}.quantizer.{key}": value for key, value in arrays.items()}
            rests.append({"quantizer": rest})
            if encoder is not None:
                arrays, rest = encoder.state()
                tensors |= {f"{n}.encoder.{key}": value for key, value in arrays.items()}
                # an encoder's rest may list all items: too long for the manifest
                tensors[f"{n}.rest"] = np.frombuffer(json.dumps(rest).encode(), dtype=np.uint8)
        return tensors, {"parts": rests}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        for n, (quantizer, encoder) in enumerate(zip(self.quantizers, self.encoders, strict=True)):
            quantizer.load_state(_under(tensors, f"{n}.quantizer."), rest["parts"][n]["quantizer"])
            if encoder is not None:
                own = json.loads(np.asarray(tensors[f"{n}.rest"]).tobytes())
                encoder.load_state(_under(tensors, f"{n}.encoder."), own)


def _under(tensors: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
