"""Fingerprints of histories: a shard says from which ones its lists were made."""

from __future__ import annotations

import base64
import binascii
import hashlib

import numpy as np

from genrec.data.histories import Histories

KEY = "genrec.histories"
"""Of the metadata of a shard's file."""
_SEPARATOR = "\x1f"


def history_prints(histories: Histories, item_ids: np.ndarray) -> np.ndarray:
    """A number for each user and what the user had, ``(n_users,)`` uint64, the same on every machine."""
    ids, prints = item_ids[histories.items].tolist(), np.zeros(len(histories), dtype=np.uint64)
    for row, user in enumerate(histories.user_ids.tolist()):
        text = _SEPARATOR.join([user, *ids[histories.offsets[row] : histories.offsets[row + 1]]])
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        prints[row] = int.from_bytes(digest, "little")
    return prints


def as_text(prints: np.ndarray) -> str:
    """For the metadata of a file; their order is not kept."""
    return base64.b64encode(np.sort(prints).astype("<u8").tobytes()).decode("ascii")


def from_text(text: str) -> np.ndarray:
    """What :func:`as_text` was given, ``(n,)`` uint64, sorted.

    Raises:
        ValueError: It is something else.
    """
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype="<u8").astype(np.uint64)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
