"""A network with fewer layers that learns from one with more, block by block: SLMRec."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.config import LARGEST_WIDTH
from genrec.errors import ArtifactError, ConfigError
from genrec.generative.recommender import GenerativeRecommender
from genrec.models.outputs import CodeModelOutput
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.aligned import Alignment, AlignmentSettings
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.generative.config import TrainConfig
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.base import CodeModel

objective = OBJECTIVES.add


class BlockDistillSettings(AlignmentSettings):
    """Settings of ``block-distill``."""

    teacher: str | None = Field(None, description="folder of a trained recommender with the same codes, more layers")
    blocks: int = Field(2, ge=1, le=LARGEST_WIDTH, description="parts that the layers of both are cut into")
    direction: float = Field(1.0, ge=0, description="weight of one minus the cosine of the states after every block")
    length: float = Field(0.1, ge=0, description="weight of the distance between these states")
    heads: float = Field(
        0.1, ge=0, description="weight of the likelihood from the states after all blocks but the last"
    )
    copy_layers: bool = Field(True, description="start from the teacher's tables and its first layers")


@objective("block-distill")
class BlockDistill(Alignment):
    """The likelihood, and states after every block like those of the teacher (SLMRec, arXiv 2405.17890).

    A teacher's weights are never changed and are no part of what is saved.
    """

    Config = BlockDistillSettings
    settings: BlockDistillSettings
    needs: ClassVar[frozenset[str]] = frozenset({"layer_states", "terms_from"})

    def prepare(self, model: CodeModel, index: SemanticIndex, config: TrainConfig) -> None:
        """See :meth:`Objective.prepare`.

        Raises:
            ConfigError: There is no teacher, or it does not fit the network.
            ArtifactError: The teacher speaks the codes of another index.
        """
        self.teacher, self.mark = _load(self.settings.teacher, index)
        super().prepare(model, index, config)
        self._check(model)
        if self.settings.copy_layers:
            mine = model.state_dict()
            same = {
                name: weight
                for name, weight in self.teacher.state_dict().items()
                if name in mine and mine[name].shape == weight.shape
            }
            model.load_state_dict(same, strict=False)

    def _check(self, model: CodeModel) -> None:
        if missing := sorted(self.needs - self.teacher.answers):
            raise ConfigError(
                f"The teacher does not give: {', '.join(missing)}.",
                where="objective.teacher",
                expected="a network such as item-decoder",
            )
        if self.teacher.state_dim != model.state_dim:
            raise ConfigError(
                f"States of different widths cannot be compared: {self.teacher.state_dim}, {model.state_dim}.",
                where="objective.teacher",
                expected="a teacher with the same model.backbone.hidden_size",
            )
        for who, one in (("teacher", self.teacher), ("network", model)):
            layers = int((one.config.backbone or {}).get("num_hidden_layers", 0))
            if 0 < layers < self.settings.blocks:
                raise ConfigError(
                    f"The {who} cannot be cut into so many blocks: it has {count(layers, 'layer')}.",
                    where="objective.blocks",
                    expected=f"at most {layers}",
                )

    def helpers(self, model: CodeModel) -> nn.ModuleDict:
        """See :meth:`Alignment.helpers`: what makes the states of a block such that items are written from them."""
        if not self.settings.heads:
            return nn.ModuleDict()
        dim = model.state_dim
        return nn.ModuleDict({f"block_{block}": nn.Linear(dim, dim) for block in range(self.settings.blocks - 1)})

    def learn(self, model: Any, batch: dict[str, Any]) -> tuple[CodeModelOutput, dict[str, tuple[float, Tensor]]]:
        """See :meth:`Alignment.learn`."""
        settings = self.settings
        layers, targets = model.layer_states(**batch)
        right, (rows, places) = batch["codes"][targets], targets.nonzero(as_tuple=True)
        known = {"places": places, "states": layers[-1], "targets": right}
        output = CodeModelOutput.of(model.terms_from(layers[-1], right), rows, len(targets), **known)
        mine = ends_of_blocks(layers, settings.blocks)
        theirs = ends_of_blocks(self._taught(batch), settings.blocks)
        found = {
            "direction": (settings.direction, (1 - F.cosine_similarity(mine, theirs, dim=-1)).mean()),
            "length": (settings.length, (mine - theirs).norm(dim=-1).mean()),
        }
        if settings.heads and settings.blocks > 1:
            heads = [model.helpers[f"block_{n}"](states) for n, states in enumerate(mine[:-1])]
            losses = [model.terms_from(states, right)[0].mean() for states in heads]
            found["heads"] = (settings.heads, torch.stack(losses).mean())
        return output, found

    @torch.no_grad()
    def _taught(self, batch: dict[str, Any]) -> Tensor:
        """States of the teacher's layers, ``(layers, n_targets, dim)``."""
        self.teacher.to(batch["mask"].device)
        given = dict(batch)
        if self.teacher.config.vector_dim and given.get("vectors") is None:
            given["vectors"] = self.texts_of(self.items_of(batch["codes"]))
        states: Tensor = self.teacher.layer_states(**given)[0]
        return states

    def state(self) -> dict[str, Tensor]:
        """See :meth:`Objective.state`."""
        return {**super().state(), "teacher": self.mark}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """See :meth:`Objective.load_state`.

        Raises:
            ArtifactError: Another teacher stands there now.
        """
        kept = dict(tensors)
        if not torch.equal(kept.pop("teacher"), self.mark):
            raise ArtifactError(
                "The teacher has changed since training began.",
                where=str(self.settings.teacher),
                hint="Put it back, or pass --overwrite (overwrite=True in Python) to start anew.",
            )
        super().load_state(kept)


def ends_of_blocks(layers: Tensor, blocks: int) -> Tensor:
    """What the last layer of every block says, ``(layers, n, dim) -> (blocks, n, dim)``; blocks of similar size."""
    ends = [-(-(block + 1) * len(layers) // blocks) - 1 for block in range(blocks)]
    return layers[ends]


def _load(teacher: str | None, index: SemanticIndex) -> tuple[Any, Tensor]:
    """A network that is not trained, and what tells it from others."""
    if teacher is None:
        raise ConfigError(
            "There is no teacher to learn from.",
            where="objective.teacher",
            expected="the folder of a trained recommender",
            hint="Train one with more layers first, then --set objective.teacher=FOLDER.",
        )
    model = GenerativeRecommender.from_pretrained(teacher, index=index).model
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode() + weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    mark = torch.frombuffer(bytearray(digest.digest()[:8]), dtype=torch.uint8)
    return model.eval().requires_grad_(False), mark
