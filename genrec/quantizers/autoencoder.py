"""What the trained quantizers share: small networks, and training with early stopping."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from genrec.config import MOST_ROUNDS, Settings
from genrec.quantizers.base import chunks

if TYPE_CHECKING:
    from torch import Tensor, nn

logger = logging.getLogger(__name__)

_STEPS = 16
"""At least so many steps make an epoch, down to 16 vectors a step."""


class TrainingSettings(Settings):
    """Settings of the optimisation of an autoencoder."""

    epochs: int = Field(100, ge=1, le=MOST_ROUNDS, description="most passes over the vectors")
    batch_size: int = Field(512, ge=1, description="most vectors per step; small catalogues get smaller steps")
    learning_rate: float = Field(1e-3, gt=0, description="learning rate of AdamW, falling to a tenth along a cosine")
    patience: int = Field(12, ge=1, description="stop after so many epochs without a better reconstruction")
    min_improvement: float = Field(1e-3, ge=0, description="relative improvement of the error that counts as better")
    sample: int | None = Field(65_536, ge=1, description="most vectors used for training; None: all")


def mlp(widths: Sequence[int]) -> nn.Sequential:
    """Linear layers with ReLU between them: ``widths[0]`` in, ``widths[-1]`` out."""
    from torch import nn

    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@contextmanager
def quiet() -> Iterator[None]:
    """Without the library's warning that there are fewer vectors than entries: small catalogues are no mistake."""
    from loguru import logger as library_logger

    library_logger.disable("vector_quantize_pytorch")
    try:
        yield
    finally:
        library_logger.enable("vector_quantize_pytorch")


def train(
    model: nn.Module,
    x: Tensor,
    settings: TrainingSettings,
    loss_of: Callable[[Tensor], Tensor],
    error_of: Callable[[], float],
    epochs: int | None = None,
) -> float:
    """Train until the reconstruction stops getting better, and leave the model in its best state.

    Args:
        model: Its trainable parameters and its buffers are the state.
        x: ``(n, dim)`` training vectors.
        settings: How long and how fast.
        loss_of: Loss of a batch ``(b, dim)``.
        error_of: Reconstruction error of the whole sample; decides about stopping.
        epochs: Other number of epochs than in the settings.

    Returns:
        The best error.
    """
    import torch

    most = settings.epochs if epochs is None else epochs
    batch_size = min(settings.batch_size, max(16, -(-len(x) // _STEPS)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda e: 0.55 + 0.45 * float(np.cos(np.pi * e / most)))
    best, best_state, since = error_of(), _copy(model), 0
    for epoch in range(most):
        model.train()
        for rows in torch.randperm(len(x)).split(batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss_of(x[rows]).backward()
            optimizer.step()
        schedule.step()
        error = error_of()
        logger.debug("epoch %d: error %.5f", epoch + 1, error)
        since = 0 if error < best * (1 - settings.min_improvement) else since + 1
        if error < best:
            best, best_state = error, _copy(model)
        if since >= settings.patience:
            break
    model.load_state_dict(best_state)
    model.eval()
    logger.info("trained %d of %d epochs, error %.5f", epoch + 1, most, best)
    return best


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def apply(module: Callable[[Tensor], Tensor], x: np.ndarray) -> np.ndarray:
    """Run a network over rows in chunks without gradients, ``(n, a) -> (n, b)`` float32."""
    import torch

    with torch.inference_mode():
        return np.concatenate([module(torch.from_numpy(chunk)).numpy() for _, chunk in chunks(x)])
