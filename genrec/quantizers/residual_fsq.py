"""Residual finite scalar quantization: the same few scalars, rounded finer and finer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from genrec.config import Settings
from genrec.quantizers.autoencoder import Scaler, TrainingSettings, apply, from_arrays, mlp, seeded, to_arrays, train
from genrec.quantizers.base import ItemContext, check_vectors, chunks, not_fitted, residual_decode, sample_rows
from genrec.quantizers.placement import LastLevelSettings, SpreadsLastLevel

if TYPE_CHECKING:
    from torch import Tensor, nn


class ResidualFSQSettings(TrainingSettings, LastLevelSettings):
    """Settings of :class:`ResidualFSQ`."""

    levels: int = Field(3, ge=1, description="codes per item")
    steps: tuple[int, ...] = Field((4, 4, 4, 4), min_length=1, description="steps of every scalar of a code")
    hidden: tuple[int, ...] = Field((512, 256), description="widths of the encoder's inner layers; the decoder mirrors")
    loss: Literal["l1", "mse"] = Field("mse", description="reconstruction loss")

    @field_validator("steps")
    @classmethod
    def _at_least_two(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if min(steps) < 2:
            raise ValueError("every scalar needs at least 2 steps")
        return steps


class ResidualFSQ(SpreadsLastLevel):
    """Residual finite scalar quantization (FSQ, arXiv 2309.15505, in the residual scheme of arXiv 2107.03312).

    An MLP maps the vector to ``len(steps)`` scalars between -1 and 1. Level 0 rounds each to its number of steps; every
    further level rounds what is left, on a grid that is finer by that number. The code of a level is the mixed-radix
    number of its steps, so nothing has to be learned but the two networks, and codes cannot fall out of use for good.
    Rounding that keeps symmetry as in arXiv 2411.19842, always in float32.

    ``codebooks`` are the scaled grids, ``(prod(steps), len(steps))`` per level.

    Example:
        >>> ResidualFSQ(ResidualFSQSettings(levels=2, steps=(5, 5, 5))).codebook_sizes
        (125, 125)
    """

    name: ClassVar[str] = "residual-fsq"
    Config: ClassVar[type[Settings]] = ResidualFSQSettings

    def __init__(self, settings: ResidualFSQSettings | None = None) -> None:
        self.settings: ResidualFSQSettings = settings or ResidualFSQSettings()
        self._scaler: Scaler | None = None
        self._encoder: nn.Module | None = None
        self._decoder: nn.Module | None = None

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return (math.prod(self.settings.steps),) * self.settings.levels

    @property
    def codebooks(self) -> list[np.ndarray] | None:
        """The grid of scalars of every level, ``(codebook_size, len(steps))`` float32."""
        rounding = self._rounding()
        return [
            np.asarray((layer.implicit_codebook * scale).numpy(), dtype=np.float32)
            for layer, scale in zip(rounding.layers, rounding.scales, strict=True)
        ]

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Train both networks on (a sample of) the vectors; see :meth:`Quantizer.fit`."""
        import torch
        from torch import nn
        from torch.nn.functional import l1_loss, mse_loss

        check_vectors(x)
        rows = sample_rows(x, self.settings.sample, seed)
        self._scaler = Scaler.of(rows)
        compare = l1_loss if self.settings.loss == "l1" else mse_loss
        with seeded(seed):
            self._encoder, self._decoder = encoder, decoder = self._networks(x.shape[1])
            rounding, sample = self._rounding(), torch.from_numpy(self._scaler.forward(rows))

            def decoded(batch: Tensor) -> Tensor:
                return decoder(rounding(encoder(batch)[:, None])[0][:, 0])

            def error_of() -> float:
                with torch.inference_mode():
                    return float(compare(torch.from_numpy(apply(decoded, sample.numpy())), sample))

            model = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
            train(model, sample, self.settings, lambda batch: compare(decoded(batch), batch), error_of)

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """Project, round and number; see :meth:`Quantizer.encode`."""
        if self._scaler is None or self._encoder is None:
            raise not_fitted(self.name)
        check_vectors(x, dim=len(self._scaler.mean))
        encoder, rounding = self._encoder, self._rounding()
        codes = np.empty((len(x), self.settings.levels), dtype=np.int32)
        for start, chunk in chunks(x):
            codes[start : start + len(chunk)] = apply(
                lambda batch: rounding(encoder(batch)[:, None])[1][:, 0], self._scaler.forward(chunk)
            )
        return codes

    def latents(self, x: np.ndarray) -> np.ndarray:
        """The scalars before rounding, ``(n, len(steps))`` float32."""
        if self._scaler is None or self._encoder is None:
            raise not_fitted(self.name)
        most = 1 + 1 / (np.array(self.settings.steps, dtype=np.float32) - 1)
        scalars = apply(self._encoder, self._scaler.forward(x))
        return (np.tanh(scalars / most) * most).astype(np.float32)

    def reconstruct(self, codes: np.ndarray) -> np.ndarray:
        """Decoded grid points, ``(n, dim)`` float32."""
        if self._scaler is None or self._decoder is None:
            raise not_fitted(self.name)
        return self._scaler.backward(apply(self._decoder, residual_decode(codes, self.codebooks or [])))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Both networks and the scaling."""
        if self._scaler is None or self._encoder is None or self._decoder is None:
            raise not_fitted(self.name)
        tensors = to_arrays(self._encoder, "encoder") | to_arrays(self._decoder, "decoder")
        return tensors | {"mean": self._scaler.mean}, {"scale": self._scaler.scale}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._scaler = Scaler(np.asarray(tensors["mean"]), float(rest["scale"]))
        self._encoder, self._decoder = self._networks(len(self._scaler.mean))
        from_arrays(self._encoder, tensors, "encoder")
        from_arrays(self._decoder, tensors, "decoder")

    def _networks(self, dim: int) -> tuple[nn.Module, nn.Module]:
        widths = (dim, *self.settings.hidden, len(self.settings.steps))
        return mlp(widths), mlp(widths[::-1])

    def _rounding(self) -> Any:
        from vector_quantize_pytorch import ResidualFSQ as Rounding

        rounding = Rounding(
            levels=list(self.settings.steps), num_quantizers=self.settings.levels, force_quantization_f32=True
        )
        return rounding.eval()
