"""What the files of a sentence model would have a library do beside reading weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrec.artifacts import read_json
from genrec.errors import ModelError
from genrec.trust import brings_code, refuse_code

_OWN = "sentence_transformers."
_PICKLED, _SAFE = "pytorch_model.bin", "model.safetensors"


def check_sentence_model(folder: Path) -> None:
    """Refuse a sentence model that would run code, unpickle weights or read files of other places.

    Args:
        folder: Its files.

    Raises:
        ModelError: It would, or its files are damaged.
    """
    for path in sorted(folder.rglob("*.json")):
        if "config" in path.name:
            refuse_code(_read(path), path)
    modules = folder / "modules.json"
    listed = _read(modules) if modules.is_file() else [{"type": _OWN, "path": ""}]
    if not isinstance(listed, list) or not all(isinstance(module, dict) for module in listed):
        raise ModelError("The list of modules of this sentence model is damaged.", where=modules)
    for module in listed:
        kind, place = (str(module.get(key, "")) for key in ("type", "path"))
        if not kind.startswith(_OWN):
            raise brings_code(modules, f"The module '{kind}' of this sentence model is code of its own")
        if place.startswith(("/", "\\")) or ".." in Path(place).parts or ":" in place:
            raise ModelError("A module of this sentence model lies outside its folder.", where=f"{modules}: {place}")
        _refuse_pickled(folder / place)


def _refuse_pickled(folder: Path) -> None:
    if (folder / _PICKLED).is_file() and not any(folder.glob("*.safetensors")):
        raise brings_code(folder / _PICKLED, "This sentence model has only pickled weights, a kind of code")


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"A file of the sentence model cannot be read: {error}", where=path) from None
