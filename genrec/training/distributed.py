"""Several processes that train one model: who reads which rows, who validates, who writes.

Started by ``torchrun`` or ``accelerate launch``. The same global batch gives the same model, to float tolerance,
whether one process computes it or several.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from torch.nn import Module, Parameter
from torch.utils.data import Sampler

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

T = TypeVar("T")


def is_main_process() -> bool:
    """Whether this process is the one that writes and speaks; true where there is only one."""
    return int(os.environ.get("RANK", "0")) == 0


def wait_for_everyone() -> None:
    """Go on when all processes are here."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.barrier()


def on_main_process(action: Callable[[], T]) -> T | None:
    """Do something in the main process only, while the others wait; they get None."""
    result = action() if is_main_process() else None
    wait_for_everyone()
    return result


def anyone(flag: bool) -> bool:
    """Whether the flag is set in any process; all of them get the same answer."""
    import torch
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    votes = torch.tensor([int(flag)], device=device)
    dist.all_reduce(votes)
    return bool(votes.item())


class RankBatches(Sampler[list[int]]):
    """The batches of one process: its part of every global batch.

    The last, incomplete global batch is cut as evenly as it goes; no row is read twice to fill it up. If it holds fewer
    rows than there are processes it is left out.

    Args:
        sampler: Rows in the order in which one process would read them.
        batch_size: Rows per batch and process.
        processes: Number of processes.
        rank: This process.
    """

    def __init__(self, sampler: Sampler[int], batch_size: int, processes: int, rank: int) -> None:
        self.sampler, self.batch_size, self.processes, self.rank = sampler, batch_size, processes, rank
        # accelerate asks for it
        self.drop_last = False

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before every epoch."""
        self.sampler.set_epoch(epoch)  # type: ignore[attr-defined]

    def __len__(self) -> int:
        rows: Sized = self.sampler  # type: ignore[assignment]
        whole, rest = divmod(len(rows), self.batch_size * self.processes)
        return whole + (rest >= self.processes)

    def __iter__(self) -> Iterator[list[int]]:
        rows = np.fromiter(self.sampler, dtype=np.int64)
        size = self.batch_size * self.processes
        for at in range(0, len(rows), size):
            batch = rows[at : at + size]
            if len(batch) >= self.processes:
                yield np.array_split(batch, self.processes)[self.rank].tolist()


def weighted_loss(loss: torch.Tensor, n_targets: torch.Tensor, accelerator: Accelerator) -> torch.Tensor:
    """A mean over this process's targets, scaled so that the mean over processes is the mean over all targets.

    Args:
        loss: Mean over the targets of this process.
        n_targets: How many they are.
        accelerator: Of the trainer.
    """
    mine = n_targets.to(loss.device, loss.dtype).detach()
    total = accelerator.reduce(mine.clone(), reduction="sum")
    return loss * (mine * accelerator.num_processes / total)


def agreed(measure: Callable[[], dict[str, float]], model: Module, accelerator: Accelerator) -> dict[str, float]:
    """Metrics that the main process measures and all processes get.

    Where every process holds only pieces of the weights (FSDP2, ZeRO-3) all have to compute together; the figures of
    the main process count.

    Args:
        measure: Calls parts of the model, outside its ``forward``.
        model: The network itself, not what wraps it.
        accelerator: Of the trainer.
    """
    from accelerate.utils import broadcast_object_list

    if in_pieces(model):
        with whole_weights(model):
            box: list[Any] = [measure()]
    else:
        box = [measure() if accelerator.is_main_process else None]
    broadcast_object_list(box)
    metrics: dict[str, float] = box[0]
    return metrics


def in_pieces(model: Module) -> bool:
    """Whether this process holds only pieces of the weights (PyTorch's ``fully_shard``, DeepSpeed's ZeRO-3)."""
    from torch.distributed.tensor import DTensor

    return any(isinstance(weights, DTensor) or hasattr(weights, "ds_id") for weights in model.parameters())


@contextmanager
def whole_weights(model: Module) -> Iterator[None]:
    """Around work that calls parts of a network whose weights are in pieces; every process takes part."""
    from torch.distributed.fsdp import FSDPModule

    with _deepspeed_weights(model):
        pieces = [module for module in model.modules() if isinstance(module, FSDPModule)]
        for module in pieces:
            module.unshard()
        try:
            yield
        finally:
            for module in pieces:
                module.reshard()


def _deepspeed_weights(model: Module) -> AbstractContextManager[Any]:
    weights = [weights for weights in model.parameters() if hasattr(weights, "ds_id")]
    if not weights:
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(weights)  # type: ignore[no-any-return]


def save_whole(model: Module, save: Callable[[], None]) -> None:
    """Save a network in the main process, whole also where every process holds only pieces; those it loses.

    Args:
        model: The network; after FSDP2 it can be saved and looked at, but not run: load what was saved.
        save: Writes it.
    """
    from torch.distributed.tensor import DTensor

    gathered: dict[int, Parameter] = {}
    for module in model.modules():
        for name, weights in list(module.named_parameters(recurse=False)):
            if isinstance(weights, DTensor):
                # Tied weights stay tied.
                if id(weights) not in gathered:
                    whole = weights.full_tensor().detach().cpu()
                    gathered[id(weights)] = Parameter(whole, requires_grad=weights.requires_grad)
                setattr(module, name, gathered[id(weights)])
    with _deepspeed_weights(model):
        on_main_process(save)
