"""How far counts can be trusted beside a pretrained recommender: learned on the catalogues of pretraining.

A few users tell which items follow each other, but not how much that is worth beside what texts say: a weight chosen on
a few hundred validation cases is chosen by chance. The catalogues of pretraining know it. There, shares of the users
are counted, and what every setting and weight adds to the recommender is measured. A new catalogue takes the mean of
these trials as a prior belief about its own measurement, which outweighs it as soon as there are cases enough.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from genrec.artifacts import read_json
from genrec.config import Settings, parse
from genrec.errors import ArtifactError

if TYPE_CHECKING:
    from genrec.generative.recommender import GenerativeRecommender


logger = logging.getLogger(__name__)

BANDWIDTH = 1.0
"""Of the logarithm of the transitions an item: trials with three times as many, or a third, count 3/5."""

PSEUDO_CASES = 1000
"""Validation cases of its own that a catalogue needs to be believed as much as the trials. Chosen, like the bandwidth,
by leaving out each of five catalogues in turn, on validation cases."""

_PSEUDO_ALONE = 50
"""Cases that NDCG without counts needs to be believed as much as the trials': catalogues differ more in it."""


class Trial(Settings):
    """Counts of a share of one catalogue's users, added to the recommender."""

    catalogue: str = Field(description="where it was measured")
    share: float = Field(description="share of the users that were counted")
    transitions: float = Field(description="counted, an item of the catalogue")
    cases: int = Field(description="number of validation cases")
    ndcg: tuple[tuple[float, ...], ...] = Field(description="NDCG of every setting and weight")

    @property
    def alone(self) -> float:
        """NDCG without counts."""
        return self.ndcg[0][0]

    @property
    def best(self) -> float:
        """NDCG with the setting and weight that were best here."""
        return max(map(max, self.ndcg))


class PriorExperience(Settings):
    """What adding counts did on other catalogues; ``weights`` begins with 0, which is no counts at all.

    It holds for recommenders that add as much for shared words (``DecodingOptions.words``): their scores lie further
    apart, so that counts need more weight.
    """

    name: str
    words: float = Field(0.0, description="weight of shared words when it was measured")
    settings: tuple[dict[str, Any], ...] = Field(description="settings of the counts that were tried")
    weights: tuple[float, ...] = Field(description="weights of the counts that were tried")
    trials: tuple[Trial, ...] = Field(description="one a catalogue and share")

    def gain(self, transitions: float) -> np.ndarray:
        """Gain in NDCG to expect, relative to no counts.

        Args:
            transitions: Counted, an item of the catalogue.

        Returns:
            ``(settings, weights)`` float64; 0 everywhere where no trial tells anything.
        """
        near, ratios = self._near(transitions), []
        for trial in self.trials:
            values = np.asarray(trial.ndcg)
            ratios.append(np.log(np.maximum(values, 1e-6) / max(values[0, 0], 1e-6)))
        if near.sum() == 0:
            return np.zeros((len(self.settings), len(self.weights)))
        return np.expm1(np.tensordot(near, np.asarray(ratios), 1) / near.sum())

    def fits(self, recommender: GenerativeRecommender, name: str, weights: Sequence[float]) -> bool:
        """Whether it tells anything of these counts and weights beside this recommender."""
        known = self.name, self.weights, self.words
        return known == (name, tuple(weights), recommender.options.words or 0.0)

    def judge(
        self, measured: np.ndarray, cases: int, transitions: float, settings: Sequence[Mapping[str, Any]]
    ) -> np.ndarray:
        """Gains to expect once a catalogue has measured its own.

        Args:
            measured: ``(settings, weights)`` NDCG on its validation cases.
            cases: How many these are.
            transitions: Counted, an item of the catalogue.
            settings: Those that were measured; what the trials do not know is expected to add nothing.

        Returns:
            ``(settings, weights)`` float64: mean of both, weighted by the cases and :data:`PSEUDO_CASES`.
        """
        near = self._near(transitions)
        usual = float(near @ [trial.alone for trial in self.trials] / near.sum()) if near.sum() else 0.0
        base = (cases * measured[0, 0] + _PSEUDO_ALONE * usual) / (cases + _PSEUDO_ALONE)
        gain, known = self.gain(transitions), list(self.settings)
        expected = np.zeros_like(measured)
        for row, one in enumerate(settings):
            if dict(one) in known:
                expected[row] = gain[known.index(dict(one))]
        own = (measured - measured[0, 0]) / max(base, 1e-6)
        return (cases * own + PSEUDO_CASES * expected) / (cases + PSEUDO_CASES)

    def _near(self, transitions: float) -> np.ndarray:
        """Weight of every trial, ``(trials,)``; 0 where the recommender alone found nothing."""
        if not self.trials:
            return np.zeros(0)
        there = np.log(np.maximum([trial.transitions for trial in self.trials], 1e-6))
        distance = (there - np.log(max(transitions, 1e-6))) / BANDWIDTH
        usable = np.array([trial.alone > 0 for trial in self.trials])
        nearest = np.abs(distance[usable]).min(initial=np.inf)  # so that the weights of far trials do not all vanish
        return usable * np.exp(-0.5 * (distance**2 - min(nearest, 1e6) ** 2).clip(min=0))

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(self.model_dump(mode="json")) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> PriorExperience | None:
        """Read what :meth:`save` wrote; None where there is nothing.

        Raises:
            ArtifactError: The file is no JSON.
            ConfigError: It holds something else.
        """
        if not path.is_file():
            return None
        try:
            content = read_json(path)
        except ValueError as error:
            raise ArtifactError(f"What was measured about counts cannot be read: {error}", where=path) from None
        return parse(cls, content, where=path)


WEIGHTS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)
"""Weights of the counts that are tried; 0: none at all."""
