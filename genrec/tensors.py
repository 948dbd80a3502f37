"""Networks as named arrays, randomness that is put back, precision: for everything small that is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global CPU generator seeded inside the block and put back after it."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def to_arrays(module: nn.Module, prefix: str) -> dict[str, np.ndarray]:
    """Parameters of a network as named arrays."""
    return {f"{prefix}.{name}": value.detach().cpu().numpy() for name, value in module.state_dict().items()}


def from_arrays(module: nn.Module, tensors: Mapping[str, np.ndarray], prefix: str) -> None:
    """Put back what :func:`to_arrays` gave."""
    import torch

    own = {n.removeprefix(f"{prefix}."): a for n, a in tensors.items() if n.startswith(f"{prefix}.")}
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in own.items()})
    module.eval()


def product_type(device: torch.device) -> torch.dtype:
    """Precision of the products of training: half of float32 where a processor has instructions for it."""
    import torch

    fast: Any = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if device.type == "cpu" and fast is not None and fast() else torch.float32
