"""How a recommender decodes: one frozen object of settings, saved with it and changeable per request."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from genrec.config import LARGEST_WIDTH, Settings, apply_overrides, differences, parse
from genrec.errors import ConfigError

logger = logging.getLogger(__name__)

MAX_WEIGHT = 1e6
"""Far above every score, and far below what float32 holds."""
_CPU_ROWS = 640  # model rows a step; 400 to 800 was measured to be best, larger temporaries leave the caches
_CUDA_ROWS = 16_384
_EXACT_USERS = 32  # of 1024 rows a step: a node then attends past few others of its chunk (16: 10 % slower)


class BlendSettings(Settings):
    """How much the counts of a user weigh goes by how sure they are of one item.

    MemGen (https://arxiv.org/abs/2603.19809): what is sure is mostly remembered, and counts remember best. The
    weight is times ``2 sigmoid(sharpness (p - threshold))``, where ``p`` is the share that the user's best item has
    of all that the counts give the user.
    """

    sharpness: float | None = Field(
        None,
        ge=0,
        le=MAX_WEIGHT,
        description="how steeply it grows; 0: alike for all users; None: chosen on validation",
    )
    threshold: float | None = Field(
        None, ge=0, le=1, description="share of the best item at which counts weigh as the weight says; None: chosen"
    )

    @property
    def chosen(self) -> bool:
        """Whether both numbers are known."""
        return self.sharpness is not None and self.threshold is not None

    def factors(self, shares: np.ndarray) -> np.ndarray:
        """Factors on the weight of the counts, ``(n_users,)``, from shares of the best items ``(n_users,)``."""
        if self.sharpness is None or self.threshold is None:
            return np.ones(len(shares), dtype=np.float32)
        return (2 / (1 + np.exp(-self.sharpness * (shares - self.threshold)))).astype(np.float32)

    def is_met_by(self, fitted: BlendSettings) -> bool:
        """Whether fitted numbers are what these settings ask for."""
        return self.sharpness in (None, fitted.sharpness) and self.threshold in (None, fitted.threshold)


class PriorSettings(Settings):
    """The item prior that a recommender learns from its training part, see :mod:`genrec.training.prior`."""

    name: Literal["transition-counts", "item-knn"] = Field("transition-counts", description="baseline that counts")
    settings: dict[str, Any] = Field({}, description="settings of the baseline; the others are chosen on validation")
    weight: float | None = Field(
        None, ge=0, le=MAX_WEIGHT, description="factor on its scores; None: chosen on validation"
    )
    blend: BlendSettings | None = Field(None, description="weigh each user's counts by how sure they are; None: alike")

    def is_met_by(self, fitted: PriorSettings) -> bool:
        """Whether a fitted prior is what these settings ask for; what they leave open may be anything."""
        same = self.name == fitted.name and self.settings.items() <= fitted.settings.items()
        same = same and self.weight in (None, fitted.weight)
        if self.blend is None or fitted.blend is None:
            return same and self.blend is fitted.blend
        return same and self.blend.is_met_by(fitted.blend)


class DecodingOptions(Settings):
    """Settings of decoding.

    Diversity has three independent forms: groups of beams (:mod:`genrec.decoding.diverse`), a limit per prefix
    (:mod:`genrec.decoding.prefix_cap`) and re-ranking over item vectors (:mod:`genrec.decoding.mmr`); the first two do
    not combine.
    """

    beams: int = Field(50, ge=1, description="hypotheses a user; more find better items, for more time")
    batch_users: int | None = Field(None, ge=1, description="users decoded together; None: as fits the device")
    normalize: Literal["vocabulary", "codes", "children"] = Field(
        "vocabulary", description="what probabilities are over, see genrec.decoding.normalize"
    )
    groups: int = Field(1, ge=1, le=LARGEST_WIDTH, description="groups of diverse beam search")
    diversity_penalty: float = Field(
        0.5, ge=0, le=MAX_WEIGHT, description="what a group loses for a code of an earlier one"
    )
    max_per_prefix: int | None = Field(None, ge=1, description="results that may share their first codes; None: all")
    prefix_length: int = Field(1, ge=1, le=LARGEST_WIDTH, description="how many first codes are meant")
    mmr: float | None = Field(None, ge=0, le=1, description="weight of the score when re-ranking; None: no re-ranking")
    prior: PriorSettings | None = Field(None, description="item prior learned in training; None: none is used")
    prior_weight: float = Field(1.0, ge=0, le=MAX_WEIGHT, description="factor on the item priors that a request brings")
    words: float | None = Field(
        0.0,
        ge=0,
        le=MAX_WEIGHT,
        description="what is added for words that an item shares with the history, times their cosine; None: training "
        "chooses it on validation",
    )
    exact: bool = Field(False, description="score every item instead of searching; slow, the true ranking")

    @model_validator(mode="after")
    def _consistent(self) -> DecodingOptions:
        if self.max_per_prefix is not None and (self.groups > 1 or self.exact):
            raise ValueError("max_per_prefix works with plain beam search: groups 1, exact false")
        if self.exact and self.groups > 1:
            raise ValueError("exact scoring has no beams to put into groups")
        return self

    def changed(self, overrides: Iterable[str]) -> DecodingOptions:
        """The same with some settings changed.

        Args:
            overrides: ``key.sub=value`` strings, such as ``normalize=children`` or ``prior=null``.

        Raises:
            ConfigError: An unknown setting, a wrong value, or settings that do not go together.
        """
        return parse(DecodingOptions, apply_overrides(self.model_dump(), overrides), where="--set")

    def for_once(self, given: DecodingOptions | Mapping[str, Any]) -> DecodingOptions:
        """The settings of one request.

        Args:
            given: All of them, or those that differ from these.

        Raises:
            ConfigError: Something else, an unknown setting, or a wrong value.
        """
        if isinstance(given, DecodingOptions):
            return given
        if not isinstance(given, Mapping):
            raise ConfigError(
                f"Decoding options are given by {type(given).__name__}.",
                where="options",
                expected="a mapping of settings, such as {'beams': 100}, or DecodingOptions",
            )
        return parse(DecodingOptions, {**self.model_dump(), **given}, where="options")

    def idle(self, *, searches: bool = True, prior: bool = True) -> dict[str, str]:
        """Settings that change no list beside the others, each with why, in words that follow "since".

        Args:
            searches: Whether the network is searched; else it scores all items at once, always.
            prior: Whether requests may bring an item prior.
        """
        found = {}
        if not searches or self.exact:
            why = "exact ranks all items" if searches else "the network scores all items at once"
            found = dict.fromkeys(("groups", "diversity_penalty", "max_per_prefix", "prefix_length"), why)
            if self.mmr is None:  # else so many candidates are re-ranked
                found["beams"] = why
            if not searches:
                found["exact"] = why
        if self.groups == 1:
            found.setdefault("diversity_penalty", "groups is 1")
        if self.max_per_prefix is None:
            found.setdefault("prefix_length", "max_per_prefix is not set")
        if not prior:
            found["prior_weight"] = "there is no prior beside the request"
        return found

    def idle_beside(self, usual: DecodingOptions, *, searches: bool = True, prior: bool = True) -> dict[str, str]:
        """Those of :meth:`idle` that differ from the usual settings."""
        idle = self.idle(searches=searches, prior=prior)
        return {name: idle[name] for name in sorted(differences(self, usual)) if name in idle}

    def users_at_once(self, k: int, device: str = "cpu") -> int:
        """Users of one batch: ``batch_users``, or as many as make the model's steps efficient on this device."""
        if self.batch_users is not None:
            return self.batch_users
        if self.exact:
            return _EXACT_USERS
        rows = _CPU_ROWS if device == "cpu" else _CUDA_ROWS
        return max(1, rows // max(self.beams, k))


def idle_lines(idle: Mapping[str, str], asked: Collection[str]) -> list[str]:
    """A line for every reason, which settings of the caller change nothing.

    Args:
        idle: Names of settings that change nothing, each with why.
        asked: What the caller has set.
    """
    found = {why: sorted(name for name in asked if idle.get(name) == why) for why in dict.fromkeys(idle.values())}
    return [f"Settings that change nothing, since {why}: {', '.join(names)}." for why, names in found.items() if names]


def say_idle(idle: Mapping[str, str], asked: Collection[str]) -> None:
    """Log :func:`idle_lines`."""
    for line in idle_lines(idle, asked):
        logger.warning("%s", line)


def say_once(idle: dict[str, str], told: dict[str, str]) -> dict[str, str]:
    """Log what changes nothing, unless that was told of the request before; returns what is told now.

    Args:
        idle: Settings of a request that change nothing, each with why.
        told: What this returned for the request before.
    """
    if idle != told:
        say_idle(idle, idle)
    return idle


def even_slices(n: int, most: int) -> list[slice]:
    """``n`` users in as few batches of at most ``most`` as there can be, none much smaller than the others."""
    batches = -(-n // most)
    bounds = [n * number // max(batches, 1) for number in range(batches + 1)]
    return [slice(*pair) for pair in pairwise(bounds)]
