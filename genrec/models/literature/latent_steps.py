"""An item decoder that thinks in its state before it writes: ReaRec's latent steps (arXiv 2503.22675)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache

from genrec.models.beam_tree import additive, causal_mask, last_real, positions, read_prefix
from genrec.models.config import Weight
from genrec.models.fused_layers import dropout
from genrec.models.item_decoder import ItemDecoder, ItemDecoderConfig, ItemDecoderState
from genrec.models.registry import network


class LatentStepsConfig(ItemDecoderConfig):
    """Configuration of :class:`LatentSteps`.

    Attributes:
        steps: How often a state is read again before it is written from; 0: never, as the item decoder.
        pooling: What is written from: the last state, or the mean of all.
        halt: Divergence between the first codes of two steps in a row at which a user needs no more steps (in search
            alone, only with ``pooling: last``); 0: all users take all steps.
        rescale: Whether a state is read again with the mean length of what is read of items (ManCAR).
    """

    model_type = "genrec-latent-steps"

    steps: Annotated[int, Field(ge=0, le=64)] = 2
    pooling: Literal["last", "mean"] = "last"
    halt: Weight = 0.0
    rescale: bool = False


@dataclass
class LatentStepsState(ItemDecoderState):
    """Search state, with the number of steps that every user took, ``(users,)`` int64."""

    steps: Tensor | None = field(default=None)


@network("latent-steps")
class LatentSteps(ItemDecoder):
    """After the newest item come a few more positions, each of which holds the state before it.

    A state and the vector of its step are read as one more position. It sees the history and the steps before it. In
    training this happens behind every item at once: each has steps of its own, which others do not see.
    """

    config_class = LatentStepsConfig
    config: LatentStepsConfig
    answers: ClassVar[frozenset[str]] = (ItemDecoder.answers - {"layer_states"}) | {"step_states"}

    def __init__(self, config: LatentStepsConfig) -> None:
        super().__init__(config)
        self.step_vectors = nn.Parameter(torch.empty(config.steps, self.state_dim))
        nn.init.normal_(self.step_vectors, std=0.02)
        self.post_init()

    def pool(self, steps: Tensor) -> Tensor:
        """What is written from, of the states of all steps: ``(steps, ..., dim) -> (..., dim)``."""
        return steps[-1] if self.config.pooling == "last" else steps.mean(0)

    def read(self, vectors: Tensor, mask: Tensor) -> Tensor:
        """See :meth:`ItemDecoder.read`."""
        return self.pool(self.read_steps(vectors, mask))

    def read_steps(self, vectors: Tensor, mask: Tensor, noise: float = 0.0) -> Tensor:
        """The states at every column before and after every step, ``(1 + steps, users, columns, dim)``.

        Args:
            vectors: As in :meth:`read`.
            mask: As there.
            noise: Standard deviation of what is added to a state that is read again, as a share of its length.
        """
        cache = DynamicCache()
        states = [read_prefix(self.history, mask, cache, inputs_embeds=vectors)]
        columns = mask.shape[1]
        seen = causal_mask(mask)
        if seen is None:
            seen = mask.new_ones(columns, columns).tril().expand(len(mask), -1, -1)
        length = self._length(vectors, mask)
        for step in range(self.config.steps):
            states.append(self._again(states[-1], step, seen, positions(mask), cache, length, noise))
        return torch.stack(states)

    def _again(
        self,
        states: Tensor,
        step: int,
        seen: Tensor,
        places: Tensor,
        cache: DynamicCache,
        length: Tensor | None,
        noise: float = 0.0,
    ) -> Tensor:
        """States after one more step, ``(users, n, dim)``.

        Args:
            states: ``(users, n, dim)`` before it.
            step: Which step.
            seen: ``(users, n, columns)`` bool: which columns of the history each sees.
            places: ``(users, n)`` position of the columns that the steps come after.
            cache: Of the history and the steps before; it grows.
            length: See :meth:`_length`.
            noise: See :meth:`read_steps`.
        """
        inputs = states if length is None else F.normalize(states, dim=-1) * length
        if noise:
            spread = inputs.detach().norm(dim=-1, keepdim=True) / inputs.shape[-1] ** 0.5
            inputs = inputs + noise * spread * torch.randn_like(inputs)
        own = torch.eye(seen.shape[1], dtype=torch.bool, device=seen.device).expand(len(seen), -1, -1)
        visible = torch.cat([seen, *[own] * (step + 1)], dim=2)
        hidden: Tensor = self.history(
            inputs_embeds=inputs + self.step_vectors[step],
            attention_mask=additive(visible, inputs.dtype),
            position_ids=places + step + 1,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return hidden

    def _length(self, vectors: Tensor, mask: Tensor) -> Tensor | None:
        """Mean length of what is read, ``(users, 1, 1)``; None where states are not rescaled."""
        if not self.config.rescale:
            return None
        total = (vectors.norm(dim=-1) * mask).sum(1) / mask.sum(1).clamp_min(1)
        return total[:, None, None].detach()

    def step_states(
        self,
        codes: Tensor,
        mask: Tensor,
        target_mask: Tensor | None = None,
        vectors: Tensor | None = None,
        noise: float = 0.0,
        **more: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The states of all steps before every target, ``(1 + steps, n_targets, dim)``, and where targets stand.

        Args:
            codes: As in :meth:`forward`, as all below but the next.
            mask: As there.
            target_mask: As there.
            vectors: As there.
            noise: See :meth:`read_steps`.
            more: As there.

        Returns:
            The states, and ``(users, items)`` bool.
        """
        targets = mask if target_mask is None else mask & target_mask
        embedded, columns = self.start(self.embed(codes, vectors, **more), mask)
        embedded = dropout(embedded, self.config.dropout, self.training)
        return self.read_steps(embedded, columns, noise)[:, :, :-1][:, targets], targets

    def prefill(self, codes: Tensor, mask: Tensor, vectors: Tensor | None = None, **more: Tensor) -> LatentStepsState:
        """See :meth:`CodeModel.prefill`; only the newest state of a user takes steps, and only as many as it needs."""
        embedded, columns = self.start(self.embed(codes, vectors, **more), mask)
        embedded = dropout(embedded, self.config.dropout, self.training)
        cache = DynamicCache()
        history = read_prefix(self.history, columns, cache, inputs_embeds=embedded)
        users = torch.arange(len(columns), device=columns.device)
        newest = last_real(columns)
        state, places = history[users, newest][:, None], positions(columns)[users, newest][:, None]
        length, seen = self._length(embedded, columns), columns[:, None]
        found, taken, states = state.clone(), torch.zeros_like(users), [state]
        halting = self.config.halt > 0 and self.config.pooling == "last"
        known = self._first_codes_of(self.begin(state[:, 0])) if halting else None
        for step in range(self.config.steps):
            state = self._again(state, step, seen, places, cache, length)
            states.append(state)
            found[users], taken[users] = state, step + 1
            if known is None:
                continue
            now = self._first_codes_of(self.begin(state[:, 0]))
            going = (now.exp() * (now - known)).sum(-1) >= self.config.halt
            if not bool(going.all()):
                kept = going.nonzero()[:, 0]
                if not len(kept):
                    break
                cache.batch_select_indices(kept)
                users, state, seen, places = users[kept], state[kept], seen[kept], places[kept]
                now, length = now[kept], None if length is None else length[kept]
            known = now
        user = found if self.config.pooling == "last" else self.pool(torch.stack(states))
        return LatentStepsState(user=self.begin(user[:, 0]), cache=DynamicCache(), steps=taken)

    def _first_codes_of(self, begun: Tensor) -> Tensor:
        """Log-probabilities of the first code, ``(users, codebook_size)``, from :meth:`begin`."""
        hidden = self.codes(inputs_embeds=begun, use_cache=False).last_hidden_state
        return self.output_table.logits(hidden[:, -1], 0).log_softmax(-1)
