"""Decoding with a T5, whoever it belongs to: the fused stacks where they can be used, the stock blocks elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from genrec.models.beam_tree import BeamTree, additive, causal_mask, positions
from genrec.models.outputs import StepState
from genrec.models.t5 import fused
from genrec.models.t5.stock_blocks import first_attention, key_bias, level_bias, run_blocks


@dataclass
class T5State(StepState):
    """Search state: fused decoder and ``beams``; else the encoder's output, both caches, the tree and its columns.

    The encoder is run once per user, its keys and values are projected once, and all beams of a user share them.
    """

    users: int = 0
    decoder: fused.FusedStack | None = None
    beams: fused.Beams | None = None
    memory: Tensor | None = None
    memory_bias: Tensor | None = None
    cache: EncoderDecoderCache | None = None
    tree: BeamTree | None = None
    columns: Tensor | None = None


class T5Search:
    """``prefill`` and ``step`` over vectors, for the two stacks of a T5.

    The fused stacks hold copies of the weights, made at the first use and again when an optimiser or a loader has
    changed the weights. Changes behind torch's back (``weight.data``) are not noticed: make a new object then.

    Args:
        encoder: ``T5Stack``; None where something else encodes (:meth:`begin`).
        decoder: ``T5Stack``.
    """

    def __init__(self, encoder: Any | None, decoder: Any) -> None:
        self.encoder, self.decoder = encoder, decoder
        self._made: tuple[object, list[fused.FusedStack] | None] = (None, None)  # one thing: threads share it

    def stacks(self) -> list[fused.FusedStack] | None:
        """Fused decoder (last) and encoder (first, where there is one); None where the stock blocks must be used."""
        if self.decoder.training or torch.is_grad_enabled():
            return None
        stock = [self.decoder] if self.encoder is None else [self.encoder, self.decoder]
        weights = [weight for stack in stock for weight in stack.parameters()]
        key = [(one.data_ptr(), 0 if one.is_inference() else one._version) for one in weights]
        known, stacks = self._made
        if key != known:
            stacks = None
            if all(fused.can_fuse(stack) for stack in stock):
                dtype = fused.compute_dtype(first_attention(self.decoder).q.weight)
                stacks = [fused.FusedStack(stack, dtype) for stack in stock]
            self._made = key, stacks
        return stacks

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_made": (None, None)}  # packed matrices cannot be copied

    def forget(self) -> None:
        """Copy the weights again at the next use: fused optimisers change weights without telling."""
        self._made = None, None

    def bias(self, mask: Tensor, table: Tensor | None = None, order: Tensor | None = None) -> Tensor:
        """Relative bias of the encoder by distance between real columns ``mask (users, n)``, plus their mask.

        Args:
            mask: ``(users, n)`` bool.
            table: ``(1, heads, n, n)`` bias by distance between columns, where it is known.
            order: ``(n,)`` or ``(users, n)`` int64, never falling: a column sees those of the same or a smaller number.
                Where it is the same for all users, padding has numbers of its own. None: all see all.
        """
        n = mask.shape[1]
        if table is None:
            table = first_attention(self.encoder).compute_bias(n, n, device=mask.device)
        plain = causal_mask(mask) is None
        if not plain:  # padded on the left: columns are no positions
            place = positions(mask)
            table = table[0][:, place[:, :, None], place[:, None, :]].transpose(0, 1)
        if order is not None:
            seen = order[..., :, None] >= order[..., None, :]
            # columns of padding on the right have numbers of their own, later than all that is real
            plain = plain and order.dim() == 1
            return table + additive(seen[None] if plain else seen & mask[:, None], table.dtype)
        return table if bool(mask.all()) else table + key_bias(mask, table.dtype)

    def encode(self, vectors: Tensor, mask: Tensor, order: Tensor | None = None) -> Tensor:
        """Output of the stock encoder, ``(users, n, dim)``; see :meth:`bias`."""
        return run_blocks(self.encoder, vectors, self.bias(mask, order=order))

    def prefill(self, inputs: Tensor | fused.Rows, mask: Tensor, order: Tensor | None = None) -> T5State:
        """Read inputs.

        Args:
            inputs: ``(users, n, dim)`` embedded tokens, or where they stand.
            mask: ``(users, n)`` bool, False at padding.
            order: See :meth:`bias`.
        """
        stacks = self.stacks()
        dtype = (inputs.table[0] if isinstance(inputs, fused.Rows) else inputs).dtype
        if stacks is None:
            return self.begin(self.encode(_vectors(inputs), mask, order), key_bias(mask, dtype))
        table = stacks[0].bias(mask.shape[1], mask.device)
        memory = fused.encode(stacks[0], inputs, self.bias(mask, table, order))
        return self.begin(memory, key_bias(mask, dtype))

    def begin(self, memory: Tensor, visible: Tensor) -> T5State:
        """The state before the first level.

        Args:
            memory: ``(users, n, dim)`` what an encoder made of the inputs.
            visible: ``(users, 1, 1, n)`` additive mask over it.
        """
        users, stacks = len(memory), self.stacks()
        if stacks is not None:
            return T5State(users=users, decoder=stacks[-1], beams=fused.start(stacks[-1], memory, visible))
        return T5State(
            users=users,
            memory=memory,
            memory_bias=visible,
            cache=EncoderDecoderCache(DynamicCache(), DynamicCache()),
            tree=BeamTree(torch.ones(users, 1, dtype=torch.bool, device=memory.device)),
            columns=torch.zeros(1, dtype=torch.int64, device=memory.device),
        )

    def step(self, state: T5State, inputs: Tensor | fused.Rows, parents: Tensor | None) -> Tensor:
        """Hidden states of a level's beams; advances the state.

        Args:
            state: From :meth:`prefill`.
            inputs: ``(users, beams, dim)`` embedded codes (the start token at the first level), or where they stand.
            parents: ``(users, beams)`` which beam of the level before each one continues; None at the first level.

        Returns:
            ``(users, beams, dim)``.
        """
        level, state.level = state.level, state.level + 1
        if state.beams is not None and state.decoder is not None:
            hidden, state.beams = fused.step(state.decoder, state.beams, inputs, parents)
            return hidden
        vectors = _vectors(inputs)
        if state.tree is None or state.columns is None:
            raise TypeError("step needs the state that prefill returned.")
        bias = level_bias(self.decoder, level, state.columns)
        if parents is not None:
            state.columns = torch.cat([state.columns, torch.full_like(parents[0], level)])
            bias = level_bias(self.decoder, level, state.columns)
            bias = bias + additive(state.tree.grow(parents), vectors.dtype)
        return run_blocks(self.decoder, vectors, bias, state.memory, state.memory_bias, state.cache)


def _vectors(inputs: Tensor | fused.Rows) -> Tensor:
    return inputs.vectors() if isinstance(inputs, fused.Rows) else inputs
