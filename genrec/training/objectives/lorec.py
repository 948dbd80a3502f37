"""Users who look like attackers count less in the loss: LoRec (arXiv 2401.17723)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.config import LARGEST_WIDTH
from genrec.data.attacks import ATTACKS, fake_histories
from genrec.errors import ConfigError
from genrec.models.outputs import CodeModelOutput
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.aligned import Alignment, AlignmentSettings

if TYPE_CHECKING:
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel

objective = OBJECTIVES.add

_SIGNS, _SCALE = 3, 8.0  # cosines of texts are small


class LoRecSettings(AlignmentSettings):
    """Settings of ``lorec``."""

    strength: float = Field(1.0, ge=0, description="how much suspicion lowers the weight of a user; 0: not at all")
    calibrator: float = Field(1.0, ge=0, description="weight of the term that tells synthetic attackers from users")
    entropy: float = Field(0.1, ge=0, description="weight of the entropy of verdicts on users, against overconfidence")
    fakes: int = Field(32, ge=1, le=LARGEST_WIDTH, description="synthetic attackers a batch")
    hidden: int = Field(16, ge=1, le=LARGEST_WIDTH, description="width of the calibrator")


@objective("lorec")
class LoRec(Alignment):
    """A calibrator learns to tell users from synthetic attackers, and the loss of a user is times what it trusts them.

    It reads how well the texts of a user's items go together, and how much is repeated; the weights of a batch have the
    mean 1. It does not read which items these are, nor what the network thinks of the user: attackers in the training
    part have been learned from and synthetic ones have not, so both would tell who was trained on.
    """

    Config = LoRecSettings
    settings: LoRecSettings
    needs = frozenset()

    def prepare(self, model: CodeModel, index: SemanticIndex, config: TrainConfig) -> None:
        """See :meth:`Alignment.prepare`.

        Raises:
            ConfigError: The network reads prompts.
        """
        if model.reads_prompts:
            raise ConfigError(
                "The objective 'lorec' weighs users by their items, and a prompt does not hold these.",
                where="objective.name",
                expected="a network over codes, such as model.architecture: item-decoder",
            )
        super().prepare(model, index, config)
        self._seed, self._step = config.seed, 0

    def begin_step(self, step: int) -> None:
        """See :meth:`Objective.begin_step`: attackers are a function of seed and step."""
        self._step = step

    def helpers(self, model: CodeModel) -> nn.ModuleDict:
        """See :meth:`Alignment.helpers`: the calibrator."""
        hidden = self.settings.hidden
        return nn.ModuleDict({"calibrator": nn.Sequential(nn.Linear(_SIGNS, hidden), nn.GELU(), nn.Linear(hidden, 1))})

    def suspicion(self, model: Any, items: Tensor) -> Tensor:
        """Logit that a history is an attacker's, ``(rows,)``, of catalogue positions ``(rows, n)``, -1 for padding."""
        known = (items >= 0)[..., None]
        texts = F.normalize(self.texts_of(items) - self.vectors.mean(0), dim=-1) * known
        logit: Tensor = model.helpers["calibrator"](_SCALE * signs(items, texts))[:, 0]
        return logit

    def likelihood(self, model: Any, output: CodeModelOutput, batch: dict[str, Any]) -> Tensor:
        """See :meth:`Alignment.likelihood`: every row times what it is trusted."""
        weights = self.weights(self.suspicion(model, self._rows(batch)).detach())
        self.monitor.add({"lowest_weight": weights.min()})
        loss: Tensor = -(weights * output.need("log_likelihood")).sum() / output.need("n_targets")
        return loss

    def weights(self, suspicion: Tensor) -> Tensor:
        """Weights of rows from logits of suspicion, ``(rows,)`` with the mean 1."""
        trust = torch.sigmoid(-suspicion) ** self.settings.strength
        return trust / trust.mean()

    def terms(self, model: Any, output: CodeModelOutput, batch: dict[str, Any]) -> dict[str, tuple[float, Tensor]]:
        """See :meth:`Alignment.terms`."""
        items = self._rows(batch)
        users, attackers = self.suspicion(model, items), self.suspicion(model, self._fakes(items))
        told = F.binary_cross_entropy_with_logits(users, torch.zeros_like(users))
        told = told + F.binary_cross_entropy_with_logits(attackers, torch.ones_like(attackers))
        verdict = torch.sigmoid(users).clamp(1e-6, 1 - 1e-6)
        entropy = -(verdict * verdict.log() + (1 - verdict) * (1 - verdict).log()).mean()
        return {"calibrator": (self.settings.calibrator, told), "certainty": (self.settings.entropy, -entropy)}

    def _rows(self, batch: dict[str, Any]) -> Tensor:
        """Catalogue positions of a batch, ``(rows, n)``, -1 for padding."""
        return self.items_of(batch["codes"]).masked_fill(~batch["mask"], -1)

    def _fakes(self, items: Tensor) -> Tensor:
        """Synthetic attackers as long as the users of a batch, pushing random items; as :meth:`_rows`."""
        rng, n_items = np.random.default_rng([self._seed, 12, self._step]), len(self.vectors)
        lengths = (items >= 0).sum(1).cpu().numpy()
        lengths = lengths[lengths > 1] if (lengths > 1).any() else np.array([2])
        popularity = np.bincount(items[items >= 0].cpu(), minlength=n_items)
        made = []
        for n, kind in enumerate(ATTACKS):
            size = len(range(n, self.settings.fakes, len(ATTACKS)))
            pushed = rng.integers(0, n_items, max(1, size))
            made += fake_histories(size, n_items, pushed, attack=kind, popularity=popularity, lengths=lengths, rng=rng)
        rows = [torch.from_numpy(row).long() for row in made]
        return torch.nn.utils.rnn.pad_sequence(rows, True, -1).to(items.device)


def signs(items: Tensor, texts: Tensor) -> Tensor:
    """How alike neighbours are, how alike all items are, and how much is repeated, ``(rows, 3)``.

    Args:
        items: ``(rows, n)`` catalogue positions, -1 for padding.
        texts: ``(rows, n, dim)`` of unit length, zeros at padding.
    """
    known = items >= 0
    count = known.sum(1).clamp_min(1)
    pairs = (known[:, 1:] & known[:, :-1]).sum(1).clamp_min(1)
    neighbours = (texts[:, 1:] * texts[:, :-1]).sum((1, 2)) / pairs
    everything = (texts.sum(1).square().sum(1) - count) / (count * (count - 1)).clamp_min(1)
    same = (items[:, :, None] == items[:, None, :]) & known[:, None, :]
    repeated = ((same.sum(2) > 1) & known).sum(1) / count
    return torch.stack([neighbours, everything, repeated.to(texts)], dim=1)
