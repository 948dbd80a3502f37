"""A baseline's scores as item prior of a generative recommender: what counting knows, where the search can use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from genrec.baselines import load_baseline
from genrec.baselines.scoring import ScoringBaseline
from genrec.baselines.words_and_counts import SHARPNESS
from genrec.decoding.options import BlendSettings, PriorSettings
from genrec.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    from genrec.data.histories import Histories


class LearnedPrior:
    """Item scores of users from counts of the training part.

    An item that the baseline scores with ``s > 0`` for a user gets ``log(1 + SHARPNESS * s)``, all others 0. That is a
    log-linear mixture: model and counts multiply, and a count can only speak for an item.

    Args:
        baseline: Fitted, with sparse scores that are not negative.
    """

    SHARPNESS = SHARPNESS

    def __init__(self, baseline: ScoringBaseline) -> None:
        self.baseline = baseline

    def scores(self, histories: Histories, n_items: int, blend: BlendSettings | None = None) -> sp.csr_array:
        """Scores of users, sparse ``(n_users, n_items)`` float32.

        Args:
            histories: Users' items.
            n_items: Size of the catalogue, which may have grown since; new items have the score 0.
            blend: How much a user's scores weigh; None: alike.
        """
        result = self._counts(histories)
        factors = None if blend is None else blend.factors(best_shares(result))
        result.data = np.log1p(self.SHARPNESS * result.data)
        if factors is not None:
            result.data *= np.repeat(factors, np.diff(result.indptr))
        result.eliminate_zeros()
        result.resize((len(histories), n_items))
        return result

    def shares(self, histories: Histories) -> np.ndarray:
        """What the best item of every user has of all that counts give the user, ``(n_users,)``; 0 without counts."""
        return best_shares(self._counts(histories))

    def _counts(self, histories: Histories) -> sp.csr_array:
        known = len(self.baseline.item_ids)
        return sp.csr_array(self.baseline.score(histories.take(histories.items < known)), dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write it as the folder of its baseline."""
        self.baseline.save_pretrained(folder)

    @classmethod
    def load(cls, folder: Path, item_ids: np.ndarray) -> LearnedPrior | None:
        """Read what :meth:`save` wrote; None where there is nothing.

        Args:
            folder: Of the prior.
            item_ids: ``(n_items,)`` the catalogue that it is used on.

        Raises:
            ArtifactError: It was fitted on another catalogue that this one has not grown from, or it is damaged.
        """
        if not folder.is_dir():
            return None
        baseline = load_baseline(folder)
        own = baseline.item_ids
        if not isinstance(baseline, ScoringBaseline) or not np.array_equal(own, item_ids[: len(own)]):
            raise ArtifactError("The item prior was fitted on another catalogue.", where=folder)
        return cls(baseline)


def learned_scores(
    prior: LearnedPrior | None, settings: PriorSettings | None, histories: Histories, n_items: int
) -> sp.csr_array | None:
    """What the learned prior adds for some users, None where it is not asked for.

    Args:
        prior: Of the recommender.
        settings: How it is asked to decode.
        histories: Users' items.
        n_items: Size of the catalogue.

    Returns:
        Sparse ``(n_users, n_items)`` float32, weighted.

    Raises:
        ConfigError: The recommender has no prior, or another one.
    """
    if settings is None or settings.weight == 0:
        return None
    if prior is None:
        raise ConfigError(
            "This recommender has no item prior.",
            where="prior",
            hint="Only the prior will be fitted by genrec train --set generation.prior.name=transition-counts.",
        )
    fitted = prior.baseline
    if settings.name != fitted.name or not settings.settings.items() <= fitted.settings.model_dump().items():
        raise ConfigError(
            f"The recommender's prior is '{fitted.name}' with {fitted.settings.model_dump()}.",
            where="prior",
            expected="the same; only the weight can be changed",
            hint="Fit another one by genrec train --set generation.prior.name=..., or leave it out: --set prior=null.",
        )
    return prior.scores(histories, n_items, settings.blend) * np.float32(
        1.0 if settings.weight is None else settings.weight
    )


def best_shares(counts: sp.csr_array) -> np.ndarray:
    """The largest entry of every row over the sum of the row, ``(rows,)`` float64; 0 where a row holds nothing."""
    best = counts.max(axis=1).toarray().ravel().astype(np.float64)
    total = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    return np.divide(best, total, out=np.zeros_like(best), where=total > 0)
