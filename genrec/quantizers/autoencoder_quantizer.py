"""What quantizers between an encoder and a decoder share: encoding, decoding, saving and loading."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

import numpy as np

from genrec.config import Settings
from genrec.quantizers.autoencoder import apply
from genrec.quantizers.base import ItemContext, check_vectors, chunks, not_fitted
from genrec.quantizers.placement import SpreadsLastLevel
from genrec.quantizers.scaling import Scaler
from genrec.tensors import from_arrays, to_arrays

if TYPE_CHECKING:
    from torch import nn

S = TypeVar("S", bound=Settings)


class AutoencoderQuantizer(SpreadsLastLevel, Generic[S]):
    """A quantizer between two networks.

    A subclass makes the networks (:meth:`_networks`) and trains them in ``fit``, which sets ``_scaler``, ``_encoder``,
    ``_decoder`` and, where entries are learned, ``_codebooks``; :meth:`_nearest` turns what
    is encoded into codes and :meth:`_entries` codes into what is decoded.

    Args:
        settings: The method's settings; its defaults when not given.
    """

    encoder_name: ClassVar[str] = "encoder"
    """What the encoder is called where it is saved."""

    settings: S

    def __init__(self, settings: S | None = None) -> None:
        self.settings = cast(S, self.Config()) if settings is None else settings
        self._scaler: Scaler | None = None
        self._encoder: nn.Module | None = None
        self._decoder: nn.Module | None = None
        self._codebooks: list[np.ndarray] = []

    @abstractmethod
    def _networks(self, dim: int) -> tuple[nn.Module, nn.Module]:
        """Encoder and decoder of vectors of this dimension, untrained."""

    @abstractmethod
    def _nearest(self, encoded: np.ndarray) -> np.ndarray:
        """Codes ``(n, n_levels)`` of what the encoder gives."""

    @abstractmethod
    def _entries(self, codes: np.ndarray) -> np.ndarray:
        """What the decoder reads, from codes ``(n, n_levels)``."""

    @property
    def codebooks(self) -> list[np.ndarray] | None:
        """Entries in latent space, ``(codebook_size, latent_dim)`` float32 per level."""
        return list(self._codebooks) or None

    def encode(self, x: np.ndarray, *, items: ItemContext | None = None) -> np.ndarray:
        """Nearest entries in latent space; see :meth:`Quantizer.encode`."""
        check_vectors(x, dim=len(self._fitted()[0].mean))
        codes = np.empty((len(x), len(self.codebook_sizes)), dtype=np.int32)
        for start, chunk in chunks(x):
            codes[start : start + len(chunk)] = self._nearest(self._encoded(chunk))
        return codes

    def latents(self, x: np.ndarray) -> np.ndarray:
        """The encoder's output, float32, ``(n, latent_dim)`` or ``(n, slots, latent_dim)``."""
        return self._encoded(x)

    def reconstruct(self, codes: np.ndarray) -> np.ndarray:
        """Decoded entries, ``(n, dim)`` float32."""
        scaler, _, decoder = self._fitted()
        return scaler.backward(apply(decoder, self._entries(codes)))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Both networks, the codebooks and the scaling."""
        scaler, encoder, decoder = self._fitted()
        tensors = to_arrays(encoder, self.encoder_name) | to_arrays(decoder, "decoder")
        tensors |= {f"codebook_{level}": book for level, book in enumerate(self._codebooks)}
        return tensors | {"mean": scaler.mean}, {"scale": scaler.scale}

    def load_state(self, tensors: Mapping[str, np.ndarray], rest: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._scaler = Scaler(np.asarray(tensors["mean"]), float(rest["scale"]))
        self._encoder, self._decoder = self._networks(len(self._scaler.mean))
        from_arrays(self._encoder, tensors, self.encoder_name)
        from_arrays(self._decoder, tensors, "decoder")
        learned = sum(name.startswith("codebook_") for name in tensors)
        self._codebooks = [np.asarray(tensors[f"codebook_{level}"]) for level in range(learned)]

    def _input(self, x: np.ndarray) -> np.ndarray:
        """Vectors as the encoder takes them."""
        if self._scaler is None:
            raise not_fitted(self.name)
        return self._scaler.forward(x)

    def _encoded(self, x: np.ndarray) -> np.ndarray:
        return apply(self._fitted()[1], self._input(x))

    def _fitted(self) -> tuple[Scaler, nn.Module, nn.Module]:
        """Scaling, encoder and decoder.

        Raises:
            ArtifactError: There are none yet.
        """
        if self._scaler is None or self._encoder is None or self._decoder is None:
            raise not_fitted(self.name)
        return self._scaler, self._encoder, self._decoder
