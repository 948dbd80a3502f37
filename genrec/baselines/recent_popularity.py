"""Popularity in which old interactions count less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from genrec.baselines.base import FitInputs
from genrec.baselines.scoring import ScoringBaseline
from genrec.baselines.sparse import ages
from genrec.baselines.tuning import product
from genrec.config import Settings
from genrec.data.histories import Histories
from genrec.errors import DataError

_SHARES = (0.003, 0.01, 0.03, 0.1, 0.3)


class RecentPopularitySettings(Settings):
    """Settings of :class:`RecentPopularity`."""

    half_life: float = Field(3.0, gt=0, description="age at which an interaction counts half")
    unit: Literal["interactions", "time"] = Field(
        "interactions", description="age in later interactions of the same user, or in the unit of the timestamps"
    )


class RecentPopularity(ScoringBaseline):
    r"""Ranks items by ``sum over their training interactions of 2 ** (-age / half_life)``.

    The age of an interaction is the number of later training interactions of the same user, or, where real timestamps
    are known, the time from it to the last interaction of the training part. How far popularity goes once it looks at
    the right time: Ji et al., A Re-visit of the Popularity Baseline in Recommender Systems
    (https://arxiv.org/abs/2005.13829).

    >>> train = Histories.from_lists([[0, 0, 0, 1], [0, 2, 1]])
    >>> RecentPopularity(half_life=1.0).fit(train, ["a", "b", "c"]).recommend([[]], 3).item_ids
    [['b', 'a', 'c']]
    """

    name = "recent-popularity"
    Config: ClassVar[type[Settings]] = RecentPopularitySettings

    settings: RecentPopularitySettings
    _weights: np.ndarray

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """Half-lives of 1, 3, 10 and 30 interactions, and of some shares of the training period where it is known."""
        grid = product(half_life=(1.0, 3.0, 10.0, 30.0), unit=("interactions",))
        span = _span(train)
        if span > 0:
            grid += product(half_life=[max(1.0, round(span * share)) for share in _SHARES], unit=("time",))
        return grid

    def _learn(self, train: Histories, inputs: FitInputs) -> None:
        if self.settings.unit == "interactions":
            age = ages(train)[1] - 1
        elif train.timestamps is None:
            raise DataError(
                "A half-life in time needs real timestamps, but only the order inside each user is known.",
                where=f"baseline '{self.name}'",
                hint="Use unit: interactions.",
            )
        else:
            age = train.timestamps.max(initial=0) - train.timestamps
        weights = np.exp2(-age / self.settings.half_life)
        self._weights = np.bincount(train.items, weights, minlength=len(self.item_ids)).astype(np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        return {"weights": self._weights}

    def _load(self, tensors: Mapping[str, np.ndarray], device: str | None) -> None:
        self._weights = tensors["weights"]

    def score(self, histories: Histories) -> sp.csr_array:
        """Nothing personal: a sparse matrix without entries, see :meth:`background`."""
        return sp.csr_array((len(histories), len(self.item_ids)), dtype=np.float32)

    def background(self) -> np.ndarray:
        """The weighted counts, ``(n_items,)`` float32."""
        return self._weights


def _span(train: Histories) -> float:
    times = train.timestamps
    return 0.0 if times is None or not len(times) else float(times.max() - times.min())
