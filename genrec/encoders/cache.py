"""Sentence vectors kept on disk, so that a killed run goes on where it stopped and encoding again is free."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genrec.artifacts import atomic_file, write_atomic

logger = logging.getLogger(__name__)

KEY_BYTES = 16
"""Length of a key."""


def cache_root() -> Path | None:
    """Folder of genrec's caches: ``$GENREC_CACHE``, or else ``~/.cache/genrec``; None where it says ``off``."""
    chosen = os.environ.get("GENREC_CACHE", "").strip()
    if chosen.lower() == "off":
        return None
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "genrec"


class VectorCache:
    """Vectors of texts under one model with one set of settings, in shards of ``.npy`` files.

    A shard is a pair ``NAME.keys.npy`` (``(n, 16)`` uint8) and ``NAME.vectors.npy`` (``(n, dim)`` float32), named
    after its keys. The vectors are written first and each file appears at once, so that any number of processes may
    write at the same time and a shard that can be read is whole.

    Args:
        folder: Folder of caches (made when something is written), or None for a cache that holds nothing.
        identity: Everything that the vectors depend on beside the text; written to ``cache.json`` for people.
    """

    def __init__(self, folder: Path | None, identity: dict[str, Any]) -> None:
        content = json.dumps(identity, sort_keys=True, ensure_ascii=False)
        self._seed = hashlib.blake2b(content.encode(), digest_size=KEY_BYTES)
        self._identity = identity
        self.folder = None if folder is None else folder / self._seed.hexdigest()

    def keys(self, texts: Sequence[str]) -> list[bytes]:
        """Key of every text under this identity."""
        keys = []
        for text in texts:
            digest = self._seed.copy()
            digest.update(text.encode("utf-8", "surrogatepass"))
            keys.append(digest.digest())
        return keys

    def shards(self) -> Iterator[tuple[list[bytes], np.ndarray]]:
        """Keys and memory-mapped vectors ``(n, dim)`` of every shard; damaged shards are left out."""
        if self.folder is None or not self.folder.is_dir():
            return
        for path in sorted(self.folder.glob("*.keys.npy")):
            try:
                keys = np.load(path, allow_pickle=False)
                vectors = np.load(_vectors_path(path), mmap_mode="r", allow_pickle=False)
                sound = keys.dtype == np.uint8 and keys.shape == (len(vectors), KEY_BYTES)
                sound = sound and vectors.dtype == np.float32 and vectors.ndim == 2
            except (OSError, ValueError, EOFError):
                sound = False
            if sound:
                yield [row.tobytes() for row in keys], vectors
            else:
                logger.warning("A damaged file of the vector cache is ignored: %s", path)

    def add(self, keys: Sequence[bytes], vectors: np.ndarray) -> None:
        """Keep vectors ``(n, dim)`` as one shard; a folder that cannot be written switches the cache off."""
        if self.folder is None:
            return
        name = hashlib.blake2b(b"".join(keys), digest_size=KEY_BYTES).hexdigest()
        path = self.folder / f"{name}.keys.npy"
        try:
            if not (self.folder / "cache.json").exists():
                write_atomic(
                    self.folder / "cache.json", json.dumps(self._identity, indent=2, ensure_ascii=False) + "\n"
                )
            _save(_vectors_path(path), np.asarray(vectors, dtype=np.float32))
            _save(path, np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, KEY_BYTES))
        except OSError as error:
            logger.warning("Vectors are not kept for the next run: %s cannot be written (%s).", self.folder, error)
            self.folder = None


def _vectors_path(keys_path: Path) -> Path:
    return keys_path.with_name(keys_path.name.replace(".keys.npy", ".vectors.npy"))


def _save(path: Path, array: np.ndarray) -> None:
    with atomic_file(path, durable=False) as temporary, temporary.open("wb") as stream:  # what is lost is made again
        np.save(stream, array, allow_pickle=False)
