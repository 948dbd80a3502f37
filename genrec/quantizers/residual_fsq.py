"""Residual finite scalar quantization: the same few scalars, rounded finer and finer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from genrec.config import Settings, Widths
from genrec.quantizers.autoencoder import TrainingSettings, apply, mlp, train
from genrec.quantizers.autoencoder_quantizer import AutoencoderQuantizer
from genrec.quantizers.base import MOST_LEVELS, ItemContext, check_vectors, residual_decode, sample_rows
from genrec.quantizers.placement import LastLevelSettings
from genrec.quantizers.scaling import Scaler
from genrec.tensors import seeded

if TYPE_CHECKING:
    from torch import Tensor, nn


class ResidualFSQSettings(TrainingSettings, LastLevelSettings):
    """Settings of :class:`ResidualFSQ`."""

    levels: int = Field(3, ge=1, le=MOST_LEVELS, description="codes per item")
    steps: tuple[int, ...] = Field(
        (4, 4, 4, 4), min_length=1, max_length=64, description="steps of every scalar of a code"
    )
    hidden: Widths = Field((512, 256), description="widths of the encoder's inner layers; the decoder mirrors")
    loss: Literal["l1", "mse"] = Field("mse", description="reconstruction loss")

    @field_validator("steps")
    @classmethod
    def _at_least_two(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if min(steps) < 2:
            raise ValueError("every scalar needs at least 2 steps")
        return steps


class ResidualFSQ(AutoencoderQuantizer[ResidualFSQSettings]):
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

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return (math.prod(self.settings.steps),) * self.settings.levels

    @property
    def codebooks(self) -> list[np.ndarray]:
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

    def latents(self, x: np.ndarray) -> np.ndarray:
        """The scalars before rounding, ``(n, len(steps))`` float32."""
        most = 1 + 1 / (np.array(self.settings.steps, dtype=np.float32) - 1)
        return (np.tanh(self._encoded(x) / most) * most).astype(np.float32)

    def _nearest(self, encoded: np.ndarray) -> np.ndarray:
        rounding = self._rounding()
        return apply(lambda batch: rounding(batch[:, None])[1][:, 0], encoded)

    def _entries(self, codes: np.ndarray) -> np.ndarray:
        return residual_decode(codes, self.codebooks)

    def _networks(self, dim: int) -> tuple[nn.Module, nn.Module]:
        widths = (dim, *self.settings.hidden, len(self.settings.steps))
        return mlp(widths), mlp(widths[::-1])

    def _rounding(self) -> Any:
        from vector_quantize_pytorch import ResidualFSQ as Rounding

        rounding = Rounding(
            levels=list(self.settings.steps), num_quantizers=self.settings.levels, force_quantization_f32=True
        )
        return rounding.eval()
