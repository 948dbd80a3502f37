"""Training a small network in epochs until validation stops getting better."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from genrec.baselines.base import FitInputs
from genrec.config import MOST_ROUNDS, Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_LOG = logging.getLogger(__name__)


def optimise(
    network: nn.Module,
    batches: Callable[[int], Iterable[Any]],
    loss_of: Callable[[Any], Tensor],
    measure: Callable[[], float] | None,
    settings: NeuralSettings,
    inputs: FitInputs,
    name: str,
) -> list[float]:
    """Train in place and leave the network in the state of its best epoch.

    Args:
        network: Its parameters are trained; it is in evaluation mode afterwards.
        batches: Batches of an epoch.
        loss_of: Loss of a batch.
        measure: Validation metric, higher is better; None trains for all epochs.
        settings: How long and how fast.
        inputs: Deadline and progress.
        name: For progress and logging.

    Returns:
        The metric after every epoch.
    """
    import torch

    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        betas=(0.9, 0.98),
        fused=True,  # one pass over a table of items in place of ten
    )
    curve: list[float] = []
    average = Average(network, settings.averaging) if settings.averaging else None
    best_state, since = _copy(network), 0
    for epoch in range(settings.epochs):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate_at(epoch, settings)
        total = _epoch(network, optimizer, batches(epoch), loss_of, inputs, average)
        network.eval()
        trained = None if average is None else average.exchange(network)
        if measure is not None:
            curve.append(measure())
            since = 0 if curve[-1] > max(curve[:-1], default=-1.0) else since + 1
            if not since:
                best_state = _copy(network)
        shown = f", NDCG@10 {curve[-1]:.4f}" if curve else ""
        _LOG.info("%s: epoch %d of %d: loss %.4f%s", name, epoch + 1, settings.epochs, total, shown)
        if inputs.progress is not None:
            inputs.progress(f"{name}: loss {total:.3f}{shown}", epoch + 1, settings.epochs)
        if since >= settings.patience or inputs.late:
            break
        if trained is not None and epoch + 1 < settings.epochs:
            network.load_state_dict(trained)
    if measure is not None:
        network.load_state_dict(best_state)
    return curve


def rate_at(epoch: int, settings: NeuralSettings) -> float:
    """Share of the learning rate in an epoch, counted from 0."""
    return 1.0 - epoch / settings.epochs if settings.schedule == "linear" else 1.0


def _epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Any],
    loss_of: Callable[[Any], Tensor],
    inputs: FitInputs,
    average: Average | None,
) -> float:
    import torch
    from torch import nn

    network.train()
    losses = []
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        if average is not None:
            average.add(network)
        losses.append(loss.detach())
        if inputs.late:
            break
    return float(torch.stack(losses).mean())


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


class Average:
    """A moving average of a network's weights, which forgets the first steps sooner.

    Args:
        network: With the weights that it begins with.
        decay: Share of the average that stays at a step, once there were many.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.steps, self.weights = decay, 0, _copy(network)

    def add(self, network: nn.Module) -> None:
        """Take in the weights after a step."""
        import torch

        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        new = [weight.detach() for weight in network.state_dict().values()]
        torch._foreach_lerp_(list(self.weights.values()), new, 1 - decay)

    def exchange(self, network: nn.Module) -> dict[str, Tensor]:
        """Put the average into the network; gives the weights that it had."""
        had = _copy(network)
        network.load_state_dict(self.weights)
        return had


class NeuralSettings(Settings):
    """Settings of a network that is trained in epochs."""

    epochs: int = Field(60, ge=1, le=MOST_ROUNDS, description="most passes over the training part")
    patience: int = Field(5, ge=1, description="stop after so many epochs without a better validation NDCG@10")
    batch_size: int = Field(128, ge=1, description="histories (or pairs) per step")
    learning_rate: float = Field(1e-3, gt=0, description="learning rate of AdamW, in the first epoch")
    schedule: Literal["constant", "linear"] = Field("constant", description="linear: falls to zero after all epochs")
    averaging: float = Field(
        0.0, ge=0, lt=1, description="decay of the moving average of weights that is measured and kept; 0: none"
    )
    weight_decay: float = Field(0.0, ge=0, description="weight decay of AdamW")
    validation_users: int = Field(10_000, ge=1, description="cases, a fixed sample, that decide when to stop")
