"""What networks share that meet states with a table of all items: the loss over items, the ranking.

A network gives two things: :meth:`ItemScorer.table`, the vectors of all items, and :meth:`ItemScorer.states`, what is
known before and after every item of a history. Both may have several heads, whose inner products are summed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from genrec.models.beam_tree import newest_of
from genrec.models.catalogue_network import CatalogueNetwork, CatalogueNetworkConfig
from genrec.models.config import Some
from genrec.models.legal_codes import code_terms
from genrec.models.outputs import CodeModelOutput, TrainingBatches
from genrec.models.predictor import ItemScores

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import RunSettings


class ItemScorerConfig(CatalogueNetworkConfig):
    """Configuration of an :class:`ItemScorer`.

    Attributes:
        candidates: Items that a target is told apart from in training; larger catalogues are sampled.
    """

    model_type = "genrec-item-scorer"

    candidates: Some = 32768


class ItemScorer(CatalogueNetwork):
    """A network that scores all items at once, see :meth:`CatalogueNetwork.bind`; subclasses say by what."""

    config_class = ItemScorerConfig
    config: ItemScorerConfig
    answers: ClassVar[frozenset[str]] = frozenset({"states"})

    def __init__(self, config: ItemScorerConfig) -> None:
        super().__init__(config)
        self._kept: dict[str | None, Tensor] = {}  # tables of a search, of all twins, by their index

    @abstractmethod
    def table(self) -> Tensor:
        """What the states meet, ``(heads, n_items, dim)``, later items included."""

    @abstractmethod
    def states(self, items: Tensor, mask: Tensor, table: Tensor) -> Tensor:
        """What is known before the first and after every item, ``(users, 1 + items, heads, dim)``.

        Args:
            items: ``(users, items)`` int64 catalogue positions; padding holds any.
            mask: ``(users, items)`` bool, False at padding on either side.
            table: Of :meth:`table`.
        """

    def shares(self, heads: int) -> Sequence[float]:
        """What the inner product of every head counts in a score."""
        return [1.0] * heads

    def auxiliary(self, found: Tensor) -> Tensor | None:
        """What training adds to the loss beside the softmax over items; None: nothing.

        Args:
            found: ``(n,)`` int64 items of the batch, each once.
        """
        return None

    @property
    def state_dim(self) -> int:
        """See :attr:`CodeModel.state_dim`: that of all heads together."""
        heads, _, dim = self.table().shape
        return heads * dim

    def terms(self, states: Tensor, table: Tensor, right: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        """What every target adds to the loss, and its log-probability, each ``(n,)``: a softmax over summed scores.

        Args:
            states: ``(n, heads, dim)``.
            table: ``(heads, candidates, dim)``.
            right: ``(n,)`` int64 place of every target among the candidates.
            smoothing: See :class:`CodeModelConfig`.
        """
        return code_terms(torch.einsum("nhd,hid->ni", states, table), right, None, smoothing)

    def training_batches(self, index: SemanticIndex, histories: Histories, config: RunSettings) -> TrainingBatches:
        """See :meth:`CodeModel.training_batches`; afterwards the network :meth:`learns_from` the histories."""
        self.learns_from(histories, config.seed)
        return super().training_batches(index, histories, config)

    def learns_from(self, histories: Histories, seed: int) -> None:
        """Take what the network reads of the training part beside the histories themselves; nothing here."""
        return

    def forward(
        self,
        codes: Tensor,
        mask: Tensor,
        target_mask: Tensor | None = None,
        vectors: Tensor | None = None,
        items: Tensor | None = None,
    ) -> CodeModelOutput:
        """See :meth:`CodeModel.forward`; a loss at every item, over all items or a sample.

        Args:
            codes: ``(users, items, levels)`` int64.
            mask: ``(users, items)`` bool.
            target_mask: ``(users, items)`` bool: which items count as targets.
            vectors: Not read; the network knows those of the whole catalogue.
            items: ``(users, items)`` int64 catalogue positions.
        """
        items, table = self.known(items, mask), self.table()
        targets = mask if target_mask is None else mask & target_mask
        states = self.states(items, mask, table)[:, :-1][targets]
        right = items[targets]
        if self.training and table.shape[1] > self.config.candidates:
            sample = torch.randint(self.config.n_items, (self.config.candidates,), device=right.device)
            chosen, place = torch.cat([right, sample]).unique(return_inverse=True)
            table, right = table[:, chosen], place[: len(right)]
        smoothing = self.config.label_smoothing if self.training else 0.0
        terms = self.terms(states, table, right, smoothing)
        rows, places = targets.nonzero(as_tuple=True)
        flat = states.flatten(1)
        output = CodeModelOutput.of(terms, rows, len(mask), places=places, states=flat, targets=codes[targets])
        also = self.auxiliary(items[mask].unique()) if self.training else None
        return output if also is None else output.adding(also)

    def prefill(  # type: ignore[override]
        self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None, items: Tensor | None = None
    ) -> ItemScores:
        """Scores of all items, see :meth:`CodeModel.prefill`; arguments as in :meth:`forward`."""
        items, kept = self.known(items, mask), self._kept.get(self._index)
        table = self.table() if kept is None else kept
        states = self.newest(items, mask, table)  # (users, heads, dim)
        shares = torch.tensor(list(self.shares(len(table))), dtype=states.dtype, device=states.device)
        return ItemScores(torch.einsum("uhd,hid,h->ui", states, table, shares))

    def newest(self, items: Tensor, mask: Tensor, table: Tensor) -> Tensor:
        """The states after whole histories, ``(users, heads, dim)``; arguments as in :meth:`states`."""
        columns = torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)
        return newest_of(self.states(items, mask, table), columns)

    def _prepare_decoding(self) -> None:
        if self.bound and self._index not in self._kept:
            with torch.no_grad():
                self._kept[self._index] = self.table()

    def end_decoding(self) -> None:
        """See :meth:`SharedModel.end_decoding`; forgets the tables."""
        self._kept.clear()

    def _init_weights(self, module: nn.Module) -> None:
        if not isinstance(module, nn.Linear):  # these keep torch's own scale, which stays the same through many layers
            super()._init_weights(module)
