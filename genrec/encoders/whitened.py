"""Another encoder's vectors without what all items of a catalogue have in common."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders.base import ItemEncoder
from genrec.encoders.fused import part_of
from genrec.encoders.whitening import Whitening


class WhitenedSettings(Settings):
    """Settings of :class:`WhitenedEncoder`."""

    name: Literal["whitened"] = "whitened"
    encoder: dict[str, Any] = Field({"name": "sentence"}, description="Settings of the encoder, with its name.")
    shrinkage: float = Field(
        default=0.3, gt=0, description="Share of the average variance that is added to every direction."
    )


class WhitenedEncoder(ItemEncoder[WhitenedSettings]):
    """Whitens the vectors of another encoder over the catalogue, see :class:`~genrec.encoders.whitening.Whitening`.

    A quantizer that was fitted on other catalogues meets one that it has never seen: its items fill a corner of the
    space, and most of its codes stay unused. Whitened, every catalogue fills the same space, and nothing is trained
    for it. Mean and matrix are measured when the encoder is fitted; items that come later use them as they are.
    """

    name: ClassVar[str] = "whitened"
    settings_type: ClassVar[type[Settings]] = WhitenedSettings

    _whitening: Whitening

    def __init__(self, settings: WhitenedSettings | None = None) -> None:
        super().__init__(settings)
        self.inner = part_of(self.settings.encoder)
        self.parts = [self.inner]
        self.needs_interactions = self.inner.needs_interactions
        self.ready_made = self.inner.ready_made

    def _fit(self, catalog: Catalog, train: Histories | None) -> None:
        self.inner.progress = self.progress
        self.inner.fit(catalog, train)
        order = np.argsort(catalog.item_ids.astype(str), kind="stable")  # sums do not depend on the catalogue's order
        vectors = self.inner.encode(catalog)
        self._whitening = Whitening.of(vectors, self.settings.shrinkage, order)

    def _encode(self, catalog: Catalog) -> np.ndarray:
        self.inner.progress = self.progress
        return self._whitening.apply(self.inner.encode(catalog))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Mean and matrix, and the state of the encoder."""
        tensors, rest = self.inner.state()
        own = {"mean": self._whitening.mean, "matrix": self._whitening.matrix}
        return {**{f"inner.{key}": value for key, value in tensors.items()}, **own}, {"inner": rest}

    def _load(self, tensors: dict[str, np.ndarray], rest: dict[str, Any]) -> None:
        self._whitening = Whitening(tensors["mean"], tensors["matrix"])
        own = {key.removeprefix("inner."): value for key, value in tensors.items() if key.startswith("inner.")}
        self.inner.load_state(own, rest["inner"])
