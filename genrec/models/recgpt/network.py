"""RecGPT: a decoder that predicts all codes of the next item at once, for catalogues it has never seen.

After Jiang et al. 2025 (https://arxiv.org/abs/2506.06270): parallel slots, attention that is bidirectional inside an
item and causal between items, and the unquantized text vector of every slot beside its code. What differs: attention is
a policy over items and levels, codes may be scored by the vectors that the catalogue's own texts give them (free rows
know nothing of codes that did not occur in training), and positions do not depend on padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache

from genrec.errors import ModelError
from genrec.models.beam_tree import BeamTree, additive, last_real
from genrec.models.fused_layers import dropout
from genrec.models.outputs import CodeModelOutput, StepState
from genrec.models.parts import CodeTable, build_backbone, level_terms
from genrec.models.predictor import StepOutput
from genrec.models.recgpt.attention import allowed, item_positions, token_positions
from genrec.models.recgpt.catalogue import CatalogueBound, rows_of
from genrec.models.recgpt.code_vectors import slot_dim, split_vectors
from genrec.models.recgpt.config import RecGPTConfig, check, settings_for
from genrec.models.recgpt.parts import (
    Candidates,
    StepEmbedding,
    TextPooling,
    already_had,
    item_likelihood,
    slot_likelihood,
)
from genrec.models.recgpt.products import quick_product
from genrec.models.registry import network

if TYPE_CHECKING:
    from genrec.models.settings import ModelSettings, RunSettings

_TIE = 1e-4
"""Score that one step of a suffix costs: colliding items come in the order of their numbers."""
_SLOW = 0.1
"""Factor on what states add to the texts' own similarity (text pooling): it starts at nothing and is to learn slowly,
because it is what fits the catalogues of pretraining rather than any catalogue."""


@dataclass
class RecGPTState(StepState):
    """Search state: log-probabilities of every slot (parallel), or cache and tree (autoregressive)."""

    slots: list[Tensor] | None = None
    newest: Tensor | None = None
    cache: DynamicCache | None = None
    tree: BeamTree | None = None
    lengths: Tensor | None = None


@network("recgpt")
class RecGPT(CatalogueBound):
    """Codes and text vectors of a history in, codes of the next item out.

    :meth:`bind` ties the network to a catalogue; nothing is trained by it, and the weights do not depend on it.
    """

    config_class = RecGPTConfig
    reads_vectors: ClassVar[bool] = True
    config: RecGPTConfig

    def __init__(self, config: RecGPTConfig) -> None:
        super().__init__(config)
        check(config)
        self.slots = config.slots or len(self.codebook_sizes)
        sizes = self.codebook_sizes[: self.slots]
        self.backbone = build_backbone(config.backbone, config.dropout)
        dim = self.backbone.config.hidden_size
        self.input_table: CodeTable | StepEmbedding = (
            StepEmbedding(config.steps, self.slots, dim) if config.steps else CodeTable(sizes, dim)
        )
        self.slot_embedding = nn.Parameter(torch.zeros(self.slots, dim))
        self.code_norm = nn.LayerNorm(dim)
        self.part_dim = slot_dim(config.vector_dim, self.slots, config.parts) if config.vector_dim else 0
        if config.auxiliary and self.part_dim:
            self.auxiliary = nn.Linear(slot_dim(config.vector_dim, self.slots), dim, bias=False)
            self.auxiliary_norm = nn.LayerNorm(dim)
        self.pooling = TextPooling(dim, self.slots, config.pooling, self.part_dim) if config.pooling else None
        if config.scores == "rows":
            self.output_table = CodeTable(sizes, dim)
        else:
            self.output = nn.Parameter(torch.zeros(self.slots, dim, self.part_dim))
        self.post_init()

    @property
    def parallel(self) -> bool:
        """Whether all slots are predicted at once, so that a catalogue can be ranked without a search."""
        return self.config.head == "parallel"

    @property
    def works_untrained(self) -> bool:
        """Whether it pools texts, which are alike before anything is learned."""
        return self.pooling is not None

    @classmethod
    def fields(cls, settings: ModelSettings, quantizer: Mapping[str, Any], vector_dim: int) -> dict[str, Any]:
        """See :meth:`CodeModel.fields`; slots and steps follow from the quantizer, unless the settings say."""
        return settings_for(quantizer) | super().fields(settings, quantizer, vector_dim)

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; the loss is over candidates or over rows, and texts may do the start."""
        own = {name: config.model.options.get(name, getattr(cls.config_class, name)) for name in ("pooling", "scores")}
        loss = {"model.label_smoothing" if own["scores"] == "rows" else "examples.candidates"}
        start = {"start_share"} if own["pooling"] else set()
        return (super().settings_read(config) - {"model.trie_masked_loss", "model.label_smoothing"}) | loss | start

    def forward(
        self,
        codes: Tensor,
        mask: Tensor,
        target_mask: Tensor | None = None,
        vectors: Tensor | None = None,
        segments: Tensor | None = None,
        target_vectors: Tensor | None = None,
        candidate_vectors: Tensor | None = None,
        candidate_codes: Tensor | None = None,
        candidate_places: Tensor | None = None,
    ) -> CodeModelOutput:
        """See :meth:`CodeModel.forward`; every item predicts the next, so the first of a history is no target.

        Args:
            codes: ``(rows, items, >= slots)`` int64.
            mask: ``(rows, items)`` bool.
            target_mask: ``(rows, items)`` bool: which items count as targets.
            vectors: ``(rows, items, vector_dim)``, from :meth:`read_vectors`.
            segments: ``(rows, items)`` int64 number of the user inside the row; None: one user a row.
            target_vectors: ``(rows, items, slots, slot_dim)`` code vectors of the items; None: of the bound catalogue.
            candidate_vectors: ``(n, slots, slot_dim)``: see :class:`~genrec.models.recgpt.parts.Candidates`; None: all
                items of the bound catalogue.
            candidate_codes: ``(n, slots)`` int64.
            candidate_places: ``(rows, items)`` int64.
        """
        segment, position = item_positions(mask, segments)
        hidden = self._hidden(codes, vectors, segment, position)
        targets = (mask if target_mask is None else mask & target_mask)[:, 1:] & (segment[:, 1:] == segment[:, :-1])
        right, rows = codes[:, 1:, : self.slots][targets], targets.nonzero()[:, 0]
        predicting = self._predicting(hidden, vectors, segment, position, targets)
        smoothing = self.config.label_smoothing if self.training else 0.0
        if self.config.scores == "rows":
            return CodeModelOutput.of(level_terms(self.output_table, predicting, right, smoothing), rows, len(codes))
        if candidate_vectors is None or candidate_codes is None or target_vectors is None:
            everything = self._bound()
            used = rows_of(everything, codes[..., : self.slots])
            target_vectors = torch.stack([part[used[..., n]] for n, part in enumerate(everything.vectors)], dim=-2)
            candidate_vectors = everything.of_items(torch.arange(len(everything.rows), device=codes.device))
            candidate_codes = torch.stack([c[everything.rows[:, n]] for n, c in enumerate(everything.codes)], dim=-1)
        candidates = Candidates(candidate_vectors, candidate_codes, candidate_places)
        wanted = target_vectors[:, 1:][targets]
        if self.config.loss == "slots":
            likelihood = slot_likelihood(predicting, wanted, right, candidates)
        else:
            known = F.pad(targets, (1, 0))
            had = already_had(candidates, segment, position, known)
            likelihood = item_likelihood(predicting, wanted, right, candidates, had, rounded=self.training)
        return CodeModelOutput.of((-likelihood, likelihood), rows, len(codes))

    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None) -> RecGPTState:
        """See :meth:`CodeModel.prefill`; an empty row gets the same score for every item."""
        if not mask.shape[1]:  # nobody has a history: an empty place, because no layer takes a sequence of nothing
            codes, mask = F.pad(codes, (0, 0, 0, 1)), F.pad(mask, (0, 1))
            vectors = None if vectors is None else F.pad(vectors, (0, 0, 0, 1))
        segment, position = item_positions(mask)
        cache = None if self.parallel else DynamicCache()
        hidden = self._hidden(codes, vectors, segment, position, cache)
        users, newest = torch.arange(len(mask), device=mask.device), last_real(mask)
        known = mask.any(1)
        if cache is None:
            predicting = self._queries(hidden, vectors, segment, position, (users, newest))
            predicting = predicting * known[:, None, None]
            return RecGPTState(slots=[self._log_probabilities(predicting[:, n], n) for n in range(self.slots)])
        tokens = mask.repeat_interleave(self.slots, dim=1)
        last = hidden[users, newest, -1] * known[:, None]
        return RecGPTState(newest=last, cache=cache, tree=BeamTree(tokens), lengths=tokens.sum(1, keepdim=True))

    def slot_scores(self, state: RecGPTState) -> list[Tensor]:
        """Log-probabilities of all codes, ``(users, codebook_size)`` per level, the suffix's included.

        Raises:
            ModelError: The head is autoregressive: no code is known before the one ahead of it.
        """
        if state.slots is None:
            raise ModelError("An autoregressive head has no scores of all slots at once.", hint="Use beam search.")
        users, device = len(state.slots[0]), state.slots[0].device
        return [*state.slots, *(self._suffix(size, users, device) for size in self.codebook_sizes[self.slots :])]

    def step(  # type: ignore[override]
        self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None
    ) -> StepOutput:
        """See :meth:`CodeModel.step`; parallel slots were scored by :meth:`prefill`, so nothing is computed here."""
        if not isinstance(state, RecGPTState):
            raise TypeError("step needs the state that prefill returned.")
        level, beams = state.level, 1 if codes is None else codes.shape[1]
        state.level += 1
        if state.slots is not None:
            scores = self.slot_scores(state)[level][:, None]
        elif level >= self.slots and codes is not None:
            scores = self._suffix(self.codebook_sizes[level], len(codes), codes.device)[:, None]
        else:
            scores = self._log_probabilities(self._advance(state, level, codes, parents), level)
        users, _, size = scores.shape
        nothing = scores.new_zeros(1, 1)
        return StepOutput(scores.expand(users, beams, size), lambda: nothing.expand(users, beams))

    def _advance(self, state: RecGPTState, level: int, codes: Tensor | None, parents: Tensor | None) -> Tensor:
        """Queries of the next level's codes, ``(users, beams, dim)``."""
        if state.newest is None or state.tree is None or state.lengths is None:
            raise TypeError("step needs the state that prefill returned.")
        if codes is None or parents is None:
            return self._query(state.newest[:, None], level)
        tokens = self.input_table.embed(codes[..., None], level - 1)[..., 0, :]
        tokens = self.code_norm(tokens) + self.slot_embedding[level - 1]
        hidden = self.backbone(
            inputs_embeds=tokens,
            attention_mask=additive(state.tree.grow(parents), tokens.dtype),
            position_ids=(state.lengths + level - 1).expand_as(codes),
            past_key_values=state.cache,
            use_cache=True,
        ).last_hidden_state
        return self._query(hidden, level)

    def _hidden(
        self,
        codes: Tensor,
        vectors: Tensor | None,
        segment: Tensor,
        position: Tensor,
        cache: DynamicCache | None = None,
    ) -> Tensor:
        """States of all tokens, ``(rows, items, slots, dim)``."""
        items = segment.shape[1]
        tokens = self.code_norm(self.input_table.embed(codes[..., : self.slots])) + self.slot_embedding
        if self.config.auxiliary and self.part_dim:
            if vectors is None:
                raise ModelError("This model reads item vectors, but none were given.", expected="vectors in the batch")
            parts = split_vectors(vectors, self.slots)
            present = (vectors != 0).any(-1)[..., None, None]  # an item without text has nothing to add
            tokens = tokens + self.auxiliary_norm(self.auxiliary(parts)) * present
        tokens = dropout(tokens, self.config.dropout, self.training).flatten(1, 2)
        item, level = position.repeat_interleave(self.slots, 1), torch.arange(self.slots, device=codes.device)
        level = level.repeat(items)[None]
        mask = allowed(self.config.attention, segment.repeat_interleave(self.slots, 1), item, level)
        hidden: Tensor = self.backbone(
            inputs_embeds=tokens,
            attention_mask=additive(mask, tokens.dtype),
            position_ids=token_positions(self.config.attention, item, level, self.slots),
            past_key_values=cache,
            use_cache=cache is not None,
        ).last_hidden_state
        return hidden.unflatten(1, (items, self.slots))

    def _predicting(
        self, hidden: Tensor, vectors: Tensor | None, segment: Tensor, position: Tensor, targets: Tensor
    ) -> Tensor:
        """Queries of the codes of targets ``(rows, items - 1)`` bool, of every item but the first.

        Returns:
            ``(n_targets, slots, dim or slot_dim)``.
        """
        if self.parallel:
            return self._queries(hidden, vectors, segment, position, F.pad(targets, (0, 1)))
        before = hidden.flatten(1, 2)[:, self.slots - 1 : -1].unflatten(1, (-1, self.slots))[targets]
        return self._of_slots(before)

    def _queries(
        self, hidden: Tensor, vectors: Tensor | None, segment: Tensor, position: Tensor, places: Any
    ) -> Tensor:
        """What codes are compared with, ``(n, slots, dim or slot_dim)``, from all tokens of an item.

        ``places`` is the index of the rows and items that are asked for.
        """
        queries = self._of_slots(hidden[places])
        if self.pooling is None or vectors is None:
            return queries
        seen, parts = allowed("block-causal", segment, position, position), self.config.parts
        mixed: Tensor = self.pooling(hidden, split_vectors(vectors, self.slots, parts), seen, position, places)
        return queries + mixed

    def _of_slots(self, hidden: Tensor) -> Tensor:
        return torch.stack([self._query(hidden[..., n, :], n) for n in range(self.slots)], dim=-2)

    def _query(self, hidden: Tensor, slot: int) -> Tensor:
        if self.config.scores == "rows":
            return hidden
        return quick_product(hidden, self.output[slot] if self.pooling is None else _SLOW * self.output[slot])

    def _log_probabilities(self, queries: Tensor, slot: int) -> Tensor:
        """Of all codes of a slot, ``(..., codebook_size)`` float32; -inf for codes that the catalogue does not use."""
        if self.config.scores == "rows":
            return self.output_table.logits(queries, slot).float().log_softmax(-1)
        catalogue = self._bound()
        scores = quick_product(queries, catalogue.vectors[slot].T).float().log_softmax(-1)
        if len(catalogue.codes[slot]) == self.codebook_sizes[slot]:
            return scores
        result = scores.new_full((*scores.shape[:-1], self.codebook_sizes[slot]), -torch.inf)
        result[..., catalogue.codes[slot]] = scores
        return result

    @staticmethod
    def _suffix(size: int, users: int, device: torch.device) -> Tensor:
        return (-_TIE * torch.arange(size, device=device)).expand(users, size)
