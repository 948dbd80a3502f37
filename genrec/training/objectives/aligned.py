"""What objectives share that add terms over the states before targets to the likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from genrec.config import Settings
from genrec.errors import ConfigError
from genrec.models.outputs import CodeModelOutput
from genrec.training.distributed import in_pieces
from genrec.training.objectives.base import Forward, Objective
from genrec.training.policy.monitor import Monitor

if TYPE_CHECKING:
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel


class AlignmentSettings(Settings):
    """What every objective of alignment has."""

    likelihood: float = Field(1.0, ge=0, description="weight of the network's own loss, beside the terms")


class Alignment(Objective):
    """The network's own loss and weighted terms over what its output says of every target.

    Subclasses implement :meth:`terms` or :meth:`learn`; modules with weights of their own come from :meth:`helpers`.
    They are trained with the network and taken out of it when training is done.
    """

    Config: ClassVar[type[Settings]] = AlignmentSettings
    over_targets: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"states"})
    """Of :attr:`CodeModel.answers <genrec.models.base.CodeModel.answers>`."""

    def prepare(self, model: CodeModel, index: SemanticIndex, config: TrainConfig) -> None:
        """See :meth:`Objective.prepare`.

        Raises:
            ConfigError: The network does not answer what is asked for.
        """
        super().prepare(model, index, config)
        if missing := sorted(self.needs - model.answers):
            raise ConfigError(
                f"The objective needs of the network: {', '.join(missing)}; "
                f"'{config.model.architecture}' does not give that.",
                where="objective.name",
                expected="a network with " + ", ".join(sorted(self.needs)),
                hint="Use model.architecture: item-decoder, or another objective.",
            )
        self.model, self.trie = model, index.trie
        self.vectors = torch.from_numpy(np.array(index.vectors(), dtype=np.float32))  # (n_items, vector_dim)
        self.monitor = Monitor(0)
        helpers = self.helpers(model)
        if len(helpers):
            model.lend(helpers)

    def helpers(self, model: CodeModel) -> nn.ModuleDict:
        """Modules with weights that the terms need; they stand in ``model.helpers``."""
        return nn.ModuleDict()

    def finish(self, model: CodeModel) -> None:
        """See :meth:`Objective.finish`."""
        model.give_back()

    def terms(self, model: Any, output: CodeModelOutput, batch: dict[str, Any]) -> dict[str, tuple[float, Tensor]]:
        """Terms by name, each with its weight.

        Args:
            model: In training, with its helpers.
            output: Of its forward pass.
            batch: What that was given.
        """
        return {}

    def learn(self, model: Any, batch: dict[str, Any]) -> tuple[CodeModelOutput, dict[str, tuple[float, Tensor]]]:
        """What the network says of a batch, and the terms; arguments as in :meth:`terms`."""
        output: CodeModelOutput = model(**batch)
        return output, self.terms(model, output, batch)

    def likelihood(self, model: Any, output: CodeModelOutput, batch: dict[str, Any]) -> Tensor:
        """The network's own loss; an objective that weighs examples makes it anew. Arguments as in :meth:`terms`."""
        return output.need("loss")

    def loss(self, forward: Forward, batch: dict[str, Any]) -> CodeModelOutput:
        """See :meth:`Objective.loss`; everything is computed inside the forward pass, whatever is around it."""
        if in_pieces(self.model):
            what = "Objectives of alignment do not work with weights that are cut among processes."
            raise ConfigError(what, where="objective.name", hint="Start it in one process, or with ddp.yaml.")

        def ask(model: Any, given: dict[str, Any]) -> CodeModelOutput:
            output, terms = self.learn(model, given)
            settings: Any = self.settings
            own = self.likelihood(model, output, given)
            total = settings.likelihood * own
            for weight, term in terms.values():
                total = total + weight * term
            self.monitor.add({"likelihood": own, **{name: term for name, (_, term) in terms.items()}})
            return CodeModelOutput(loss=total, n_targets=output.n_targets, log_likelihood=output.log_likelihood)

        return forward({**batch, "ask": ask})

    def items_of(self, codes: Tensor) -> Tensor:
        """Catalogue positions of whole paths, ``(..., n_levels) -> (...)`` int64; -1 where no item has the path."""
        found = self.trie.find(codes.flatten(0, -2).cpu().numpy())
        return torch.from_numpy(found).long().to(codes.device).view(codes.shape[:-1])

    def texts_of(self, items: Tensor) -> Tensor:
        """Item vectors of the index, ``(..., vector_dim)`` float32; zeros for -1."""
        table = self.vectors = self.vectors.to(items.device)
        found: Tensor = table[items.clamp_min(0)] * (items >= 0)[..., None]
        return found

    def figures(self) -> dict[str, float]:
        """See :meth:`Objective.figures`: every term, without its weight."""
        return self.monitor.take()

    def state(self) -> dict[str, Tensor]:
        """See :meth:`Objective.state`."""
        return self.monitor.state()

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """See :meth:`Objective.load_state`."""
        self.monitor.load_state(tensors)
