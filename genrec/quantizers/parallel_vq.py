"""Parallel vector quantization: several views of an item, each with its own codebook, kept apart from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import LARGEST_WIDTH, MOST_ROUNDS, Settings, Widths
from genrec.quantizers.autoencoder import TrainingSettings, apply, mlp, quiet, train
from genrec.quantizers.autoencoder_quantizer import AutoencoderQuantizer
from genrec.quantizers.base import MOST_LEVELS, MOST_SIZE, ItemContext, check_vectors, nearest, sample_rows
from genrec.quantizers.placement import LastLevelSettings
from genrec.quantizers.scaling import Scaler
from genrec.tensors import seeded

if TYPE_CHECKING:
    from torch import Tensor, nn

_KMEANS_ROWS = 16_384


class ParallelVQSettings(TrainingSettings, LastLevelSettings):
    """Settings of :class:`ParallelVQ`."""

    slots: int = Field(4, ge=1, le=MOST_LEVELS, description="codes per item, each from its own expert")
    codebook_size: int = Field(256, ge=1, le=MOST_SIZE, description="entries per slot")
    latent_dim: int = Field(16, ge=1, le=LARGEST_WIDTH, description="width of an expert's output")
    hidden: Widths = Field((512, 256), description="widths of the inner layers; the decoder mirrors")
    orthogonality: float = Field(0.1, ge=0, description="weight of the loss that keeps the experts' outputs apart")
    commitment: float = Field(0.25, ge=0, description="weight that pulls latents to their entries")
    decay: float = Field(0.95, gt=0, lt=1, description="decay of the moving average that updates the entries")
    revive_below: float = Field(1.0, ge=0, description="an entry with fewer hits per step is replaced; 0: never")
    warmup: int = Field(
        10, ge=0, le=MOST_ROUNDS, description="epochs of the plain autoencoder before the entries start from k-means"
    )


class ParallelVQ(AutoencoderQuantizer[ParallelVQSettings]):
    """Parallel codebooks with orthogonal experts: the multi-expert tokenizer of REG4Rec (arXiv 2508.15308).

    ``slots`` experts map the vector to latents, each is quantized with a codebook of its own, and one network decodes
    all of them together. The mean squared cosine between the experts' outputs for an item is a loss, so that the codes
    say different things and their order means nothing. REG4Rec weighs the experts with a gate that reads the vector;
    here the decoder does that, so that codes alone can be decoded.

    ``codebooks`` are in the experts' spaces, ``(codebook_size, latent_dim)`` per slot.

    Example:
        >>> ParallelVQ(ParallelVQSettings(slots=3, codebook_size=64)).codebook_sizes
        (64, 64, 64)
    """

    name: ClassVar[str] = "parallel-vq"
    Config: ClassVar[type[Settings]] = ParallelVQSettings
    parallel: ClassVar[bool] = True
    encoder_name: ClassVar[str] = "experts"

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every slot."""
        return (self.settings.codebook_size,) * self.settings.slots

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Train on (a sample of) the vectors; see :meth:`Quantizer.fit`."""
        import torch

        check_vectors(x)
        rows = sample_rows(x, self.settings.sample, seed)
        self._scaler = Scaler.of(rows)
        with seeded(seed):
            self._encoder, self._decoder = self._networks(x.shape[1])
            self._train(self._encoder, self._decoder, torch.from_numpy(self._scaler.forward(rows)))

    def _train(self, experts: nn.Module, decoder: nn.Module, x: Tensor) -> None:
        import torch
        from torch import nn
        from torch.nn.functional import mse_loss

        settings, slots = self.settings, range(self.settings.slots)
        model = nn.ModuleDict({"experts": experts, "decoder": decoder})
        weight = settings.orthogonality

        def plain(batch: Tensor) -> Tensor:
            latents = experts(batch)
            return mse_loss(decoder(latents.flatten(1)), batch) + weight * overlap(latents)

        if settings.warmup:
            train(model, x, settings, plain, lambda: float(plain_error(experts, decoder, x)), epochs=settings.warmup)
        entries: list[Any] = [self._codebook().train() for _ in slots]
        with torch.no_grad(), quiet():  # the first call sets the entries by k-means
            start = experts(x[:_KMEANS_ROWS])
            for slot in slots:
                entries[slot](start[None, :, slot])
        model["entries"] = nn.ModuleList(entries)

        def loss_of(batch: Tensor) -> Tensor:
            latents = experts(batch)
            quantized = [entries[slot](latents[None, :, slot]) for slot in slots]
            decoded = decoder(torch.cat([one[0][0] for one in quantized], dim=1))
            commitment = torch.stack([one[2].sum() for one in quantized]).sum()
            return mse_loss(decoded, batch) + commitment + weight * overlap(latents)

        def error_of() -> float:
            self._codebooks = [np.ascontiguousarray(book.codebook.detach().numpy()) for book in entries]
            decoded = apply(decoder, self._entries(self._nearest(apply(experts, x.numpy()))))
            return float(np.mean((x.numpy() - decoded) ** 2))

        train(model, x, settings, loss_of, error_of)
        error_of()

    def _codebook(self) -> Any:
        from vector_quantize_pytorch import VectorQuantize

        settings = self.settings
        return VectorQuantize(
            dim=settings.latent_dim,
            codebook_size=settings.codebook_size,
            kmeans_init=True,
            kmeans_iters=20,
            decay=settings.decay,
            threshold_ema_dead_code=settings.revive_below,
            commitment_weight=settings.commitment,
            rotation_trick=settings.latent_dim > 1,
        )

    def _nearest(self, encoded: np.ndarray) -> np.ndarray:
        return np.stack([nearest(encoded[:, slot], book) for slot, book in enumerate(self._codebooks)], axis=1)

    def _entries(self, codes: np.ndarray) -> np.ndarray:
        return np.concatenate([book[codes[:, slot]] for slot, book in enumerate(self._codebooks)], axis=1)

    def _networks(self, dim: int) -> tuple[nn.Module, nn.Module]:
        from torch import nn

        settings = self.settings
        widths = (dim, *settings.hidden, settings.slots * settings.latent_dim)
        return nn.Sequential(mlp(widths), nn.Unflatten(1, (settings.slots, -1))), mlp(widths[::-1])


def overlap(latents: Tensor) -> Tensor:
    """Mean squared cosine between the slots of an item, ``(b, slots, latent_dim) -> ()``; 0 when they are orthogonal.

    >>> import torch
    >>> float(overlap(torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [3.0, 0.0]]])))
    0.5
    """
    from torch.nn.functional import normalize

    units = normalize(latents, dim=2)
    cosines = units @ units.transpose(1, 2)
    slots = latents.shape[1]
    if slots == 1:
        return cosines.sum() * 0
    return (cosines.square().sum() - cosines.diagonal(dim1=1, dim2=2).square().sum()) / (
        len(latents) * slots * (slots - 1)
    )


def plain_error(experts: nn.Module, decoder: nn.Module, x: Tensor) -> float:
    """Mean squared error of the autoencoder without quantization."""
    again = apply(lambda batch: decoder(experts(batch).flatten(1)), x.numpy())
    return float(np.mean((x.numpy() - again) ** 2))
