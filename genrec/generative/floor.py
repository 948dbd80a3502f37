"""Words and counts with the weights that are best without a network: what a network must beat."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from genrec.artifacts import read_json, saved_content
from genrec.config import Settings, parse
from genrec.decoding.options import PriorSettings
from genrec.errors import ArtifactError
from genrec.generative.learned_prior import LearnedPrior

_SETTINGS = "floor.json"


class FloorSettings(Settings):
    """Weights of words and counts where no network speaks; only their ratio matters."""

    words: float = Field(0.0, ge=0, description="factor on shared words")
    prior: PriorSettings | None = Field(None, description="counts and their weight; None: there are none")


@dataclass(frozen=True)
class Floor:
    """Words and counts at their own best.

    Attributes:
        settings: Weights.
        prior: Counts; None: there are none.
    """

    settings: FloorSettings
    prior: LearnedPrior | None = None

    def save(self, folder: Path, known: LearnedPrior | None) -> None:
        """Write it as a folder.

        Args:
            folder: To make.
            known: Counts that are saved elsewhere and are not written again.
        """
        folder.mkdir()
        (folder / _SETTINGS).write_text(json.dumps(self.settings.model_dump(mode="json")) + "\n", encoding="utf-8")
        if self.prior is not None and self.prior is not known:
            self.prior.save(folder / "prior")

    @classmethod
    def load(cls, folder: Path, item_ids: np.ndarray, known: LearnedPrior | None) -> Floor | None:
        """Read what :meth:`save` wrote; None where there is nothing.

        Args:
            folder: Of the floor.
            item_ids: ``(n_items,)`` the catalogue that it is used on.
            known: Counts of the recommender.

        Raises:
            ArtifactError: It is damaged, or its counts are missing.
        """
        if not folder.is_dir():
            return None
        with saved_content("floor", folder / _SETTINGS):
            content = read_json(folder / _SETTINGS)
            settings = parse(FloorSettings, content)
        if settings.prior is None:
            return cls(settings)
        prior = LearnedPrior.load(folder / "prior", item_ids) or known
        if prior is None:
            raise ArtifactError("The counts of the row without a network are missing.", where=folder)
        return cls(settings, prior)
