"""What networks share that meet states with a table of all items: the catalogue, the loss over items, the ranking.

A network gives two things: :meth:`ItemScorer.table`, the vectors of all items, and :meth:`ItemScorer.states`, what is
known before and after every item of a history. Both may have several heads, whose inner products are summed.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from genrec.errors import ArtifactError, ModelError
from genrec.models.base import CodeModel, CodeModelConfig
from genrec.models.beam_tree import newest_of
from genrec.models.legal_codes import code_terms
from genrec.models.outputs import CodeModelOutput, Reader, StepState, TrainingBatches
from genrec.models.predictor import ItemScores
from genrec.models.vector_decoder.batches import ItemCollator
from genrec.models.vector_decoder.network import centred
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import RunSettings


class ItemScorerConfig(CodeModelConfig):
    """Configuration of an :class:`ItemScorer`.

    Attributes:
        n_items: Items of the training; those that enter the index later have no row of their own.
        candidates: Items that a target is told apart from in training; larger catalogues are sampled.
    """

    model_type = "genrec-item-scorer"

    n_items: int = 0
    candidates: int = 32768


class ItemScorer(CodeModel):
    """A network that scores all items at once, see :meth:`bind`; subclasses say by what."""

    config_class = ItemScorerConfig
    config: ItemScorerConfig
    scores_items: ClassVar[bool] = True
    answers: ClassVar[frozenset[str]] = frozenset({"states"})

    def __init__(self, config: ItemScorerConfig) -> None:
        super().__init__(config)
        if not config.n_items or not config.vector_dim:
            raise ModelError("The network needs items with vectors.", where="model", hint="Build it for an index.")
        self._index: str | None = None
        self._codes: Tensor | None = None
        self._vectors: Tensor | None = None
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

    @property
    def codes(self) -> Tensor:
        """Codes of the catalogue, ``(n_items, levels)`` int64."""
        return self._on_device()[0]

    @property
    def vectors(self) -> Tensor:
        """Text vectors of the catalogue, centred and of unit length, ``(n_items, vector_dim)``."""
        return self._on_device()[1]

    def bind(self, index: SemanticIndex) -> Self:
        """Take over codes and vectors of an index, which may have grown since training; see :meth:`CodeModel.bind`.

        Raises:
            ArtifactError: Other codes, fewer items, or vectors of another dimension.
        """
        super().bind(index)
        raw, known = index.vectors(), self.config.n_items
        if len(raw) < known or raw.shape[1] != self.config.vector_dim:
            raise ArtifactError(
                f"The index has {count(len(raw), 'item')} with vectors of {count(raw.shape[1], 'dimension')}.",
                expected=f"at least {count(known, 'item')} with {count(self.config.vector_dim, 'dimension')}",
                hint="Use the index that the network was trained on, or one grown from it.",
            )
        bound = self if self._index in (None, index.fingerprint) else copy.copy(self)  # shares the weights
        bound._index = index.fingerprint
        bound._vectors = torch.from_numpy(centred(raw, known))
        bound._codes = torch.from_numpy(index.codes.astype(np.int64))
        return bound

    @classmethod
    def create(cls, index: SemanticIndex, config: RunSettings) -> Self:
        """See :meth:`CodeModel.create`; sizes follow from the index."""
        fields = cls.fields(config.model, index.recipe.quantizer, index.vectors().shape[1])
        fields |= {"n_items": len(index), "vector_dim": index.vectors().shape[1]}
        model = cls.of(index.codebook_sizes, **fields)
        if config.model.init_from_codebooks and index.codebooks is not None:
            model.init_from_codebooks(index.codebooks, config.seed)
        return model

    def reader(self, index: SemanticIndex, config: RunSettings) -> Reader:
        """Codes and catalogue positions."""
        return ItemCollator(index.codes)

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
        return CodeModelOutput.of(terms, rows, len(mask), places=places, states=flat, targets=codes[targets])

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
        if self._vectors is not None and self._index not in self._kept:
            with torch.no_grad():
                self._kept[self._index] = self.table()

    def end_decoding(self) -> None:
        """See :meth:`SharedModel.end_decoding`; forgets the tables."""
        self._kept.clear()

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """There are no steps.

        Raises:
            TypeError: Always; decoding ranks the scores of :meth:`prefill`.
        """
        raise TypeError("This network scores items at once; there are no codes to step through.")

    def known(self, items: Tensor | None, mask: Tensor) -> Tensor:
        """Catalogue positions with 0 at padding.

        Raises:
            ModelError: There are none in the batch.
        """
        if items is None:
            raise ModelError("This model reads the items of a catalogue.", expected="items in the batch")
        return torch.where(mask, items, 0)

    def _on_device(self) -> tuple[Tensor, Tensor]:
        if self._codes is None or self._vectors is None:
            raise ModelError("The model is not bound to a catalogue.", hint="Call bind(index).")
        if self._vectors.device != self.device:
            self._codes, self._vectors = self._codes.to(self.device), self._vectors.to(self.device)
        return self._codes, self._vectors

    def _init_weights(self, module: nn.Module) -> None:
        if not isinstance(module, nn.Linear):  # these keep torch's own scale, which stays the same through many layers
            super()._init_weights(module)
