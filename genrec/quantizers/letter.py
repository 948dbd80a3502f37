"""The two terms of LETTER for a trained residual quantizer: collaborative alignment and diversity of codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.errors import DataError
from genrec.quantizers.base import ItemContext
from genrec.quantizers.item_table import require_catalog, require_train

if TYPE_CHECKING:
    from torch import Tensor


def collaborative_vectors(encoder: Mapping[str, Any], items: ItemContext | None, name: str) -> np.ndarray:
    """Collaborative vectors of the items, ``(n, dim)`` float32; zero for items that no training history holds.

    Args:
        encoder: Settings of an item encoder.
        items: The items and the training histories.
        name: The quantizer that asks.

    Raises:
        DataError: No items or no training histories.
    """
    from genrec.encoders import build_encoder

    if items is None:
        raise DataError(f"The quantizer '{name}' aligns codes with interactions, and got no items.", expected="items")
    catalog, train = require_catalog(items, name), require_train(items, name)
    built = build_encoder(encoder)
    built.fit(catalog, train)
    return built.encode(catalog)


def alignment_loss(projected: Tensor, collaborative: Tensor, temperature: float = 0.1) -> Tensor:
    """InfoNCE over cosines: the item's collaborative vector against those of the rest of the batch.

    Args:
        projected: ``(b, dim)`` code vectors, projected to the collaborative vectors' space.
        collaborative: ``(b, dim)``; rows of zeros are left out.
        temperature: Divides the cosines.

    Returns:
        ``()``, at least 0.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    known = collaborative.abs().sum(dim=1) > 0
    if not known.any():
        return projected.sum() * 0
    cosines = normalize(projected[known], dim=1) @ normalize(collaborative[known], dim=1).T
    return cross_entropy(cosines / temperature, torch.arange(len(cosines), device=cosines.device))


def diversity_loss(latents: Tensor, codes: Tensor, codebooks: Tensor) -> Tensor:
    """How far the use of the codes is from even: log of the codebook size less the entropy of their mean share.

    LETTER pulls entries towards others of the same cluster; this asks for the same end, an even use of the codes, in
    one differentiable number. A code's share of an item is a softmax over minus the squared distances, in units of
    the batch's mean squared distance to the chosen entry.

    Args:
        latents: ``(b, dim)``.
        codes: ``(b, n_levels)`` chosen codes.
        codebooks: ``(n_levels, codebook_size, dim)``.

    Returns:
        ``()``, the mean over levels, at least 0.
    """
    import math

    rest, total = latents, latents.new_zeros(())
    for level, book in enumerate(codebooks.detach()):
        squares = (rest[:, None] - book).square().sum(dim=2)
        scale = squares.detach().gather(1, codes[:, level, None]).mean().clamp_min(1e-8)
        shares = (-squares / scale).softmax(dim=1).mean(dim=0)
        total = total + math.log(len(book)) + (shares * shares.clamp_min(1e-12).log()).sum()
        rest = rest - book[codes[:, level]]
    return total / len(codebooks)
