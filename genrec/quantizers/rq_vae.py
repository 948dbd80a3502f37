"""RQ-VAE: an autoencoder whose latent vector is a sum of codebook entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

import numpy as np
from pydantic import Field, model_validator

from genrec.config import LARGEST_WIDTH, MOST_ROUNDS, Settings, Widths
from genrec.quantizers.autoencoder import TrainingSettings, apply, mlp, quiet, train
from genrec.quantizers.autoencoder_quantizer import AutoencoderQuantizer
from genrec.quantizers.base import (
    MOST_LEVELS,
    MOST_SIZE,
    ItemContext,
    check_vectors,
    nearest,
    residual_decode,
    residual_encode,
    sample_indices,
)
from genrec.quantizers.letter import alignment_loss, collaborative_vectors, diversity_loss
from genrec.quantizers.placement import LastLevelSettings
from genrec.quantizers.scaling import Scaler
from genrec.tensors import seeded

if TYPE_CHECKING:
    from torch import Tensor, nn

_KMEANS_ROWS = 16_384
_ALIGNED_ROWS = 1_024
_REVIVALS = 10


class RQVAESettings(TrainingSettings, LastLevelSettings):
    """Settings of :class:`RQVAE`."""

    levels: int = Field(3, ge=1, le=MOST_LEVELS, description="codes per item")
    codebook_size: int = Field(256, ge=1, le=MOST_SIZE, description="entries per level")
    latent_dim: int = Field(32, ge=1, le=LARGEST_WIDTH, description="width of the quantized latent vector")
    hidden: Widths = Field((512, 256), description="widths of the encoder's inner layers; the decoder mirrors")
    commitment: float = Field(0.25, ge=0, description="weight that pulls latents to their entries")
    decay: float = Field(0.95, gt=0, lt=1, description="decay of the moving average that updates the entries")
    revive_below: float = Field(1.0, ge=0, description="an entry with fewer hits per step is replaced; 0: never")
    rotation_trick: bool = Field(True, description="gradients through the rotation to the entry, not straight through")
    warmup: int = Field(
        10, ge=0, le=MOST_ROUNDS, description="epochs of the plain autoencoder before the entries start from k-means"
    )
    update: Literal["ema", "gradient"] = Field(
        "ema", description="how entries learn: as moving averages of their latents, or by gradients of the loss"
    )
    cosine: bool = Field(False, description="entries of unit length, chosen by cosine; only with update: ema")
    alignment: float = Field(
        0.0, ge=0, description="LETTER: weight of the contrastive loss between code vectors and collaborative vectors"
    )
    collaborative: dict[str, Any] = Field(
        {"name": "cooccurrence"}, description="item encoder of the collaborative vectors, fitted on training histories"
    )
    diversity: float = Field(0.0, ge=0, description="LETTER: weight of the loss that spreads items over the codes")

    @model_validator(mode="after")
    def _cosine_needs_averages(self) -> Self:
        if self.cosine and self.update != "ema":
            raise ValueError("cosine entries are moving averages: use update: ema")
        return self


class RQVAE(AutoencoderQuantizer[RQVAESettings]):
    """Residual-quantized autoencoder, the tokenizer of TIGER (arXiv 2305.05065).

    An MLP encodes, residual vector quantization (arXiv 2107.03312) with codebooks kept as moving averages quantizes,
    an MLP decodes. Entries start from k-means on the latents of an autoencoder that was trained for a few epochs
    without quantization; entries that fall out of use are replaced by latents; gradients may pass by the rotation
    trick (arXiv 2410.06424). Training ends when the reconstruction stops improving: minutes, not the tens of
    thousands of epochs that are common in public code.

    Two terms of LETTER (arXiv 2405.07314) can be added: ``alignment`` pulls the quantized vector of an item to its
    collaborative vector and away from those of other items, so that items bought together come to share codes;
    ``diversity`` evens out how often the codes of a level are used. LETTER takes collaborative vectors from a trained
    SASRec; here they come from an item encoder, by default co-occurrence SVD, of training histories only.

    ``codebooks`` are in latent space, ``(codebook_size, latent_dim)``.

    Example:
        >>> RQVAE(RQVAESettings(levels=4, codebook_size=64)).codebook_sizes
        (64, 64, 64, 64)
    """

    name: ClassVar[str] = "rq-vae"
    Config: ClassVar[type[Settings]] = RQVAESettings

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Number of codes of every level."""
        return (self.settings.codebook_size,) * self.settings.levels

    def fit(self, x: np.ndarray, *, seed: int, items: ItemContext | None = None) -> None:
        """Train on (a sample of) the vectors; see :meth:`Quantizer.fit`."""
        import torch

        check_vectors(x)
        chosen = sample_indices(len(x), self.settings.sample, seed)
        rows = np.array(x[chosen], dtype=np.float32)
        self._scaler = Scaler.of(rows)
        wanted = None
        if self.settings.alignment:
            wanted = collaborative_vectors(self.settings.collaborative, items, self.name)[chosen]
        with seeded(seed):
            self._encoder, self._decoder = self._networks(x.shape[1])
            scaled = self._scaler.forward(rows)
            books = self._train(torch.from_numpy(scaled), wanted)
        self._codebooks = without_dead(apply(self._encoder, scaled), books, unit=self.settings.cosine)

    def _networks(self, dim: int) -> tuple[nn.Module, nn.Module]:
        widths = (dim, *self.settings.hidden, self.settings.latent_dim)
        return mlp(widths), mlp(widths[::-1])

    def _started(self, x: Tensor) -> nn.ModuleDict:
        """Encoder, decoder and residual quantizer, the networks warmed up and the entries set by k-means."""
        import torch
        from torch import nn
        from torch.nn.functional import mse_loss

        _, encoder, decoder = self._fitted()
        rvq = self._residual_vq()
        model = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
        if self.settings.warmup:
            train(
                model,
                x,
                self.settings,
                lambda batch: mse_loss(decoder(encoder(batch)), batch),
                lambda: _error(x.numpy(), apply(lambda batch: decoder(encoder(batch)), x.numpy())),
                epochs=self.settings.warmup,
            )
        rvq.train()
        with torch.no_grad(), quiet():  # the first call sets the entries by k-means
            rvq(encoder(x[:_KMEANS_ROWS])[None])
        model["rvq"] = rvq
        return model

    def _train(self, x: Tensor, wanted: np.ndarray | None) -> list[np.ndarray]:
        import torch
        from torch import nn
        from torch.nn.functional import mse_loss

        settings, dim, model = self.settings, x.shape[1], self._started(x)
        encoder, decoder, rvq = model["encoder"], model["decoder"], cast(Any, model["rvq"])
        if wanted is not None:
            model["alignment"] = nn.Linear(settings.latent_dim, wanted.shape[1])

        def loss_of(batch: Tensor) -> Tensor:
            batch, collaborative = batch[:, :dim], batch[:, dim:]
            latents = encoder(batch)
            quantized, codes, commitment = rvq(latents[None])
            loss = mse_loss(decoder(quantized[0]), batch) + commitment.sum()
            if wanted is not None:
                loss = loss + settings.alignment * alignment_loss(model["alignment"](quantized[0]), collaborative)
            if settings.diversity:
                loss = loss + settings.diversity * diversity_loss(latents, codes[0], rvq.codebooks)
            return loss

        def error_of() -> float:
            latents, books = apply(encoder, x.numpy()), _books(rvq)
            quantized = residual_decode(residual_encode(latents, books), books)
            error = _error(x.numpy(), apply(decoder, quantized))
            if wanted is None:
                return error
            some = torch.from_numpy(quantized[:_ALIGNED_ROWS]), torch.from_numpy(wanted[:_ALIGNED_ROWS])
            with torch.no_grad():
                return error + settings.alignment * float(alignment_loss(model["alignment"](some[0]), some[1]))

        both = x if wanted is None else torch.cat([x, torch.from_numpy(wanted)], dim=1)
        train(model, both, settings, loss_of, error_of)
        return _books(rvq)

    def _residual_vq(self) -> Any:
        from vector_quantize_pytorch import ResidualVQ

        settings = self.settings
        return ResidualVQ(
            dim=settings.latent_dim,
            num_quantizers=settings.levels,
            codebook_size=settings.codebook_size,
            kmeans_init=True,
            kmeans_iters=20,
            decay=settings.decay,
            threshold_ema_dead_code=settings.revive_below,
            commitment_weight=settings.commitment,
            rotation_trick=settings.rotation_trick and settings.latent_dim > 1,
            use_cosine_sim=settings.cosine,
            ema_update=settings.update == "ema",
            learnable_codebook=settings.update == "gradient",
        )

    def _nearest(self, encoded: np.ndarray) -> np.ndarray:
        return residual_encode(encoded, self._codebooks)

    def _entries(self, codes: np.ndarray) -> np.ndarray:
        return residual_decode(codes, self._codebooks)


