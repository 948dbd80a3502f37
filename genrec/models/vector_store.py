"""Items of many catalogues in one folder on disk, memory-mapped: vectors are read row by row, never all at once.

A catalogue (a *domain*) has three files: vectors as the model reads them, codes, and the vectors of these codes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from genrec.artifacts import read_json, saved_content, write_atomic
from genrec.errors import ArtifactError

MANIFEST = "store.json"
_CHUNK = 65_536


@dataclass(frozen=True)
class DomainItems:
    """Items of one catalogue as training reads them.

    Attributes:
        name: Of the domain.
        codes: ``(n_items, slots)`` int32.
        vectors: ``(n_items, dim)`` float32 as the model reads them; may be memory-mapped, as may ``code_vectors``.
        code_vectors: ``(n_items, slots, slot_dim)`` float32 vectors of the items' codes.
    """

    name: str
    codes: np.ndarray
    vectors: np.ndarray
    code_vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)


class VectorStore:
    """A folder of domains.

    Args:
        folder: Made when something is added.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        path = self.folder / MANIFEST
        self._domains: dict[str, dict[str, object]] = {}
        if path.is_file():
            with saved_content("vector store", path):
                self._domains = dict(read_json(path)["domains"])

    def __contains__(self, name: str) -> bool:
        return name in self._domains

    def __iter__(self) -> Iterator[str]:
        return iter(self._domains)

    def add(self, domain: DomainItems, *, identity: str) -> None:
        """Write a domain; it counts as there only when all of it is.

        Args:
            domain: Replaces an older one of that name.
            identity: What it was made from; see :meth:`holds`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for key in ("codes", "vectors", "code_vectors"):
            array = getattr(domain, key)
            mapped = np.lib.format.open_memmap(
                self._path(domain.name, key), mode="w+", dtype=array.dtype, shape=array.shape
            )
            for start in range(0, len(array), _CHUNK):
                mapped[start : start + _CHUNK] = array[start : start + _CHUNK]
            mapped.flush()
        self._domains[domain.name] = {"items": len(domain), "identity": identity}
        write_atomic(self.folder / MANIFEST, json.dumps({"domains": self._domains}, indent=2) + "\n")

    def holds(self, name: str, identity: str) -> bool:
        """Whether a domain is there and was made from the same thing."""
        return self._domains.get(name, {}).get("identity") == identity

    def read(self, name: str) -> DomainItems:
        """A domain, memory-mapped.

        Raises:
            ArtifactError: It is not there, or a file is missing or damaged.
        """
        if name not in self._domains:
            raise ArtifactError(
                f"The vector store has no domain '{name}'.",
                where=self.folder,
                expected=", ".join(self) or "some domain",
            )
        try:
            arrays = [
                np.load(self._path(name, key), mmap_mode="r", allow_pickle=False)
                for key in ("codes", "vectors", "code_vectors")
            ]
        except (OSError, ValueError, EOFError) as error:
            raise ArtifactError(
                f"A file of the vector store cannot be read: {error}", where=self.folder, hint="Remove the folder."
            ) from None
        return DomainItems(name, *arrays)

    def _path(self, name: str, key: str) -> Path:
        return self.folder / f"{quote(name, safe='')}.{key}.npy"  # a name is no path
