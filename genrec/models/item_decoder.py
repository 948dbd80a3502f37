"""A two-level decoder: one position per item over the history, one short code decoder per item.

The history costs one position per item instead of one per code, and the codes of the next item are read from one state.
This is the RQ-Transformer of Lee et al. 2022 (arXiv 2203.01941) with items in the place of image patches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from genrec.errors import ModelError
from genrec.models.base import CodeModel
from genrec.models.beam_tree import BeamTree, newest_of, read_beams, read_layers, read_prefix
from genrec.models.config import CodeModelConfig
from genrec.models.fused_layers import dropout
from genrec.models.outputs import CodeModelOutput, StepState
from genrec.models.parts import CodeTable, Start, build_backbone, level_terms
from genrec.models.registry import network
from genrec.models.settings import RunSettings


class ItemDecoderConfig(CodeModelConfig):
    """Configuration of :class:`ItemDecoder`."""

    model_type = "genrec-item-decoder"


@dataclass
class ItemDecoderState(StepState):
    """Search state: what the code decoder reads first, ``(users, n, code_dim)``, its cache and its tree."""

    user: Tensor | None = None
    cache: DynamicCache | None = None
    tree: BeamTree | None = None


@network("item-decoder")
class ItemDecoder(CodeModel):
    """History decoder over item vectors (sum of code vectors) and code decoder that starts from a user's state.

    A system that only reads items or their sequence in another way is a subclass with a configuration of its own:
    it overrides :meth:`embed` or :meth:`read`, adds its modules after ``super().__init__(config)`` and calls
    ``post_init`` again, which leaves alone what has its weights.
    """

    config_class = ItemDecoderConfig
    reads_vectors: ClassVar[bool] = True
    answers: ClassVar[frozenset[str]] = frozenset(
        {"states", "embed", "read", "terms_from", "logits_from", "layer_states", "changed_states"}
    )

    def __init__(self, config: ItemDecoderConfig) -> None:
        super().__init__(config)
        self.history = build_backbone(config.backbone, config.dropout)
        dim = self.history.config.hidden_size
        self.codes = build_backbone({**(config.backbone or {}), **(config.depth_backbone or {})}, config.dropout)
        code_dim = self.codes.config.hidden_size
        self.input_table = CodeTable(self.codebook_sizes, dim)
        self.code_table = CodeTable(self.codebook_sizes, code_dim)
        self.output_table = CodeTable(self.codebook_sizes, code_dim)
        # The quantizer then limits only the output: RecGPT's auxiliary semantic pathway.
        self.auxiliary = nn.Linear(config.vector_dim, dim, bias=False) if config.vector_dim else None
        self.start = Start(dim)
        self.bridge = nn.Linear(dim, code_dim, bias=False)
        self.post_init()

    @classmethod
    def settings_read(cls, config: RunSettings) -> frozenset[str]:
        """See :meth:`CodeModel.settings_read`; and what differs in the code decoder."""
        return super().settings_read(config) | {"model.depth_backbone"}

    def tokens(self, codes: Tensor) -> Tensor:
        """Vectors of an item's codes, ``(users, items, levels) -> (users, items, levels, dim)``; :meth:`embed` sums."""
        return self.input_table.embed(codes)

    @property
    def state_dim(self) -> int:
        """See :attr:`CodeModel.state_dim`."""
        return int(self.history.config.hidden_size)

    def embed(self, codes: Tensor, vectors: Tensor | None = None, **more: Tensor) -> Tensor:
        """Items → what the network reads of them, ``(users, items, dim)``; a system overrides this.

        Args:
            codes: ``(users, items, levels)`` int64.
            vectors: ``(users, items, vector_dim)``, where the network reads item vectors.
            more: ``mask (users, items)`` bool in histories, and what else the network's :meth:`reader` puts into
                batches; neither where an item is asked for by itself.

        Raises:
            ModelError: There are no item vectors where they are read.
        """
        embedded = self.tokens(codes).sum(-2)
        if self.auxiliary is None:
            return embedded
        if vectors is None:
            raise ModelError("This model reads item vectors, but none were given.", expected="vectors in the batch")
        mapped: Tensor = self.auxiliary(vectors)
        return embedded + mapped

    def read(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """Input vectors → a state at every column that knows no later one; a system overrides this.

        Args:
            vectors: ``(users, columns, dim)``; the first real column is the start of the history.
            mask: ``(users, columns)`` bool, False at padding on either side.

        Returns:
            ``(users, columns, dim)``.
        """
        return read_prefix(self.history, mask, None, inputs_embeds=vectors)

    def states(
        self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None, **more: Tensor
    ) -> tuple[Tensor, Tensor]:
        """State before the first and after every item, ``(users, 1 + items, dim)``, and the mask of these columns."""
        embedded, columns = self.start(self.embed(codes, vectors, mask=mask, **more), mask)
        return self.read(dropout(embedded, self.config.dropout, self.training), columns), columns

    def forward(
        self,
        codes: Tensor,
        mask: Tensor,
        target_mask: Tensor | None = None,
        vectors: Tensor | None = None,
        **more: Tensor,
    ) -> CodeModelOutput:
        """See :meth:`CodeModel.forward`; one pass gives a loss at every item. ``more`` goes to :meth:`embed`."""
        targets = mask if target_mask is None else mask & target_mask
        states = self.states(codes, mask, vectors, **more)[0][:, :-1][targets]  # (n, dim)
        right = codes[targets]  # (n, levels)
        rows, places = targets.nonzero(as_tuple=True)
        terms = self.terms_from(states, right)
        return CodeModelOutput.of(terms, rows, len(codes), places=places, states=states, targets=right)

    def layer_states(
        self,
        codes: Tensor,
        mask: Tensor,
        target_mask: Tensor | None = None,
        vectors: Tensor | None = None,
        **more: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """What every layer says before every target, ``(layers, n_targets, dim)``, and where targets stand.

        The last layer gives the states that items are written from; arguments as in :meth:`forward`.
        """
        targets = mask if target_mask is None else mask & target_mask
        embedded, columns = self.start(self.embed(codes, vectors, **more), mask)
        embedded = dropout(embedded, self.config.dropout, self.training)
        return read_layers(self.history, columns, inputs_embeds=embedded)[:, :, :-1][:, targets], targets

    def write(self, states: Tensor, right: Tensor) -> Tensor:
        """States of the code decoder that predict known codes, ``(n, levels, code_dim)``.

        Args:
            states: ``(n, dim)`` what the items are written from.
            right: ``(n, levels)`` int64 codes.
        """
        known = self.code_table.embed(right[:, :-1])
        inputs = torch.cat([self.bridge(states)[:, None], known], dim=1)
        inputs = dropout(inputs, self.config.dropout, self.training)
        hidden: Tensor = self.codes(inputs_embeds=inputs, use_cache=False).last_hidden_state
        return hidden

    def terms_from(self, states: Tensor, right: Tensor, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
        """What items add to a loss, and their log-probability, each ``(n,)``; arguments of :meth:`write`."""
        smoothing, hidden = self.config.label_smoothing if self.training else 0.0, self.write(states, right)
        return level_terms(self.output_table, hidden / temperature, right, smoothing, self.legal)

    def logits_from(self, states: Tensor, right: Tensor) -> list[Tensor]:
        """Scores of the codes of every level behind the right codes, ``(n, codebook_size)`` each."""
        hidden = self.write(states, right)
        return [self.output_table.logits(hidden[:, level], level) for level in range(self.n_levels)]

    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None, **more: Tensor) -> ItemDecoderState:
        """See :meth:`CodeModel.prefill`; ``more`` goes to :meth:`embed`."""
        states, columns = self.states(codes, mask, vectors, **more)
        return ItemDecoderState(user=self.begin(newest_of(states, columns)), cache=DynamicCache())

    def begin(self, states: Tensor) -> Tensor:
        """What the code decoder reads ahead of all codes, ``(users, dim) -> (users, n, code_dim)``."""
        begun: Tensor = self.bridge(states)[:, None]
        return begun

    @contextmanager
    def changed_states(self, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Items are written from changed states, in training and in search.

        Args:
            change: ``(..., dim)`` to the same.
        """
        hook = self.bridge.register_forward_pre_hook(lambda _, given: (change(given[0]),))
        try:
            yield
        finally:
            hook.remove()

    def step(self, state: StepState, codes: Tensor | None = None, parents: Tensor | None = None) -> Tensor:
        """See :meth:`CodeModel.step`."""
        if not isinstance(state, ItemDecoderState) or state.user is None:
            raise TypeError("step needs the state that prefill returned.")
        level = state.level
        if codes is None or parents is None or state.tree is None:
            state.tree = BeamTree(torch.ones(state.user.shape[:2], dtype=torch.bool, device=state.user.device))
            start = self.codes(inputs_embeds=state.user, past_key_values=state.cache, use_cache=True)
            hidden = start.last_hidden_state[:, -1:]
        else:
            vectors = self.code_table.embed(codes[..., None], level - 1)[..., 0, :]
            places = torch.full_like(codes[:, :1], state.user.shape[1] + level - 1)
            hidden = read_beams(self.codes, state.tree, parents, places, state.cache, inputs_embeds=vectors)
        state.level += 1
        return self.output_table.logits(hidden, level)
