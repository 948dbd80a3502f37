"""Users who look like attackers count less in the loss: LoRec (arXiv 2401.17723)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.data.attacks import ATTACKS, fake_histories
from genrec.models.outputs import CodeModelOutput
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.aligned import Alignment, AlignmentSettings

if TYPE_CHECKING:
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel

objective = OBJECTIVES.add

_SIGNS = 3


class LoRecSettings(AlignmentSettings):
    """Settings of ``lorec``."""

    strength: float = Field(1.0, ge=0, description="how much suspicion lowers the weight of a user; 0: not at all")
    calibrator: float = Field(1.0, ge=0, description="weight of the term that tells synthetic attackers from users")
    entropy: float = Field(0.1, ge=0, description="weight of the entropy of verdicts on users, against overconfidence")
    fakes: int = Field(32, ge=1, description="synthetic attackers a batch")
    hidden: int = Field(64, ge=1, description="width of the calibrator")


@objective("lorec")
class LoRec(Alignment):
    """A calibrator learns to tell users from synthetic attackers, and the loss of a user is times what it trusts them.

    It sees a user as text (the mean of the item vectors of the index, how alike neighbours are, how much is repeated)
    and as the network sees them now (the mean of the states, how surprised it is, both without gradients). The weights
    of a batch have the mean 1.
    """

    Config = LoRecSettings
    settings: LoRecSettings

    def prepare(self, model: CodeModel, index: SemanticIndex, config: TrainConfig) -> None:
        """See :meth:`Alignment.prepare`."""
        super().prepare(model, index, config)
        self._codes = torch.from_numpy(index.codes.astype(np.int64))
        self._read = torch.from_numpy(np.array(model.read_vectors(index))) if config.model.item_vectors else None
        self._seed, self._step = config.seed, 0

    def begin_step(self, step: int) -> None:
        """See :meth:`Objective.begin_step`: attackers are a function of seed and step."""
        self._step = step

    def helpers(self, model: CodeModel) -> nn.ModuleDict:
        """See :meth:`Alignment.helpers`: the calibrator."""
        width, hidden = self.vectors.shape[1] + model.state_dim, self.settings.hidden
        layers = nn.Sequential(nn.Linear(width + _SIGNS, hidden), nn.GELU(), nn.Linear(hidden, 1))
        return nn.ModuleDict({"norm": nn.LayerNorm(width), "calibrator": layers})

    def suspicion(self, model: Any, output: CodeModelOutput, batch: dict[str, Any]) -> Tensor:
        """Logit that a row is an attacker, ``(rows,)``."""
        mask, rows = batch["mask"], output.need("rows")
        items = self.items_of(batch["codes"]).masked_fill(~mask, -1)
        texts = F.normalize(self.texts_of(items), dim=-1)
        profile = texts.sum(1) / mask.sum(1, keepdim=True).clamp_min(1)
        states = output.need("states").detach()
        total = states.new_zeros(len(mask), states.shape[1]).index_add(0, rows, states)
        count = torch.bincount(rows, minlength=len(mask)).clamp_min(1)
        both = model.helpers["norm"](torch.cat([profile, total / count[:, None]], dim=1))
        surprise = -output.need("log_likelihood").detach() / count
        logit: Tensor = model.helpers["calibrator"](torch.cat([both, _signs(items, texts, surprise)], dim=1))[:, 0]
        return logit

    def likelihood(self, model: Any, output: CodeModelOutput, batch: dict[str, Any]) -> Tensor:
        """See :meth:`Alignment.likelihood`: every row times what it is trusted."""
        weights = self.weights(self.suspicion(model, output, batch).detach())
        self.monitor.add({"lowest_weight": weights.min()})
        loss: Tensor = -(weights * output.need("log_likelihood")).sum() / output.need("n_targets")
        return loss

    def weights(self, suspicion: Tensor) -> Tensor:
        """Weights of rows from logits of suspicion, ``(rows,)`` with the mean 1."""
        trust = torch.sigmoid(-suspicion) ** self.settings.strength
        return trust / trust.mean()

    def terms(self, model: Any, output: CodeModelOutput, batch: dict[str, Any]) -> dict[str, tuple[float, Tensor]]:
        """See :meth:`Alignment.terms`."""
        fake = self._fakes(batch)
        with torch.no_grad():
            seen = model(**fake)
        users, attackers = self.suspicion(model, output, batch), self.suspicion(model, seen, fake)
        told = F.binary_cross_entropy_with_logits(users, torch.zeros_like(users))
        told = told + F.binary_cross_entropy_with_logits(attackers, torch.ones_like(attackers))
        verdict = torch.sigmoid(users).clamp(1e-6, 1 - 1e-6)
        entropy = -(verdict * verdict.log() + (1 - verdict) * (1 - verdict).log()).mean()
        return {"calibrator": (self.settings.calibrator, told), "certainty": (self.settings.entropy, -entropy)}

    def _fakes(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Synthetic attackers as long as the users of a batch, pushing random items."""
        rng = np.random.default_rng([self._seed, 12, self._step])
        lengths = batch["mask"].sum(1).cpu().numpy()
        n_items = len(self._codes)
        pushed = rng.integers(0, n_items, self.settings.fakes)
        popularity = np.bincount(self.items_of(batch["codes"])[batch["mask"]].clamp_min(0).cpu(), minlength=n_items)
        rows = []
        for n in range(self.settings.fakes):
            kind = ATTACKS[n % len(ATTACKS)]
            settings: dict[str, Any] = {"attack": kind, "popularity": popularity, "lengths": lengths[lengths > 1]}
            settings["lengths"] = settings["lengths"] if len(settings["lengths"]) else (2,)
            rows += fake_histories(1, n_items, pushed[n : n + 1], rng=rng, **settings)
        items = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row).long() for row in rows], True, -1)
        device = batch["codes"].device
        made = {"codes": self._codes[items.clamp_min(0)].to(device), "mask": (items >= 0).to(device)}
        if batch.get("vectors") is not None and self._read is not None:
            made["vectors"] = self._read[items.clamp_min(0)].to(device)
        return made


def _signs(items: Tensor, texts: Tensor, surprise: Tensor) -> Tensor:
    """How alike neighbours are, how much is repeated, and how surprised the network is, ``(rows, 3)``.

    Args:
        items: ``(rows, n)`` catalogue positions, -1 for padding.
        texts: ``(rows, n, dim)`` of unit length, zeros at padding.
        surprise: ``(rows,)`` negative log-likelihood of a target.
    """
    known = items >= 0
    pairs = (known[:, 1:] & known[:, :-1]).sum(1).clamp_min(1)
    alike = (texts[:, 1:] * texts[:, :-1]).sum((1, 2)) / pairs
    same = (items[:, :, None] == items[:, None, :]) & known[:, None, :]
    repeated = ((same.sum(2) > 1) & known).sum(1) / known.sum(1).clamp_min(1)
    return torch.stack([alike, repeated.to(alike), surprise.to(alike).clamp_max(50) / 10], dim=1)
