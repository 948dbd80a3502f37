"""Tries of parts of a catalogue: large allow lists and named sub-catalogues, built once and kept on the device."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from genrec.decoding.device_trie import DeviceTrie
from genrec.errors import ConfigError, DataError, unknown_name
from genrec.trie import Trie


class SubTries:
    """Hands out the trie of the whole catalogue, of a named part of it, or of any allowed items; to any thread.

    Args:
        trie: The catalogue's.
        device: Where the tries go.
        named: ``(n_items,)`` bool masks of sub-catalogues ("in stock", a category, a price band) by name.
        keep: How many unnamed tries are remembered.
    """

    def __init__(
        self,
        trie: Trie,
        device: torch.device | str = "cpu",
        named: Mapping[str, np.ndarray] | None = None,
        *,
        keep: int = 8,
    ) -> None:
        self.trie, self.device, self.keep = trie, torch.device(device), keep
        self.named: dict[str, np.ndarray] = {}
        self._made: OrderedDict[bytes, DeviceTrie] = OrderedDict()
        self._whole: DeviceTrie | None = None
        self._turn = threading.Lock()
        for name, mask in (named or {}).items():
            self.define(name, mask)

    def __getstate__(self) -> dict[str, Any]:
        """Without what is made again when it is needed, and the lock, which belongs to one process."""
        return {**self.__dict__, "_made": OrderedDict(), "_whole": None, "_turn": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._turn = threading.Lock()

    def define(self, name: str, mask: np.ndarray) -> None:
        """Give a part of the catalogue a name, or give the name to another part.

        Raises:
            DataError: The mask is not over the catalogue.
        """
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != (self.trie.n_items,):
            raise DataError(
                f"The sub-catalogue '{name}' is given by {mask.dtype} of shape {mask.shape}.",
                expected=f"bool of shape ({self.trie.n_items},)",
            )
        self.named[name] = mask

    def mask(self, name: str) -> np.ndarray:
        """Items of a named part, ``(n_items,)`` bool.

        Raises:
            ConfigError: No part has this name.
        """
        if not self.named:
            raise ConfigError(
                f"Unknown sub-catalogue '{name}': no part of this catalogue has a name yet.",
                where="within",
                hint=f"recommender.define({name!r}, item_ids) names one.",
            )
        if name not in self.named:
            raise unknown_name("sub-catalogue", name, self.named, where="within")
        return self.named[name]

    def __call__(self, allowed: np.ndarray | None = None) -> DeviceTrie:
        """The trie of the allowed items, ``(n_items,)`` bool with at least one true; None: of all."""
        if allowed is None or allowed.all():
            if self._whole is None:
                self._whole = DeviceTrie(self.trie, self.device)
            return self._whole
        key = hashlib.blake2b(np.packbits(allowed).tobytes(), digest_size=16).digest()
        with self._turn:
            made = self._made.get(key)
            if made is None:
                made = self._made[key] = DeviceTrie(self.trie.restrict(allowed), self.device)
            self._made.move_to_end(key)
            while len(self._made) > self.keep + len(self.named):
                self._made.popitem(last=False)
            return made
