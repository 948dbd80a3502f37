"""A decoder over items that scores a catalogue by what it has learned and by vectors of items.

The score of an item is a sum of two inner products and a bias:

* a causal network reads a history of items, and its state meets a learned table. An item's row there is the sum of the
  vectors of its codes, a linear map of its text vector, and a free row; the same table is read and scored;
* mixtures of the history's own vectors (texts, and what is bought together) meet the item's, as
  :class:`~genrec.models.recgpt.parts.TextPooling` does for RecGPT. They recommend before anything is trained.

So the network learns only what vectors do not say, with a softmax over all items. Vectors of what is bought together
are made from the training part; a user in training reads those of other users (cross-fitting), because the user's own
would give away the next item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genrec.data.histories import Histories
from genrec.encoders.word_matches import WordMatches
from genrec.models.beam_tree import last_real, read_prefix
from genrec.models.catalogue_network import CatalogueNetwork, unbound
from genrec.models.outputs import CodeModelOutput, TrainingBatches, UserReader, together
from genrec.models.parts import CodeTable, build_backbone
from genrec.models.predictor import ItemScores
from genrec.models.registry import network
from genrec.models.vector_decoder.batches import FoldCollator, FoldReader, UserExamples
from genrec.models.vector_decoder.config import VectorDecoderConfig
from genrec.models.vector_decoder.loss import NEVER, Near, Wanted, find_wanted, item_loss
from genrec.models.vector_decoder.mixtures import Mixtures
from genrec.models.vector_decoder.neighbours import Neighbours
from genrec.models.vector_decoder.pairs import cross_fitted, folds_of, pair_vectors
from genrec.tensors import product_type

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex
    from genrec.models.settings import RunSettings

_ROW = 0.01
"""Scale that free rows start from: codes and texts speak first."""
_TEXT, _PAIRS = 1.0, 0.5
"""What cosines of texts and of what is bought together count at the start, where words are not read."""
_WITH_WORDS = 0.4, 0.8, 0.5
"""The same of texts, of what is bought together, and of words."""

_ROUND = 64, 1024
"""Items of a batch, and candidates, are filled up to multiples: see ``_SIZES`` of the loss."""


@network("vector-decoder")
class VectorDecoder(CatalogueNetwork):
    """A causal network over items beside their vectors, which scores all of them at once."""

    config_class = VectorDecoderConfig
    config: VectorDecoderConfig
    repeats: ClassVar[bool] = False
    by_beam: ClassVar[bool] = True
    answers: ClassVar[frozenset[str]] = frozenset({"states", "changed_states"})

    def __init__(self, config: VectorDecoderConfig) -> None:
        super().__init__(config)
        self.backbone = build_backbone(config.backbone, config.dropout)
        dim = self.backbone.config.hidden_size
        self.code_table = CodeTable(self.codebook_sizes, dim)
        self.text = nn.Parameter(torch.randn(config.vector_dim, dim) / (3 * dim) ** 0.5)
        self.rows = nn.Parameter(torch.randn(config.n_items, dim) * _ROW)
        self.bias = nn.Parameter(torch.zeros(config.n_items))
        self.norm = nn.LayerNorm(dim)
        self.output = nn.Parameter(torch.zeros(dim, dim))
        self.mixtures = Mixtures(dim, _WITH_WORDS if config.words else (_TEXT, _PAIRS), config.heads)
        self.pairs: Tensor
        self.register_buffer("pairs", torch.zeros(config.n_items, config.pair_dim))
        self._of_others: list[Tensor] = []
        self._neighbours: Neighbours | None = None
        self._changes: list[Callable[[Tensor], Tensor]] = []
        self.post_init()

    def bind(self, index: SemanticIndex) -> Self:
        """See :meth:`CatalogueNetwork.bind`; takes over what is near by its texts, too."""
        bound = super().bind(index)
        bound._neighbours = Neighbours(bound.vectors, WordMatches(index.word_vectors) if self.config.words else None)
        return bound

    @property
    def state_dim(self) -> int:
        """See :attr:`CodeModel.state_dim`."""
        return int(self.backbone.config.hidden_size)

    @property
    def works_untrained(self) -> bool:
        """Always: vectors alone recommend."""
        return True

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; whole histories, always."""
        return super().settings_read(config) - {"examples.mode"} | {"start_share"}

    def training_batches(self, index: SemanticIndex, histories: Histories, config: RunSettings) -> TrainingBatches:
        """See :meth:`CodeModel.training_batches`; takes over what is bought together, in all and by others."""
        examples = UserExamples(histories, config.model.max_items, drop=config.examples.drop, seed=config.seed)
        read = FoldReader(index.codes, self._take_pairs(histories, config.seed), self._near().keep())
        return TrainingBatches(examples, FoldCollator(read))

    def others_reader(self, index: SemanticIndex, histories: Histories, config: RunSettings) -> UserReader:
        """See :meth:`CodeModel.others_reader`; takes over what is bought together, in all and by others."""
        return FoldReader(index.codes, self._take_pairs(histories, config.seed))

    @torch.no_grad()
    def _take_pairs(self, histories: Histories, seed: int) -> np.ndarray:
        """Fold of every user, ``(n_users,)``."""
        fold = folds_of(len(histories), max(1, min(self.config.folds, len(histories))), seed=seed)
        settings = self.config.n_items, self.config.pair_dim, self.config.window
        self.pairs.copy_(torch.from_numpy(pair_vectors(histories, *settings, seed=seed)))
        self._of_others = [self.pairs]  # one fold has no others
        if fold.any():
            self._of_others = [torch.from_numpy(one) for one in cross_fitted(histories, fold, *settings, seed=seed)]
        return fold

    def forward(
        self,
        codes: Tensor,
        mask: Tensor,
        target_mask: Tensor | None = None,
        vectors: Tensor | None = None,
        items: Tensor | None = None,
        folds: Tensor | None = None,
    ) -> CodeModelOutput:
        """See :meth:`CodeModel.forward`; every item predicts those after it, so the first of a history is no target.

        Args:
            codes: ``(rows, items, levels)`` int64.
            mask: ``(rows, items)`` bool.
            target_mask: ``(rows, items)`` bool: which items count as targets.
            vectors: Not read; the network knows those of the whole catalogue.
            items: ``(rows, items)`` int64 catalogue positions.
            folds: ``(rows,)`` int64 fold of every user; None: pair vectors of all users.
        """
        items = self.known(items, mask)
        table = self._table()
        states = self._states(table[items], mask)
        targets = mask if target_mask is None else mask & target_mask
        if folds is None:
            return self._loss(table, states, items, mask, targets, None)
        outputs = []
        for fold in folds.unique().tolist():
            part = (folds == fold).nonzero()[:, 0]
            output = self._loss(table, states[part], items[part], mask[part], targets[part], fold)
            output.rows = part[output.need("rows")]
            outputs.append(output)
        return together(outputs)

    def prefill(  # type: ignore[override]
        self,
        codes: Tensor,
        mask: Tensor,
        vectors: Tensor | None = None,
        items: Tensor | None = None,
        folds: Tensor | None = None,
    ) -> ItemScores:
        """Scores of all items, see :meth:`CodeModel.prefill`; arguments as in :meth:`forward`.

        With ``folds``, items of a history score next to nothing for it, as in :meth:`forward`.
        """
        items = self.known(items, mask)
        if not mask.shape[1]:  # nobody here has a history, and the backbone reads at least one place
            items, mask = F.pad(items, (0, 1)), F.pad(mask, (0, 1))
        table = self._table()
        states = self._states(table[items], mask)
        newest = torch.arange(len(mask), device=mask.device), last_real(mask)
        known = mask.any(1, keepdim=True)
        learned = (states @ self.output)[newest] * known
        counts = self._mix(states, mask)[:, newest[0], newest[1]] * known  # (kinds, rows, items)
        scores = learned @ table.T + self._bias()
        if folds is None:
            return ItemScores(scores + self._near().of(items, counts, self._pairs(None)), by_beam=True)
        near = torch.zeros_like(scores)
        for fold in folds.unique().tolist():
            part = (folds == fold).nonzero()[:, 0]
            near = near.index_add(0, part, self._near().of(items[part], counts[:, part], self._pairs(fold)))
        had = torch.zeros_like(scores, dtype=torch.bool)
        had[mask.nonzero(as_tuple=True)[0], items[mask]] = True
        return ItemScores((scores + near).masked_fill(had, NEVER))

    def _loss(
        self, table: Tensor, states: Tensor, items: Tensor, mask: Tensor, targets: Tensor, fold: int | None
    ) -> CodeModelOutput:
        wanted = find_wanted(items, mask, targets, self.config.later, self.config.later_share)
        rows, newest = wanted.places // items.shape[1], wanted.places % items.shape[1]
        found = {
            "n_targets": torch.tensor(len(rows), device=states.device),
            "states": states[rows, newest],
            "targets": self.codes[items[rows, newest + 1]],
            "rows": rows,
            "places": newest + 1,
        }
        if not len(rows):
            return CodeModelOutput(loss=states.sum() * 0, **found)
        learned = F.dropout(states, self.config.dropout, self.training) @ self.output
        bias, chosen = self._bias(), None
        if self.training and len(table) > self.config.candidates:
            chosen = self._candidates(wanted)
            table, bias, wanted = table[chosen], bias[chosen], wanted.among(chosen)
        read, place = items.unique(return_inverse=True)
        read = F.pad(read, (0, -len(read) % _ROUND[0]))
        dtype = product_type(states.device)
        near = Near(self._near().rows(read, chosen, self._pairs(fold), dtype), place)
        smoothing = self.config.label_smoothing if self.training else 0.0
        queries = learned.flatten(0, 1)[wanted.places]
        loss = item_loss(queries, self._mix(states, mask), table, bias, near, wanted, smoothing)
        return CodeModelOutput(loss=loss, **found)

    def _candidates(self, wanted: Wanted) -> Tensor:
        """Items of a step: a uniform sample and all that are wanted, sorted; filled up from the others."""
        sample = torch.randint(self.config.n_items, (self.config.candidates,), device=wanted.item.device)
        chosen = torch.zeros(self.config.n_items, dtype=torch.bool, device=sample.device)
        chosen[sample] = chosen[wanted.item] = True
        others = (~chosen).nonzero()[:, 0]
        more = torch.randperm(len(others), device=sample.device)[: -int(chosen.sum()) % _ROUND[1]]
        chosen[others[more]] = True
        return chosen.nonzero()[:, 0]

    def _table(self) -> Tensor:
        """Learned rows of all items, ``(n_items, dim)``."""
        rows: Tensor = self.rows
        if self.training and self.config.row_dropout:
            kept = torch.rand(len(rows), 1, device=rows.device) >= self.config.row_dropout
            rows = rows * kept
        texts = self.vectors
        dtype = product_type(texts.device) if self.training else texts.dtype
        mapped = (texts.to(dtype) @ self.text.to(dtype)).to(texts.dtype)
        table = mapped + self.code_table.embed(self.codes).sum(1)
        return table + F.pad(rows, (0, 0, 0, len(table) - len(rows)))

    def _states(self, tokens: Tensor, mask: Tensor) -> Tensor:
        tokens = F.dropout(self.norm(tokens), self.config.dropout, self.training)
        states = read_prefix(self.backbone, mask, None, inputs_embeds=tokens)
        for change in self._changes:
            states = change(states)
        return states

    @contextmanager
    def changed_states(self, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Items are scored from changed states, in training and in search; what is near by vectors stays.

        Args:
            change: ``(..., dim)`` to the same.
        """
        self._changes.append(change)
        try:
            yield
        finally:
            self._changes.remove(change)

    def _mix(self, states: Tensor, mask: Tensor) -> Tensor:
        mixed: Tensor = self.mixtures(F.dropout(states, self.config.dropout, self.training), mask)
        return mixed

    def _bias(self) -> Tensor:
        """Of all items; one that entered later is as popular as the mean."""
        later = len(self.codes) - len(self.bias)
        return torch.cat([self.bias, self.bias.mean().expand(later)]) if later else self.bias

    def _pairs(self, fold: int | None) -> Tensor:
        """Vectors of what is bought together, ``(n_items, pair_dim)``; zeros for items that entered later."""
        texts = self.vectors
        pairs = self.pairs if fold is None else self._of_others[fold].to(texts.device)
        return F.pad(pairs, (0, 0, 0, len(texts) - len(pairs)))

    def _near(self) -> Neighbours:
        if self._neighbours is None:
            raise unbound()
        return self._neighbours

    def _init_weights(self, module: nn.Module) -> None:
        if module is not self:
            super()._init_weights(module)
