"""Files and folders that appear whole, one writer at a time, and manifests that cover every file."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from genrec.artifacts.files import atomic_file, require_free_file, write_atomic
from genrec.artifacts.folders import atomic_dir, recover, require_free
from genrec.artifacts.locks import output_lock
from genrec.artifacts.manifest import (
    FORMAT_VERSION,
    Manifest,
    parse_json,
    read_json,
    read_manifest,
    sha256_of,
    write_manifest,
)
from genrec.artifacts.reading import mend, read_whole, saved_content

if TYPE_CHECKING:
    from genrec.artifacts.tensors import MappedTensor, load_tensors, save_tensors, tensor_shapes

__all__ = [
    "FORMAT_VERSION",
    "Manifest",
    "MappedTensor",
    "atomic_dir",
    "atomic_file",
    "load_tensors",
    "mend",
    "output_lock",
    "parse_json",
    "read_json",
    "read_manifest",
    "read_whole",
    "recover",
    "require_free",
    "require_free_file",
    "save_tensors",
    "saved_content",
    "sha256_of",
    "tensor_shapes",
    "write_atomic",
    "write_manifest",
]


def __getattr__(name: str) -> Any:
    # On demand: a command that is asked for help needs no numpy.
    if name in __all__:
        return getattr(importlib.import_module("genrec.artifacts.tensors"), name)
    raise AttributeError(f"module 'genrec.artifacts' has no attribute {name!r}")