def without_dead(latents: np.ndarray, books: Sequence[np.ndarray], *, unit: bool = False) -> list[np.ndarray]:
    """Codebooks whose entries are all in use, if the latents allow it.

    What training leaves without a latent is moved to where a level is worst: to the residuals farthest from their
    entries. That can only bring residuals nearer to an entry, and a small catalogue needs it, because revival during
    training counts hits per step and the state that is kept may have come right before one.

    Args:
        latents: ``(n, d)`` of the training vectors.
        books: ``(codebook_size, d)`` per level.
        unit: Entries have unit length.
    """
    rest, settled = latents, []
    for book in books:
        book = book.copy()
        for _ in range(_REVIVALS):
            codes = nearest(rest, book)
            dead = np.flatnonzero(np.bincount(codes, minlength=len(book)) == 0)
            far = _farthest(rest, ((rest - book[codes]) ** 2).sum(1), len(dead))
            if not len(far):
                break
            entries = rest[far]
            book[dead[: len(far)]] = entries / np.linalg.norm(entries, axis=1, keepdims=True) if unit else entries
        rest = rest - book[nearest(rest, book)]
        settled.append(book)
    return settled


def _farthest(rows: np.ndarray, distances: np.ndarray, count: int) -> np.ndarray:
    """Positions of at most ``count`` different rows, those with the largest distances, none of distance 0."""
    order = np.argsort(-distances, kind="stable")[: 4 * count]
    order = order[distances[order] > 1e-12]
    _, first = np.unique(rows[order], axis=0, return_index=True)
    return order[np.sort(first)][:count]


def _books(rvq: Any) -> list[np.ndarray]:
    return [np.ascontiguousarray(layer.codebook.detach().numpy()) for layer in rvq.layers]


def _error(x: np.ndarray, decoded: np.ndarray) -> float:
    return float(np.mean((x - decoded) ** 2))
