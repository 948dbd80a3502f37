"""States of users and items beside the texts of both: RLMRec and Molar, as terms on any network that gives states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from genrec.config import LARGEST_WIDTH
from genrec.models.parts import mean_before
from genrec.training.contrast import info_nce, some
from genrec.training.objectives import OBJECTIVES
from genrec.training.objectives.aligned import Alignment, AlignmentSettings

if TYPE_CHECKING:
    from genrec.models.base import CodeModel
    from genrec.models.outputs import CodeModelOutput

objective = OBJECTIVES.add


class TextAlignmentSettings(AlignmentSettings):
    """Settings of ``text-alignment``."""

    users: float = Field(0.01, ge=0, description="weight of the term that brings users near their texts")
    items: float = Field(0.01, ge=0, description="weight of the same term for items")
    profile: Literal["mean", "sequence"] = Field(
        "mean", description="a user as text: mean of the items before, or what the network reads in these texts alone"
    )
    temperature: float = Field(0.2, gt=0, description="divisor of similarities in the softmax over the batch")
    hidden: int = Field(
        0, ge=0, le=LARGEST_WIDTH, description="width of the layer that maps texts; 0: that of the states"
    )
    rows: int = Field(1024, ge=2, description="most targets of a batch that are compared with each other")


@objective("text-alignment")
class TextAlignment(Alignment):
    """InfoNCE between what is learned from behaviour and what texts say.

    With ``profile: mean`` it is the contrastive form of RLMRec (arXiv 2310.15950); with ``profile: sequence`` users are
    aligned as in Molar (arXiv 2412.18176): the state of the whole network against the state of the same sequence
    network that reads texts alone.
    """

    Config = TextAlignmentSettings
    settings: TextAlignmentSettings

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """See :attr:`Alignment.needs`."""
        wanted = {"states"}
        if self.settings.items:
            wanted.add("embed")
        if self.settings.users and self.settings.profile == "sequence":
            wanted.add("read")
        return frozenset(wanted)

    def helpers(self, model: CodeModel) -> nn.ModuleDict:
        """See :meth:`Alignment.helpers`: what maps texts to states, of users and of items."""
        hidden = self.settings.hidden or model.state_dim
        dim = self.vectors.shape[1]
        kinds = [kind for kind in ("users", "items") if getattr(self.settings, kind)]
        layers = {
            f"of_{kind}": nn.Sequential(nn.Linear(dim, hidden), nn.LeakyReLU(), nn.Linear(hidden, model.state_dim))
            for kind in kinds
        }
        return nn.ModuleDict(layers)

    def terms(self, model: Any, output: CodeModelOutput, batch: dict[str, Any]) -> dict[str, tuple[float, Tensor]]:
        """See :meth:`Alignment.terms`."""
        states, targets = output.need("states"), output.need("targets")
        chosen = some(len(states), self.settings.rows, states.device)
        chosen = chosen[output.need("places")[chosen] > 0]  # of whom nothing is known, no text says anything
        rows, items = output.need("rows")[chosen], self.items_of(targets[chosen])
        found = {}
        if self.settings.users:
            as_text = self._profiles(model, output, batch)[chosen]
            term = info_nce(states[chosen], as_text, self.settings.temperature, same=rows)
            found["align_users"] = (self.settings.users, term)
        if self.settings.items:
            given = (
                None if batch.get("vectors") is None else batch["vectors"][rows, output.need("places")[chosen]][:, None]
            )
            embedded = model.embed(targets[chosen][:, None], given)[:, 0]
            as_text = model.helpers["of_items"](self.texts_of(items))
            found["align_items"] = (self.settings.items, info_nce(embedded, as_text, self.settings.temperature, items))
        return found

    def _profiles(self, model: Any, output: CodeModelOutput, batch: dict[str, Any]) -> Tensor:
        """What texts say of the user before every target, ``(n_targets, state_dim)``."""
        rows, places = output.need("rows"), output.need("places")
        texts = self.texts_of(self.items_of(batch["codes"])) * batch["mask"][..., None]
        read = model.helpers["of_users"]
        if self.settings.profile == "sequence":
            vectors, columns = model.start(read(texts), batch["mask"])
            states: Tensor = model.read(vectors, columns)[rows, places]
            return states
        return torch.as_tensor(read(mean_before(texts, batch["mask"])[rows, places]))
