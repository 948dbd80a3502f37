"""What a recommended item is worth: small functions of item ids, added up with weights. Decoded text is never read.

A reward sees positions in the catalogue: the items on offer, what the user took, the history before it. It returns one
number an item, higher is better. Those between 0 and 1 can be weighed against each other.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from genrec.baselines.base import FitInputs
from genrec.baselines.registry import CLASSES
from genrec.baselines.scoring import ScoringBaseline
from genrec.baselines.storage import load_baseline
from genrec.config import Settings
from genrec.data.histories import Histories
from genrec.errors import ConfigError, GenRecError, unknown_name
from genrec.index.semantic_index import SemanticIndex


class RewardSettings(Settings):
    """One term of a reward.

    ``hit``: the item is the one that the user took. ``rank``: minus the share of a discount by rank, where the group
    holds the right item (MiniOneRec). ``prefix``: share of leading codes in common with it. ``scorer``: percentile of a
    baseline's score for this history. ``novelty``: how rare the item is. ``column``: a column of the items' table, such
    as price or margin. ``diversity``: distance to the other items of the group. ``function``: your own.
    """

    name: Literal["hit", "rank", "prefix", "scorer", "novelty", "column", "diversity", "function"] = Field(
        "hit", description="which function"
    )
    weight: float = Field(1.0, description="factor on it")
    scorer: str = Field("transition-counts", description="scorer: a baseline by name, or the folder of a saved one")
    column: str | None = Field(None, description="column: its name in the table of items")
    scale: Literal["percentile", "value"] = Field("percentile", description="column: by rank among items, or as it is")
    function: str | None = Field(None, description="function: 'module:name', found on the Python path")

    @model_validator(mode="after")
    def _complete(self) -> RewardSettings:
        for name in ("column", "function"):
            if (self.name == name) == (getattr(self, name) is None):
                raise ValueError(f"{name} goes with name: {name}")
        return self

    @property
    def label(self) -> str:
        """How logs call it."""
        return {"scorer": self.scorer.rsplit("/")[-1], "column": self.column or ""}.get(self.name, self.name)


@dataclass(frozen=True)
class Offer:
    """Items for some histories.

    Attributes:
        items: ``(rows, n)`` int64 positions; -1 where there is none.
        targets: ``(rows,)`` int64: what users took.
        histories: Before it.
        order: ``(rows, n)`` by what items are ranked, such as their log-probabilities; higher is better.
    """

    items: Tensor
    targets: Tensor
    histories: Histories
    order: Tensor


Reward = Callable[[Offer], Tensor]
"""An offer → ``(rows, n)`` float32."""


class Rewards:
    """A weighted sum of rewards.

    Args:
        settings: Of every term.
        index: Of the catalogue.
        train: Training part, which popularity and scorers are made of.

    Attributes:
        by_level: ``(n_levels,)`` what every further code in common with the right item adds, where nothing else counts;
            the expectation is then known from one path alone.

    Raises:
        ConfigError: A column, a scorer or a function does not exist.
    """

    def __init__(self, settings: Sequence[RewardSettings], index: SemanticIndex, train: Histories) -> None:
        if not settings:
            raise ConfigError("There is no reward.", where="objective.rewards", expected="at least one term")
        self.terms = [(_label(settings, n), one.weight, _make(one, index, train)) for n, one in enumerate(settings)]
        self.by_level: Tensor | None = None
        self.grouped = any(one.name in ("diversity", "rank") for one in settings)
        if all(one.name in ("hit", "prefix") for one in settings):
            levels = index.codes.shape[1]
            self.by_level = torch.zeros(levels)
            for one in settings:
                self.by_level += one.weight * (
                    torch.eye(levels)[-1] if one.name == "hit" else torch.ones(levels) / levels
                )

    def __call__(self, offer: Offer) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum, ``(rows, n)`` float32, 0 at padding, and every term without its weight."""
        missing = offer.items < 0
        terms = {name: term(offer).to(offer.order).masked_fill(missing, 0) for name, _, term in self.terms}
        total = torch.zeros_like(offer.order)
        for name, weight, _ in self.terms:
            total = total + weight * terms[name]
        return total, terms


def _label(settings: Sequence[RewardSettings], n: int) -> str:
    same = [one.label for one in settings[:n]].count(settings[n].label)
    return settings[n].label + (f"-{same + 1}" if same else "")


def _make(one: RewardSettings, index: SemanticIndex, train: Histories) -> Reward:
    if one.name == "hit":
        return hit
    if one.name == "rank":
        return rank
    if one.name == "prefix":
        return prefix_of(torch.from_numpy(index.codes.astype(np.int64)))
    if one.name == "scorer":
        return percentile_of(_scorer(one.scorer, index, train))
    if one.name == "novelty":
        return table_of(novelty(train, len(index.item_ids)))
    if one.name == "column":
        return table_of(_column(index, str(one.column), one.scale))
    if one.name == "diversity":
        return diversity_of(torch.from_numpy(np.array(index.vectors(), dtype=np.float32)))
    return function_of(str(one.function), index.item_ids)


def hit(offer: Offer) -> Tensor:
    """1 for what the user took."""
    return (offer.items == offer.targets[:, None]).float()


def rank(offer: Offer) -> Tensor:
    """MiniOneRec's term (arXiv 2510.24431): 0 for the right item, for others minus a share by rank.

    The shares are those of ``1 / log2(1 + rank)``. All are 0 where the right item is not among them.
    """
    right = hit(offer)
    place = offer.order.argsort(dim=1, descending=True, stable=True).argsort(dim=1, stable=True) + 1
    discount = (1 / torch.log2(place + 1.0)).masked_fill(offer.items < 0, 0)
    share = discount / discount.sum(1, keepdim=True).clamp_min(1e-12)
    return -share * (1 - right) * right.amax(1, keepdim=True)


