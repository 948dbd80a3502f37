"""What tells one index from another, and one item from all others."""

from __future__ import annotations

import difflib
import hashlib
import json

import numpy as np

from genrec.errors import DataError
from genrec.wording import count


def codes_fingerprint(codebook_sizes: tuple[int, ...], item_ids: np.ndarray, codes: np.ndarray) -> str:
    """Hex digest of ids, codes and codebook sizes: what a recommender depends on."""
    head = json.dumps([list(codebook_sizes), item_ids.tolist()], ensure_ascii=True)
    digest = hashlib.sha256(head.encode())
    digest.update(np.ascontiguousarray(codes, dtype="<i4").tobytes())
    return digest.hexdigest()


def vectors_fingerprint(vectors: np.ndarray) -> str:
    """Hex digest of item vectors ``(n_items, dim)``, for networks that read them."""
    rows = np.ascontiguousarray(vectors, dtype="<f4")
    digest = hashlib.sha256(f"{rows.shape}".encode())
    digest.update(memoryview(rows))  # type: ignore[arg-type]
    return digest.hexdigest()


def unknown_item(item_id: str, item_ids: np.ndarray) -> DataError:
    """The error for an item that an index does not have; names the nearest id."""
    near = difflib.get_close_matches(item_id, item_ids[:100_000].tolist(), n=1, cutoff=0.6)
    return DataError(
        f"Item {item_id!r} is not in the index.",
        expected=f"one of {count(len(item_ids), 'id')}, such as {item_ids[0]!r}",
        hint=f"Did you mean {near[0]!r}?" if near else None,
    )
