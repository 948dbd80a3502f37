"""Prompts of one length together: for networks in which padding is not without effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genrec.models.outputs import StepState
from genrec.models.predictor import StepOutput


def equal_lengths(mask: Tensor) -> list[Tensor]:
    """Rows of ``mask (rows, n)`` with the same number of real columns, as index vectors."""
    lengths = mask.long().sum(1)
    return [(lengths == length).nonzero()[:, 0] for length in lengths.unique().tolist()]


def without_padding(ids: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
    """The real columns of some rows that have equally many, ``(rows, n)``."""
    return ids[rows][mask[rows].bool()].view(len(rows), -1)


def read_apart(read: Callable[[Tensor, Tensor], Tensor], ids: Tensor, mask: Tensor) -> Tensor:
    """States of rows ``(rows, n)``, read in groups of one length: ``(rows, n, dim)``, zero at padding.

    Args:
        read: ``(ids, mask) -> (rows, columns, dim)`` of rows without padding.
        ids: ``(rows, n)`` int64.
        mask: ``(rows, n)``, 1 at real tokens.
    """
    groups = equal_lengths(mask)
    read_groups = []
    for rows in groups:
        part = without_padding(ids, mask, rows)
        read_groups.append(read(part, torch.ones_like(part)))
    width = read_groups[0].shape[-1]
    places = torch.cat([rows.repeat_interleave(int(mask[rows[0]].sum())) for rows in groups])
    columns = torch.cat([mask[rows].bool().nonzero()[:, 1] for rows in groups])
    result = read_groups[0].new_zeros(*mask.shape, width)
    return result.index_put((places, columns), torch.cat([states.flatten(0, 1) for states in read_groups]))


@dataclass
class GroupsState(StepState):
    """Search state: users of every group, and the state of each."""

    rows: tuple[Tensor, ...] = ()
    parts: tuple[Any, ...] = ()


class EqualLengths:
    """A predictor that reads users whose prompts have one length together, without padding.

    Args:
        inner: What reads them.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def prefill(self, input_ids: Tensor, attention_mask: Tensor) -> GroupsState:
        """Read prompts: ``input_ids (users, n)`` int64 and ``attention_mask (users, n)``, 1 at real tokens."""
        rows = tuple(equal_lengths(attention_mask))
        parts = []
        for group in rows:
            ids = without_padding(input_ids, attention_mask, group)
            parts.append(self.inner.prefill(ids, torch.ones_like(ids)))
        return GroupsState(rows=rows, parts=tuple(parts))

    def step(self, state: GroupsState, codes: Tensor | None = None, parents: Tensor | None = None) -> StepOutput:
        """See :meth:`genrec.models.base.CodeModel.step`."""
        outputs = []
        for rows, part in zip(state.rows, state.parts, strict=True):
            chosen = (None, None) if codes is None or parents is None else (codes[rows], parents[rows])
            outputs.append(self.inner.step(part, *chosen))
        state.level += 1
        order = torch.cat(state.rows).argsort()
        totals = [output.log_normalizer for output in outputs]
        return StepOutput(
            torch.cat([output.logits for output in outputs])[order],
            lambda: torch.cat([total() for total in totals])[order],
        )