def prefix_of(codes: Tensor) -> Reward:
    """Share of the leading codes that an item has in common with the right one; ``codes (n_items, n_levels)``."""

    def prefix(offer: Offer) -> Tensor:
        known = codes.to(offer.items.device)
        same = known[offer.items.clamp_min(0)] == known[offer.targets][:, None]
        return same.long().cumprod(-1).sum(-1) / codes.shape[1]

    return prefix


def percentile_of(scorer: ScoringBaseline) -> Reward:
    """Share of the catalogue that a scorer puts below the item, for this history; ties count half."""

    def percentile(offer: Offer) -> Tensor:
        scores = _dense(scorer, offer.histories)
        chosen = np.take_along_axis(scores, offer.items.clamp_min(0).cpu().numpy(), axis=1)
        ordered = np.sort(scores, axis=1)
        rows = zip(ordered, chosen, strict=True)
        below = np.stack([np.searchsorted(all_, one) + np.searchsorted(all_, one, "right") for all_, one in rows])
        return torch.from_numpy(below / (2 * scores.shape[1])).to(offer.order)

    return percentile


def _dense(scorer: ScoringBaseline, histories: Histories) -> np.ndarray:
    scores: Any = scorer.score(histories)
    if isinstance(scores, np.ndarray):
        return scores
    stored, background = scores.tocoo(), scorer.background()
    dense = np.empty(scores.shape, dtype=np.float32)
    dense[:] = np.float32(-np.inf) if background is None else background
    dense[stored.coords] = stored.data
    return dense


def novelty(train: Histories, n_items: int) -> np.ndarray:
    """``(n_items,)`` from 0, the item that is bought most, to 1, one that nobody bought; by the logarithm."""
    counts = np.log1p(np.bincount(train.items, minlength=n_items))
    return np.asarray(1 - counts / max(1e-12, counts.max()), dtype=np.float32)


def table_of(values: np.ndarray) -> Reward:
    """One number an item, ``(n_items,)``."""
    table = torch.from_numpy(np.asarray(values, dtype=np.float32))

    def value(offer: Offer) -> Tensor:
        return table.to(offer.items.device)[offer.items.clamp_min(0)]

    return value


def diversity_of(vectors: Tensor) -> Reward:
    """1 minus the mean cosine to the other items of the group; ``vectors (n_items, dim)``."""
    unit = vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-12)

    def diversity(offer: Offer) -> Tensor:
        present = (offer.items >= 0).float()
        mine = unit.to(offer.items.device)[offer.items.clamp_min(0)] * present[..., None]
        others = mine.sum(1, keepdim=True) - mine
        return 1 - (mine * others).sum(-1) / (present.sum(1, keepdim=True) - 1).clamp_min(1)

    return diversity


def function_of(path: str, item_ids: np.ndarray) -> Reward:
    """A function ``(items, targets, histories) -> (rows, n)`` of item ids: arrays of str, and a list of arrays.

    Its path comes from the settings of this run; a saved recommender's are never built again.

    Raises:
        ConfigError: There is no such function, or it returns something else.
    """
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        what = f"The reward '{path}' cannot be imported: {error}"
        hint = "Run Python where the module can be imported, or set PYTHONPATH."
        raise ConfigError(what, where="objective.rewards", expected="module:name of a function", hint=hint) from None
    ids = np.append(np.asarray(item_ids, dtype=object), "")  # position -1

    def function(offer: Offer) -> Tensor:
        items, histories = ids[offer.items.cpu().numpy()], [ids[one] for one in offer.histories]
        values = np.asarray(found(items, ids[offer.targets.cpu().numpy()], histories), dtype=np.float32)
        if values.shape != items.shape or not np.isfinite(values).all():
            raise ConfigError(
                f"The reward '{path}' returns an array of shape {values.shape}, or not only numbers.",
                where="objective.rewards",
                expected=f"one finite number an item: {items.shape}",
            )
        return torch.from_numpy(values).to(offer.order)

    return function


def _scorer(name: str, index: SemanticIndex, train: Histories) -> ScoringBaseline:
    if name in CLASSES:
        made = CLASSES[name]()
        vectors = index.vectors() if made.needs_vectors else None
        words = index.word_vectors if made.needs_words else None
        made.fit(train, index.item_ids, FitInputs(vectors=vectors, words=words))
    else:
        try:
            made = load_baseline(name)
        except GenRecError:
            raise unknown_name("scorer", name, CLASSES, where="objective.rewards") from None
        if list(made.item_ids) != list(index.item_ids):
            what = "The scorer of a reward knows other items."
            raise ConfigError(what, where=name, expected="a baseline of this catalogue")
    if not isinstance(made, ScoringBaseline):
        what = f"The baseline '{name}' gives no scores."
        raise ConfigError(what, where="objective.rewards", expected="one that scores items, such as transition-counts")
    return made


def _column(index: SemanticIndex, column: str, scale: str) -> np.ndarray:
    frame = index.catalog.frame
    numbers = [name for name in frame.columns[1:] if frame[name].dtype.is_numeric()]
    if column not in numbers:
        raise unknown_name("column of numbers", column, numbers, where="objective.rewards")
    given = frame[column].cast(float).fill_nan(None)
    values = given.fill_null(given.median() if given.count() else 0.0).to_numpy()
    if scale == "value":
        return np.asarray(values, dtype=np.float32)
    ordered = np.sort(values)
    both = np.searchsorted(ordered, values) + np.searchsorted(ordered, values, "right")
    return np.asarray(both / (2 * len(values)), dtype=np.float32)
