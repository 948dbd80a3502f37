"""Finite scalar quantization in product slots: the unified item tokenizer of RecGPT."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from genrec.config import Settings, Widths
from genrec.quantizers.autoencoder import TrainingSettings, apply, mlp, train
from genrec.quantizers.autoencoder_quantizer import AutoencoderQuantizer
from genrec.quantizers.base import MOST_LEVELS, ItemContext, check_vectors, sample_rows
from genrec.quantizers.scaling import Scaler
from genrec.tensors import seeded

if TYPE_CHECKING:
    from torch import Tensor, nn


class FSQSettings(TrainingSettings):
    """Settings of :class:`FSQ`."""

    slots: int = Field(4, ge=1, le=MOST_LEVELS, description="codes per item")
    levels: tuple[int, ...] = Field(
        (8, 8, 8, 6, 5), min_length=1, max_length=64, description="steps of every scalar of a slot"
    )
    encoder: Literal["split", "mlp"] = Field(
        "split", description="split: each slot sees its own part of the vector; mlp: every slot sees all of it"
    )
    rotate: bool = Field(False, description="turn the vectors at random first, so that the parts carry equal shares")
    hidden: Widths = Field((512,), description="widths of the decoder's (and the mlp encoder's) inner layers")
    loss: Literal["l1", "mse"] = Field("l1", description="reconstruction loss")

    @field_validator("levels")
    @classmethod
    def _at_least_three(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if min(levels) < 3:
            raise ValueError("every scalar needs at least 3 steps")
        return levels


class FSQ(AutoencoderQuantizer[FSQSettings]):
    """Finite scalar quantization (arXiv 2309.15505) in parallel slots, after RecGPT (arXiv 2506.06270).

    A slot's part of the vector is projected to ``len(levels)`` scalars, each bounded and rounded to its number of
    steps; the code is the mixed-radix number of the steps, so a slot has ``prod(levels)`` codes and no codebook has to
    be learned. As in RecGPT the projection is shared by the slots. The decoder is an MLP over all slots (the
    released one reads the last slot's state alone). Rounding runs in float32 whatever the autocast.

    ``codebooks`` are the grid of the scalars, ``(codebook_size, len(levels))``, the same array for every slot.

    Example:
        >>> FSQ().codebook_sizes
        (15360, 15360, 15360, 15360)
    """

    name: ClassVar[str] = "fsq"
    Config: ClassVar[type[Settings]] = FSQSettings
    parallel: ClassVar[bool] = True

    def __init__(self, settings: FSQSettings | None = None) -> None:
        super().__init__(settings)
        self._rotation: np.ndarray | None = None  # (padded dim, padded dim)

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every slot."""
        return (math.prod(self.settings.levels),) * self.settings.slots

    @property
    def codebooks(self) -> list[np.ndarray]:
        """The grid of scalars, ``(codebook_size, len(levels))`` float32, per slot."""
        return [self._grid()] * self.settings.slots

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Train the projections on (a sample of) the vectors; see :meth:`Quantizer.fit`."""
        import torch
        from torch import nn
        from torch.nn.functional import l1_loss, mse_loss

        check_vectors(x)
        settings = self.settings
        rows = sample_rows(x, settings.sample, seed)
        self._scaler = Scaler.of(rows)
        if settings.rotate:
            width = self._padded(x.shape[1])
            self._rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0].astype(np.float32)
        compare = l1_loss if settings.loss == "l1" else mse_loss
        with seeded(seed):
            self._encoder, self._decoder = encoder, decoder = self._networks(x.shape[1])
            rounding, sample = self._rounding(), torch.from_numpy(self._input(rows))
            target = torch.from_numpy(self._scaler.forward(rows))

            def decoded(batch: Tensor) -> Tensor:
                return decoder(rounding(encoder(batch))[0].flatten(1))

            both = torch.cat([sample, target], dim=1)
            cut = sample.shape[1]

            def error_of() -> float:
                with torch.inference_mode():
                    return float(compare(torch.from_numpy(apply(decoded, sample.numpy())), target))

            def loss_of(batch: Tensor) -> Tensor:
                return compare(decoded(batch[:, :cut]), batch[:, cut:])

            train(nn.ModuleDict({"encoder": encoder, "decoder": decoder}), both, settings, loss_of, error_of)

    def latents(self, x: np.ndarray) -> np.ndarray:
        """The scalars of every slot, bounded but not rounded, ``(n, slots, len(levels))`` float32."""
        widths = np.array(self.settings.levels, dtype=np.float32)
        half, offset = (widths - 1) * (1 + 1e-3) / 2, np.where(widths % 2 == 0, 0.5, 0).astype(np.float32)
        scalars = self._encoded(x) + np.arctanh(offset / half)
        return ((np.tanh(scalars) * half - offset) / (widths // 2)).astype(np.float32)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Both networks, the scaling and the rotation."""
        tensors, rest = super().state()
        return tensors | ({} if self._rotation is None else {"rotation": self._rotation}), rest

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        super().load_state(tensors, rest)
        self._rotation = np.asarray(tensors["rotation"]) if "rotation" in tensors else None

    def _nearest(self, encoded: np.ndarray) -> np.ndarray:
        rounding = self._rounding()
        return apply(lambda batch: rounding(batch)[1], encoded)

    def _entries(self, codes: np.ndarray) -> np.ndarray:
        return self._grid()[codes].reshape(len(codes), -1)

    def _padded(self, dim: int) -> int:
        return -(-dim // self.settings.slots) * self.settings.slots

    def _input(self, x: np.ndarray) -> np.ndarray:
        """Vectors as the encoder takes them: scaled, padded to a multiple of the slots, turned."""
        scaled = super()._input(x)
        padded = np.pad(scaled, ((0, 0), (0, self._padded(x.shape[1]) - x.shape[1])))
        return padded if self._rotation is None else padded @ self._rotation

    def _networks(self, dim: int) -> tuple[nn.Module, nn.Module]:
        from torch import nn

        settings, width, scalars = self.settings, self._padded(dim), len(self.settings.levels)
        inner: list[nn.Module]
        if settings.encoder == "split":
            inner = [nn.Unflatten(1, (settings.slots, -1)), nn.Linear(width // settings.slots, scalars)]
        else:
            inner = [mlp((width, *settings.hidden, settings.slots * scalars)), nn.Unflatten(1, (settings.slots, -1))]
        return nn.Sequential(*inner), mlp((settings.slots * scalars, *settings.hidden, dim))

    def _rounding(self) -> Any:
        import vector_quantize_pytorch

        return vector_quantize_pytorch.FSQ(list(self.settings.levels), force_quantization_f32=True)

    def _grid(self) -> np.ndarray:
        """``(codebook_size, len(levels))`` float32: the scalars of every code."""
        return np.asarray(self._rounding().implicit_codebook.numpy(), dtype=np.float32)
