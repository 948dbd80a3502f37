"""The interface of baselines: settings, fitting and choosing on the right parts, saving."""

from __future__ import annotations

import copy
import json
import math
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from genrec.artifacts import atomic_dir, save_tensors, write_manifest
from genrec.config import Settings, parse
from genrec.data.histories import Histories
from genrec.decoding.request import Request
from genrec.errors import ModelError
from genrec.metrics import ndcg_at
from genrec.pages import card
from genrec.progress import Progress
from genrec.recommender import MANIFEST, HistoriesLike, Recommendations, Recommender
from genrec.wording import count

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from genrec.data.split import EvaluationSet


@dataclass(frozen=True)
class FitInputs:
    """What fitting reads beside the training part; every baseline takes what it needs.

    Attributes:
        vectors: ``(n_items, dim)`` float32 item vectors.
        words: ``(n_items, n_words)`` sparse rows of unit length, from :func:`genrec.encoders.words.word_vectors`.
        validation: Cases that decide when networks stop training; None: after all epochs. Where settings are chosen,
            the split's own take their place.
        exclude_seen: As the baseline will be used.
        seed: Seed of everything random.
        seconds: Nothing new is tried after so long, and a network that is training stops; its result then depends on
            the speed of the machine.
        device: Where networks are trained and used, such as ``cuda``; None: CPU.
        progress: Called after every epoch and every candidate.
        deadline: When ``seconds`` are over, on the clock of ``time.monotonic``; set by :meth:`begin`.
    """

    vectors: np.ndarray | None = None
    words: csr_array | None = None
    validation: EvaluationSet | None = None
    exclude_seen: bool = True
    seed: int = 0
    seconds: float | None = None
    device: str | None = None
    progress: Progress | None = None
    deadline: float | None = None

    def begin(self) -> FitInputs:
        """The same with the clock running; one that runs already goes on."""
        if self.seconds is None or self.deadline is not None:
            return self
        return replace(self, deadline=time.monotonic() + self.seconds)

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() >= self.deadline


NOTHING_MORE = FitInputs()
"""The training part alone, seed 0."""


