"""Cross-entropy over all items of a catalogue, without a matrix of all targets and all items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_ROWS = 256
"""Queries scored at once: their scores stay in the cache of a processor."""
_SIZES = 8
"""Blocks are filled up to so many sizes. Libraries compile and keep a kernel for every shape of a product: without
this, what they kept grew by 6 MB a step on Amazon Beauty, to several GB."""
NEVER = -1e4
"""Score of an item that cannot be asked for: no share of anything, and still a number."""


@dataclass(frozen=True)
class Wanted:
    """What queries should score high, and what they cannot be asked for.

    Attributes:
        places: ``(n,)`` int64 place of each query among ``rows * items`` positions of a batch, sorted.
        row: ``(m,)`` int64 query of each target, sorted.
        item: ``(m,)`` int64 item of each target.
        weight: ``(m,)`` float32; those of a query add up to one.
        hidden_row: ``(h,)`` int64 query of each item that it cannot get, sorted.
        hidden_item: ``(h,)`` int64.
    """

    places: Tensor
    row: Tensor
    item: Tensor
    weight: Tensor
    hidden_row: Tensor
    hidden_item: Tensor

    def among(self, items: Tensor) -> Wanted:
        """The same over some items ``(c,)``, sorted, which hold all targets."""
        place = torch.searchsorted(items, self.hidden_item).clamp_max(len(items) - 1)
        kept = items[place] == self.hidden_item
        targets = torch.searchsorted(items, self.item)
        return Wanted(self.places, self.row, targets, self.weight, self.hidden_row[kept], place[kept])


def find_wanted(items: Tensor, mask: Tensor, targets: Tensor, later: int, share: float) -> Wanted:
    """Targets of every item of some histories: the next items that the user did not have yet.

    A place whose next item is no target, or is one that the user already had, asks for nothing: lists never hold
    what the user had.

    Args:
        items: ``(rows, n)`` int64, padded on either side.
        mask: ``(rows, n)`` bool.
        targets: ``(rows, n)`` bool: which items count as targets.
        later: How many of the next items count.
        share: What each counts of the one before it.
    """
    columns = torch.arange(items.shape[1], device=items.device)
    ahead = columns - columns[:, None]  # (n, n): from a place to a later one
    same = (items[:, :, None] == items[:, None, :]) & mask[:, :, None]
    had = same.long().cumsum(1) > 0  # (rows, n, n): was the item of that column had up to this place
    near = (ahead >= 1) & (ahead <= later)
    good = near & mask[:, :, None] & targets[:, None, :] & ~had
    weight = good * share ** (ahead - 1).clamp_min(0).float()
    asks = (good & (ahead == 1)).any(2)
    weight = weight[asks]  # (n queries, n)
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1e-12)
    row, column = weight.nonzero(as_tuple=True)
    all_items = items[:, None, :].expand(-1, len(columns), -1)[asks]
    read = ((ahead <= 0) & mask[:, None, :])[asks]
    hidden_row, hidden_column = read.nonzero(as_tuple=True)
    return Wanted(
        asks.flatten().nonzero()[:, 0],
        row,
        all_items[row, column],
        weight[row, column],
        hidden_row,
        all_items[hidden_row, hidden_column],
    )


@dataclass(frozen=True)
class Near:
    """How near all items are to those of some histories.

    Attributes:
        rows: One ``(m, n_items)`` a kind of vector: cosines, in the precision in which products are made.
        place: ``(rows, items)`` int64: which of the ``m`` stands there.
    """

    rows: Sequence[Tensor]
    place: Tensor


def item_loss(
    learned: Tensor,
    mixed: Tensor,
    table: Tensor,
    bias: Tensor,
    near: Near,
    wanted: Wanted,
    smoothing: float,
) -> Tensor:
    """Negative log-likelihood of the wanted items, mean over queries.

    Args:
        learned: ``(n, dim)`` queries for the learned table.
        mixed: ``(kinds, rows, items, items)`` of all histories, from
            :class:`~genrec.models.vector_decoder.mixtures.Mixtures`.
        table: ``(n_items, dim)``, learned.
        bias: ``(n_items,)``.
        near: Of the same histories.
        wanted: Targets.
        smoothing: Mass taken from the targets and spread over all items.
    """
    loss: Tensor = _ItemLoss.apply(learned, mixed, table, bias, near, wanted, smoothing)
    return loss


class _ItemLoss(torch.autograd.Function):
    """Works out the gradients in the forward pass, block by block, so that no block's scores are kept."""

    @staticmethod
    def forward(
        ctx: Any,
        learned: Tensor,
        mixed: Tensor,
        table: Tensor,
        bias: Tensor,
        near: Near,
        wanted: Wanted,
        smoothing: float,
    ) -> Tensor:
        """See :func:`item_loss`."""
        dtype, (users, length) = near.rows[0].dtype, near.place.shape
        kinds, items, queries = len(near.rows), table.to(dtype), learned.to(dtype)
        weights = mixed.permute(1, 2, 0, 3).flatten(2).to(dtype)  # (users, items, kinds * items)
        to_learned, to_weights = torch.empty_like(learned), torch.empty_like(weights)
        to_table, to_bias = torch.zeros_like(table), torch.zeros_like(bias)
        total = learned.new_zeros(())
        step = max(1, _ROWS // length)
        for start in range(0, users, step):
            block = slice(start, min(start + step, users))
            part = _between(wanted.places, slice(start * length, block.stop * length))
            asks = wanted.places[part] - start * length
            places, mixes = (_filled(one[block], step) for one in (near.place, weights))
            asking, n_asks = _filled(queries[part], _ROWS), len(asks)
            around = torch.cat([one[places] for one in near.rows], dim=1)  # (b, kinds * items, n_items)
            scores = torch.bmm(mixes, around).flatten(0, 1)[asks].float()
            scores += (asking @ items.T)[:n_asks].float().add_(bias)
            loss, error = _errors(scores, wanted, part, smoothing)
            total = total + loss
            to_bias += error.sum(0)
            error = _filled(error.to(dtype), _ROWS)
            everywhere = error.new_zeros(places.numel(), len(items))
            everywhere[asks] = error[:n_asks]
            to_learned[part] = (error @ items)[:n_asks].float()
            to_table += (error.T @ asking).float()
            mixed_back = torch.bmm(everywhere.unflatten(0, (-1, length)), around.transpose(1, 2))
            to_weights[block] = mixed_back[: block.stop - start]
        to_mixed = to_weights.float().unflatten(2, (kinds, length)).permute(2, 0, 1, 3)
        n = len(learned)
        ctx.save_for_backward(to_learned / n, to_mixed / n, to_table / n, to_bias / n)
        return total / n

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        """Scale what the forward pass has worked out."""
        return *(gradient * one for one in ctx.saved_tensors), None, None, None


def _filled(rows: Tensor, most: int) -> Tensor:
    """The rows of a block with zeros behind them, up to one of :data:`_SIZES` sizes; a block has ``most`` at most."""
    return F.pad(rows, (0, 0) * (rows.dim() - 1) + (0, -len(rows) % -(-most // _SIZES)))


def _errors(scores: Tensor, wanted: Wanted, part: slice, smoothing: float) -> tuple[Tensor, Tensor]:
    """Summed loss of some queries and its gradient by ``scores (n, n_items)``, which are overwritten."""
    hidden = _between(wanted.hidden_row, part)
    scores[wanted.hidden_row[hidden] - part.start, wanted.hidden_item[hidden]] = NEVER
    of = _between(wanted.row, part)
    row, item, weight = wanted.row[of] - part.start, wanted.item[of], wanted.weight[of]
    right = scores[row, item]
    normaliser = scores.logsumexp(1, keepdim=True)
    loss = (weight * (normaliser[row, 0] - right)).sum()
    error = scores.sub_(normaliser).exp_()
    error.index_put_((row, item), (smoothing - 1) * weight, accumulate=True)
    return loss, error.sub_(smoothing / scores.shape[1]) if smoothing else error


def _between(rows: Tensor, part: slice) -> slice:
    """Entries of a slice of the rows, which are sorted."""
    first, last = torch.searchsorted(rows, torch.tensor([part.start, part.stop], device=rows.device)).tolist()
    return slice(first, last)
