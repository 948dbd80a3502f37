"""Beams as a tree inside one sequence per user: the caches are append-only, nothing is repeated or reordered.

All beams of a user are query positions of one sequence. Each sees the user's prefix and its own ancestors, through an
additive mask. So the prefix is computed and stored once per user, whatever the number of beams.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, TypeVar

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

T = TypeVar("T")


class BeamTree:
    """Which cached columns every beam of every user may attend to.

    Args:
        prefix_mask: ``(users, prefix)`` bool: real columns of the history.
    """

    def __init__(self, prefix_mask: Tensor) -> None:
        self.prefix_mask = prefix_mask
        self.visible = prefix_mask.new_zeros(len(prefix_mask), 1, 0)  # (users, beams, tree columns)

    def grow(self, parents: Tensor) -> Tensor:
        """Append one column per beam.

        Args:
            parents: ``(users, beams)`` which beam of the level before each new beam continues.

        Returns:
            ``(users, beams, prefix + tree columns)`` bool, the new columns last.
        """
        users, beams = parents.shape
        width = self.visible.shape[2]
        ancestors = self.visible.gather(1, parents[:, :, None].expand(users, beams, width))
        itself = torch.eye(beams, dtype=torch.bool, device=parents.device).expand(users, beams, beams)
        self.visible = torch.cat([ancestors, itself], dim=2)
        prefix = self.prefix_mask[:, None, :].expand(users, beams, -1)
        return torch.cat([prefix, self.visible], dim=2)


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A boolean mask ``(users, queries, keys)`` as an additive one ``(users, 1, queries, keys)``.

    The dtype's minimum is used instead of -inf, which gives NaN in some attention kernels.
    """
    result = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return result.masked_fill_(~mask, torch.finfo(dtype).min)[:, None]


def causal_mask(mask: Tensor) -> Tensor | None:
    """Causal attention over real columns, ``(users, n, n)`` bool; None where plain causal attention is the same.

    Padding on the right never reaches a real position, so no mask is needed there. A padding row sees itself.
    """
    if bool((mask[:, 1:] <= mask[:, :-1]).all()):
        return None
    n = mask.shape[1]
    causal = torch.ones(n, n, dtype=torch.bool, device=mask.device).tril()
    return (causal & mask[:, None, :]) | torch.eye(n, dtype=torch.bool, device=mask.device)


def read_prefix(backbone: Any, mask: Tensor, cache: DynamicCache | None, **inputs: Tensor) -> Tensor:
    """Hidden states of histories or prompts, ``(users, n, dim)``.

    Args:
        backbone: A decoder of transformers, without its head.
        mask: ``(users, n)`` bool, False at padding on either side.
        cache: Is filled, where beams will follow.
        inputs: ``input_ids`` or ``inputs_embeds``.
    """
    hidden: Tensor = _read(backbone, mask, cache, **inputs).last_hidden_state
    return hidden


def read_layers(backbone: Any, mask: Tensor, **inputs: Tensor) -> Tensor:
    """What every layer makes of histories, ``(layers, users, n, dim)``; the last is :func:`read_prefix`.

    Args:
        backbone: A decoder of transformers, without its head.
        mask: ``(users, n)`` bool, False at padding on either side.
        inputs: ``input_ids`` or ``inputs_embeds``.
    """
    return torch.stack(_read(backbone, mask, None, output_hidden_states=True, **inputs).hidden_states[1:])


def _read(backbone: Any, mask: Tensor, cache: DynamicCache | None, **more: Any) -> Any:
    causal = causal_mask(mask)
    return backbone(
        position_ids=positions(mask),
        attention_mask=None if causal is None else additive(causal, backbone.dtype),
        past_key_values=cache,
        use_cache=cache is not None,
        **more,
    )


def read_beams(
    backbone: Any, tree: BeamTree, parents: Tensor, places: Tensor, cache: DynamicCache | None, **inputs: Tensor
) -> Tensor:
    """Hidden states of beams behind a prefix, ``(users, beams, dim)``.

    Args:
        backbone: As in :func:`read_prefix`.
        tree: Which columns a beam sees; it grows.
        parents: ``(users, beams)`` which beam of the level before each one continues.
        places: ``(users, 1)`` or ``(users, beams)`` position of the new tokens.
        cache: Of the prefix and the levels before; it grows.
        inputs: ``input_ids`` or ``inputs_embeds`` of the beams.
    """
    output = backbone(
        attention_mask=additive(tree.grow(parents), backbone.dtype),
        position_ids=places.expand_as(parents),
        past_key_values=cache,
        use_cache=True,
        **inputs,
    )
    hidden: Tensor = output.last_hidden_state
    return hidden


def newest_of(hidden: Tensor, mask: Tensor) -> Tensor:
    """The state of every user's newest real column: ``(users, n, dim)`` and ``(users, n)`` to ``(users, dim)``."""
    return hidden[torch.arange(len(hidden), device=hidden.device), last_real(mask)]


def positions(mask: Tensor) -> Tensor:
    """Position of every column among the real ones, ``(users, n)`` int64, the same whichever side is padded."""
    return (mask.long().cumsum(1) - 1).clamp_min(0)


def last_real(mask: Tensor) -> Tensor:
    """Column of the newest real entry, ``(users,)`` int64."""
    columns = torch.arange(mask.shape[1], device=mask.device)
    return torch.where(mask, columns, -1).amax(1)


def fork(state: T) -> T:
    """A search state that can be continued apart from this one.

    Nothing is copied: caches and trees only ever replace their tensors by longer ones, so both sides keep theirs.
    """
    clone = copy.copy(state)
    if isinstance(clone, DynamicCache):
        clone.layers = [_fork_layer(layer) for layer in clone.layers]
    elif isinstance(clone, EncoderDecoderCache):
        clone.self_attention_cache = fork(clone.self_attention_cache)
        clone.cross_attention_cache = fork(clone.cross_attention_cache)
        clone.is_updated = dict(clone.is_updated)
    elif dataclasses.is_dataclass(clone):
        for field in dataclasses.fields(clone):
            value = getattr(clone, field.name)
            if isinstance(value, DynamicCache | EncoderDecoderCache | BeamTree):
                setattr(clone, field.name, fork(value))
            elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
                setattr(clone, field.name, tuple(fork(part) for part in value))
    return clone


def _fork_layer(layer: Any) -> Any:
    """One layer of a cache; those of linear attention keep their states in dictionaries."""
    clone = copy.copy(layer)
    for name, value in vars(layer).items():
        if isinstance(value, dict):
            setattr(clone, name, dict(value))
    return clone