class Baseline(Recommender):
    """A recommender that is fitted in seconds to minutes on a CPU.

    Subclasses set ``name`` and ``Config`` and implement :meth:`fit`, which must learn from the training part only.

    Args:
        settings: Values of the fields of ``Config``; the others have their defaults.

    Attributes:
        settings: All settings.
        choices: What was tried, ``{"settings": {...}, "ndcg@10": value on validation}`` each; see
            :func:`genrec.baselines.tuning.choose`.
        info: What should be remembered with a saved baseline, such as the split; values that JSON can hold.

    Raises:
        ConfigError: A setting is unknown or wrong.
    """

    name: str
    kind: str = "baseline"
    Config: ClassVar[type[Settings]] = Settings
    """Settings of the method."""
    needs_vectors: ClassVar[bool] = False
    """Whether :meth:`fit` needs item vectors."""
    needs_words: ClassVar[bool] = False
    """Whether :meth:`fit` needs the words of the items."""
    scoring_settings: ClassVar[frozenset[str]] = frozenset()
    """Settings that only ranking reads: trying other values does not need another fit."""
    legacy: ClassVar[dict[str, Any]] = {}
    """Values of settings for folders that were saved before these settings existed."""
    repeats_only: ClassVar[bool] = False
    """It can only recommend items of the history, so it means something only where seen items are allowed."""
    fit_seconds: float = float("nan")
    """How long choosing and fitting took, where :func:`genrec.baselines.fit.train_baseline` did it."""

    settings: Settings

    def __init__(self, **settings: Any) -> None:
        self.settings = parse(self.Config, settings, where=f"baseline '{self.name}'")
        self.choices: list[dict[str, Any]] = []
        self.info: dict[str, Any] = {}

    @abstractmethod
    def fit(self, train: Histories, item_ids: Sequence[str] | np.ndarray, inputs: FitInputs = NOTHING_MORE) -> Self:
        """Learn from the training part.

        Args:
            train: Training sequences, nothing held out among them.
            item_ids: ``(n_items,)`` the catalogue that ``train`` points into.
            inputs: What else it may use; see :class:`FitInputs`.

        Returns:
            The baseline itself.

        Raises:
            DataError: ``train`` points outside the catalogue, the catalogue is empty, or the vectors are missing or
                do not fit.
        """

    @classmethod
    def candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """Settings that are tried when :func:`~genrec.baselines.tuning.choose` has none; the first wins ties."""
        return [{}]

    @classmethod
    def choosing_part(cls, train: Histories) -> Histories:
        """What is learned from while settings are chosen; the best are then fitted to all of it."""
        return train

    @classmethod
    def prior_candidates(cls, train: Histories) -> list[dict[str, Any]]:
        """Settings to try where the baseline is added to a model that scores every item."""
        return cls.candidates(train)

    def ndcg(self, cases: EvaluationSet, *, exclude_seen: bool = True, k: int = 10) -> float:
        """Mean NDCG@k on cases; 0 where there are none."""
        lists = self.recommend(cases.histories, k, exclude_seen=exclude_seen)
        ranks = lists.ranks_of(cases.targets)
        return float(ndcg_at(ranks, k).mean()) if len(ranks) else 0.0

    def adapted(self, settings: Settings) -> Self | None:
        """A fitted copy with other settings, or None where they need another fit (see ``scoring_settings``)."""
        own, wanted = (
            {key: value for key, value in each.model_dump().items() if key not in self.scoring_settings}
            for each in (self.settings, settings)
        )
        if own != wanted:
            return None
        other = copy.copy(self)
        other.settings, other.choices, other.info = settings, [], {}
        return other

    def answer(self, histories: HistoriesLike, request: Request) -> Recommendations:
        """See :meth:`genrec.recommender.Recommender.answer`.

        Raises:
            ModelError: The baseline is not fitted.
        """
        if not hasattr(self, "item_ids"):
            raise ModelError(f"The baseline '{self.name}' is not fitted.", hint="Call fit(train, item_ids) first.")
        return super().answer(histories, request)

    def __repr__(self) -> str:
        settings = "".join(f", {key}={value!r}" for key, value in self.settings.model_dump().items())
        known = count(len(self.item_ids), "item") if hasattr(self, "item_ids") else "not fitted"
        return f"{type(self).__name__}({known}{settings})"

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """Arrays that :meth:`load_state` needs, beside the settings and the item ids."""

    @abstractmethod
    def load_state(self, tensors: Mapping[str, np.ndarray], *, device: str | None = None) -> None:
        """Take back what :meth:`state` gave; ``settings`` and ``item_ids`` are already there."""

    def save_pretrained(self, folder: Path | str, *, overwrite: bool = False) -> None:
        """Write a self-contained folder; see :func:`genrec.baselines.load_baseline`.

        Raises:
            ArtifactError: The folder exists and ``overwrite`` is false.
            ModelError: The baseline is not fitted.
        """
        save_baseline(self, folder, overwrite=overwrite)


_ITEMS, _ARRAYS, _CARD = "items.json", "baseline.safetensors", "README.md"


def save_baseline(baseline: Baseline, folder: Path | str, *, overwrite: bool = False) -> None:
    """Write a fitted baseline as a self-contained folder.

    Args:
        baseline: Fitted.
        folder: Folder to make.
        overwrite: Replace a folder that exists.

    Raises:
        ArtifactError: The folder exists and ``overwrite`` is false.
        ModelError: The baseline is not fitted.
    """
    if not hasattr(baseline, "item_ids"):
        raise ModelError(f"The baseline '{baseline.name}' is not fitted.", hint="Call fit(train, item_ids) first.")
    with atomic_dir(folder, overwrite=overwrite) as work:
        save_tensors(baseline.state(), work / _ARRAYS)
        ids = json.dumps(baseline.item_ids.tolist(), ensure_ascii=False)
        (work / _ITEMS).write_text(ids + "\n", encoding="utf-8")
        (work / _CARD).write_text(_page(baseline), encoding="utf-8")
        content = {
            "kind": "baseline",
            "baseline": type(baseline).name,
            "settings": baseline.settings.model_dump(mode="json"),
            "n_items": len(baseline.item_ids),
            "fit_seconds": baseline.fit_seconds if math.isfinite(baseline.fit_seconds) else None,
            "choices": baseline.choices,
            "info": baseline.info,
            "columns": baseline.columns.model_dump(exclude_none=True),
        }
        write_manifest(work, MANIFEST, content)


def _page(baseline: Baseline) -> str:
    """The page ``README.md`` as Markdown."""
    context = {
        "name": type(baseline).name,
        "items": len(baseline.item_ids),
        "settings": baseline.settings.model_dump(mode="json"),
        "figures": [choice["ndcg@10"] for choice in baseline.choices],
    }
    return card(Path(__file__).parent / "card.md.jinja", context)
