"""BSARec: self-attention with an inductive bias, in which slow and fast changes of a history are weighed apart."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from genrec.baselines.sasrec import SASRec, SASRecSettings
from genrec.config import LARGEST_WIDTH, Settings


class BSARecSettings(SASRecSettings):
    """Settings of :class:`BSARec`."""

    heads: int = Field(1, ge=1, le=LARGEST_WIDTH, description="attention heads; must divide dim")
    alpha: float = Field(0.7, ge=0, lt=1, description="share of the rescaled frequencies; attention has the rest")
    cutoff: int = Field(
        5, ge=1, le=LARGEST_WIDTH, description="twice the number of lowest frequencies that count as slow, plus one"
    )


class BSARec(SASRec):
    """Attention mixed with a filter over the history that keeps slow changes and rescales fast ones.

    Shin et al.: An Attentive Inductive Bias for Sequential Recommendation beyond the Self-Attention
    (https://arxiv.org/abs/2312.10325): attention alone smooths a history; the filter brings back what changes fast. Not
    as there: weights are averaged, and a history is filtered as a window of ``max_items`` with nothing before its
    oldest item, whatever it is padded to. With ``rows: histories`` the filter of an item sees only what came before it,
    so that every item of a history has a loss in one pass, which is faster and ranks worse. With ``alpha`` 0 it is a
    :class:`SASRec`.
    """

    name = "bsarec"
    Config: ClassVar[type[Settings]] = BSARecSettings
    legacy: ClassVar[dict[str, Any]] = {"rows": "prefixes"}

    settings: BSARecSettings

    def _filters(self) -> dict[str, Any]:
        return {"alpha": self.settings.alpha, "cutoff": self.settings.cutoff}
