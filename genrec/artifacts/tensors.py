"""Arrays in safetensors files, the only kind of weights that is ever read from an artefact: it cannot hold code."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from genrec.errors import ArtifactError

_KINDS = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"}


def save_tensors(tensors: Mapping[str, np.ndarray], path: Path) -> None:
    """Write arrays into a file of a folder that is being made.

    Raises:
        ArtifactError: It cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, path)
    except SafetensorError as error:
        raise ArtifactError(f"The file cannot be written: {error}", where=path, hint="Is the disk full?") from None


def load_tensors(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise ArtifactError(
            "A file of this artefact has gone.", where=path, hint="Load it from where it is now."
        ) from None
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise ArtifactError(f"A file of this artefact cannot be read: {error}", where=path) from None


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of a file by name; only its header is read.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:  # checks that header and data fit together
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"A file of this artefact cannot be read: {error}", where=path) from None


def tensor_types(path: Path) -> dict[str, str]:
    """Types of the numbers of a file by name, such as ``F32`` or ``I64``; only its header is read."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return {name: str(file.get_slice(name).get_dtype()) for name in file.keys()}  # noqa: SIM118


class MappedTensor:
    """One array of a file that stays open: it is read when it is asked for, from the file that was opened.

    Who replaces the folder meanwhile gives it a new file, and this one lives on until it is let go.

    Args:
        path: A safetensors file.
        name: Of the array.

    Attributes:
        shape: Of the array.
        kind: Type of its numbers.

    Raises:
        ArtifactError: The file or the array is missing or damaged.
    """

    def __init__(self, path: Path, name: str) -> None:
        if name not in tensor_shapes(path):
            raise ArtifactError(f"The array '{name}' is missing.", where=path)
        self.path = path
        self._file: BinaryIO = path.open("rb")
        self._opened = self._state()
        start, about = _header(self._file)
        entry = about[name]
        self.shape: tuple[int, ...] = tuple(entry["shape"])
        if entry["dtype"] not in _KINDS:
            raise ArtifactError(f"The array '{name}' is of the type {entry['dtype']}.", where=path)
        self.kind = np.dtype(_KINDS[entry["dtype"]])
        self._begin = start + int(entry["data_offsets"][0])

    def read(self) -> np.ndarray:
        """The array.

        Raises:
            ArtifactError: The file was changed in place since it was opened.
        """
        content = np.empty(self.shape, dtype=self.kind)
        view, place = memoryview(content.reshape(-1).view(np.uint8)), self._begin  # type: ignore[arg-type]
        while len(view):
            got = os.preadv(self._file.fileno(), [view], place)
            if not got:
                break
            view, place = view[got:], place + got
        if len(view) or self._state() != self._opened:
            raise ArtifactError(
                "A file of this artefact was changed since it was loaded.", where=self.path, hint="Load it again."
            )
        return content

    def _state(self) -> tuple[int, int]:
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


def _header(file: BinaryIO) -> tuple[int, dict[str, Any]]:
    """Where the data begin, and what the header says of every array; safetensors has checked it."""
    length = struct.unpack("<Q", file.read(8))[0]
    return 8 + length, json.loads(file.read(length))
