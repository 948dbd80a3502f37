"""Parallel vector quantization: several views of an item, each with its own codebook, kept apart from each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from genrec.config import Settings
from genrec.quantizers.autoencoder import (
    Scaler,
    TrainingSettings,
    apply,
    from_arrays,
    mlp,
    quiet,
    seeded,
    to_arrays,
    train,
)
from genrec.quantizers.base import ItemContext, check_vectors, chunks, nearest, not_fitted, sample_rows
from genrec.quantizers.placement import LastLevelSettings, SpreadsLastLevel

if TYPE_CHECKING:
    from torch import Tensor, nn

_KMEANS_ROWS = 16_384


class ParallelVQSettings(TrainingSettings, LastLevelSettings):
    """Settings of :class:`ParallelVQ`."""

    slots: int = Field(4, ge=1, description="codes per item, each from its own expert")
    codebook_size: int = Field(256, ge=1, description="entries per slot")
    latent_dim: int = Field(16, ge=1, description="width of an expert's output")
    hidden: tuple[int, ...] = Field((512, 256), description="widths of the inner layers; the decoder mirrors")
    orthogonality: float = Field(0.1, ge=0, description="weight of the loss that keeps the experts' outputs apart")
    commitment: float = Field(0.25, ge=0, description="weight that pulls latents to their entries")
    decay: float = Field(0.95, gt=0, lt=1, description="of the moving average that updates the entries")
    revive_below: float = Field(1.0, ge=0, description="an entry with fewer hits per step is replaced; 0: never")
    warmup: int = Field(10, ge=0, description="epochs of the plain autoencoder before the entries start from k-means")


class ParallelVQ(SpreadsLastLevel):
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

    def __init__(self, settings: ParallelVQSettings | None = None) -> None:
        self.settings: ParallelVQSettings = settings or ParallelVQSettings()
        self._scaler: Scaler | None = None
        self._experts: nn.Module | None = None
        self._decoder: nn.Module | None = None
        self._codebooks: list[np.ndarray] = []

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every slot."""
        return (self.settings.codebook_size,) * self.settings.slots

    @property
    def codebooks(self) -> list[np.ndarray] | None:
        """``(codebook_size, latent_dim)`` float32 per slot."""
        return list(self._codebooks) or None

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Train on (a sample of) the vectors; see :meth:`Quantizer.fit`."""
        import torch

        check_vectors(x)
        rows = sample_rows(x, self.settings.sample, seed)
        self._scaler = Scaler.of(rows)
        with seeded(seed):
            self._experts, self._decoder = self._networks(x.shape[1])
            self._train(self._experts, self._decoder, torch.from_numpy(self._scaler.forward(rows)))

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
            return float(np.mean((x.numpy() - self._decode(self._nearest(apply(experts, x.numpy())))) ** 2))

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

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """Nearest entry of every expert; see :meth:`Quantizer.encode`."""
        if self._scaler is None:
            raise not_fitted(self.name)
        check_vectors(x, dim=len(self._scaler.mean))
        codes = np.empty((len(x), self.settings.slots), dtype=np.int32)
        for start, chunk in chunks(x):
            codes[start : start + len(chunk)] = self._nearest(self.latents(chunk))
        return codes

    def latents(self, x: np.ndarray) -> np.ndarray:
        """The experts' outputs, ``(n, slots, latent_dim)`` float32."""
        if self._scaler is None or self._experts is None:
            raise not_fitted(self.name)
        return apply(self._experts, self._scaler.forward(x))

    def reconstruct(self, codes: np.ndarray) -> np.ndarray:
        """Decoded entries, ``(n, dim)`` float32."""
        if self._scaler is None:
            raise not_fitted(self.name)
        return self._scaler.backward(self._decode(codes))

    def _nearest(self, latents: np.ndarray) -> np.ndarray:
        return np.stack([nearest(latents[:, slot], book) for slot, book in enumerate(self._codebooks)], axis=1)

    def _decode(self, codes: np.ndarray) -> np.ndarray:
        if self._decoder is None:
            raise not_fitted(self.name)
        entries = [book[codes[:, slot]] for slot, book in enumerate(self._codebooks)]
        return apply(self._decoder, np.concatenate(entries, axis=1))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Both networks, the codebooks and the scaling."""
        if self._scaler is None or self._experts is None or self._decoder is None:
            raise not_fitted(self.name)
        tensors = to_arrays(self._experts, "experts") | to_arrays(self._decoder, "decoder")
        tensors |= {f"codebook_{slot}": book for slot, book in enumerate(self._codebooks)}
        return tensors | {"mean": self._scaler.mean}, {"scale": self._scaler.scale}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._scaler = Scaler(np.asarray(tensors["mean"]), float(rest["scale"]))
        self._experts, self._decoder = self._networks(len(self._scaler.mean))
        from_arrays(self._experts, tensors, "experts")
        from_arrays(self._decoder, tensors, "decoder")
        self._codebooks = [np.asarray(tensors[f"codebook_{slot}"]) for slot in range(self.settings.slots)]

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
