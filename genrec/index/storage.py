"""Saved indexes: a folder of JSON, Parquet and safetensors files under one manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.artifacts import (
    Manifest,
    MappedTensor,
    atomic_dir,
    load_tensors,
    output_lock,
    read_json,
    read_manifest,
    require_free,
    save_tensors,
    saved_content,
    sha256_of,
    write_manifest,
)
from genrec.artifacts.folders import as_folder
from genrec.artifacts.kinds import INDEX
from genrec.config import parse
from genrec.data.catalog import Catalog
from genrec.data.naming import ColumnNames
from genrec.data.split import SplitSettings
from genrec.errors import ArtifactError
from genrec.index.card import index_card
from genrec.index.item_tokenizer import ItemTokenizer, read_html
from genrec.index.recipe import TokenizerRecipe
from genrec.schema import Columns
from genrec.trie import group_paths

if TYPE_CHECKING:
    import polars as pl

MANIFEST = INDEX
_CODES, _TENSORS, _VECTORS = "codes.safetensors", "quantizer.safetensors", "vectors.safetensors"
_ITEMS, _ENCODER, _CARD = "items.parquet", "encoder.json", "README.md"
_MOST_CODES = 1 << 31


@dataclass(frozen=True)
class IndexFiles:
    """What a saved index consists of.

    Attributes:
        codes: ``(n_items, n_levels)`` int32.
        vectors: ``(n_items, dim)`` float32.
        tensors: Arrays of the fitted encoder and quantizer.
        items: ``item_id`` and the fields.
        encoder: JSON-able rest of the encoder.
        card: The page ``README.md``.
        manifest: What ``index.json`` says.
    """

    codes: np.ndarray
    vectors: np.ndarray
    tensors: Mapping[str, np.ndarray]
    items: pl.DataFrame
    encoder: Mapping[str, Any]
    card: str
    manifest: dict[str, Any]


def files_of(index: Any) -> IndexFiles:
    """What a :class:`~genrec.index.semantic_index.SemanticIndex` is saved as."""
    before = index.quantizer_codes
    paths = int(group_paths(before, index.codebook_sizes[: before.shape[1]]).max()) + 1
    return IndexFiles(
        codes=index.codes,
        vectors=np.ascontiguousarray(index.vectors(), dtype=np.float32),
        tensors=index.tokenizer.tensors,
        items=index.catalog.frame,
        encoder=index.tokenizer.rests["encoder"],
        card=index_card(
            index.recipe,
            index.codebook_sizes,
            n_items=len(index),
            levels=index.quantizer_levels,
            collision_rate=1 - paths / len(index),
        ),
        manifest={
            "kind": "semantic-index",
            "n_items": len(index),
            "codebook_sizes": list(index.codebook_sizes),
            "quantizer_levels": index.quantizer_levels,
            "fingerprint": index.fingerprint,
            "vectors_fingerprint": index.vectors_fingerprint(),
            "lineage": index.lineage,
            "recipe": index.recipe.model_dump(mode="json"),
            "quantizer": dict(index.tokenizer.rests["quantizer"]),
            "disambiguation": dict(index.tokenizer.rests["disambiguation"]),
            "columns": index.columns.model_dump(exclude_none=True),
            "html": index.tokenizer.html,
            "currencies": index.catalog.currencies,
            "split": None if index.split is None else index.split.model_dump(mode="json"),
        },
    )


Origin = tuple[Path, str]
"""The folder of a saved index, and the digest of its manifest: this version of it and no other."""


def save_index(files: IndexFiles, folder: Path | str, *, overwrite: bool, origin: Origin | None = None) -> Origin:
    """Write an index folder, atomically.

    Args:
        files: Its content.
        folder: Where to.
        overwrite: Replace a folder that genrec made.
        origin: What the index was loaded or grew from: that folder is replaced only while it still holds it.

    Returns:
        What was written.

    Raises:
        ArtifactError: The folder may not be made or replaced, or has changed.
    """
    folder = as_folder(folder)
    require_free(folder, overwrite=overwrite, makes="index")
    with output_lock(folder, wait=60):
        _refuse_changed(folder, origin)
        with atomic_dir(folder, overwrite=overwrite) as work:
            save_tensors({"codes": files.codes}, work / _CODES)
            save_tensors({"vectors": files.vectors}, work / _VECTORS)
            save_tensors(files.tensors, work / _TENSORS)
            files.items.write_parquet(work / _ITEMS, compression="zstd", statistics=False)
            encoder = json.dumps(dict(files.encoder), ensure_ascii=False, sort_keys=True)
            (work / _ENCODER).write_text(encoder + "\n", encoding="utf-8")
            (work / _CARD).write_text(files.card, encoding="utf-8")
            write_manifest(work, MANIFEST, files.manifest)
        return folder.resolve(), sha256_of(folder / MANIFEST)


def _refuse_changed(folder: Path, origin: Origin | None) -> None:
    if origin is None or origin[0] != folder.resolve() or not (folder / MANIFEST).is_file():
        return
    if sha256_of(folder / MANIFEST) != origin[1]:
        raise ArtifactError(
            "The index has changed since it was loaded: another process has replaced it.",
            where=folder,
            expected=f"a manifest with the digest {origin[1][:12]}",
            hint="Load it again and add the new items to what is there now.",
        )


def load_parts(folder: Path) -> dict[str, Any]:
    """Arguments of :class:`SemanticIndex` from a folder, after checks of its manifest and of what its files hold.

    Raises:
        ArtifactError: Not an index, a newer format, or a file is missing, damaged or does not fit the others.
    """
    import polars as pl

    manifest = read_manifest(folder, MANIFEST, "index")
    if manifest.need("kind", str) != "semantic-index":
        raise ArtifactError(f"This is a '{manifest['kind']}', not an index.", where=manifest.path)
    origin = folder.resolve(), sha256_of(manifest.path)
    rests = {name: manifest.need(name, dict) for name in ("quantizer", "disambiguation")}
    rests["encoder"] = read_json(folder / _ENCODER)
    codes, vectors = load_tensors(folder / _CODES).get("codes"), MappedTensor(folder / _VECTORS, "vectors")
    frame = pl.read_parquet(folder / _ITEMS)
    _check_shapes(manifest, codes, vectors, frame)
    with saved_content("recipe", manifest.path):
        recipe = parse(TokenizerRecipe, manifest.need("recipe", dict))
        _check_levels(recipe.quantizer, manifest)
        tensors, html = load_tensors(folder / _TENSORS), read_html(manifest)
        tokenizer = ItemTokenizer(recipe, tensors, rests, from_folder=True, html=html, saved_in=folder)
        if list(tokenizer.codebook_sizes) != manifest["codebook_sizes"]:
            raise ArtifactError("Recipe and codes of this index do not belong together.", where=manifest.path)
    with saved_content("columns", manifest.path):
        columns = parse(ColumnNames, manifest.get("columns") or {})
    with saved_content("split", manifest.path):
        split = parse(SplitSettings, manifest["split"]) if manifest.get("split") else None
    currencies = manifest.need("currencies", dict) if "currencies" in manifest else {}
    if not all(isinstance(currency, str) for currency in currencies.values()):
        raise ArtifactError("The manifest's 'currencies' holds other things than texts.", where=manifest.path)
    return {
        "catalog": Catalog(frame, html=tokenizer.html, currencies=currencies),
        "codes": codes,
        "tokenizer": tokenizer,
        "vectors": vectors,
        "ancestors": manifest.texts("lineage")[:-1],
        "origin": origin,
        "columns": columns,
        "split": split,
        "fingerprint": manifest.need("fingerprint", str),
    }


def _check_shapes(manifest: Manifest, codes: np.ndarray | None, vectors: MappedTensor, frame: Any) -> None:
    """Items, codes and vectors are as many and of the types that everything else takes for granted."""
    import polars as pl

    n_items, sizes = manifest.need("n_items", int), manifest.numbers("codebook_sizes", least=1)
    ids = frame[Columns.Item] if frame.columns[:1] == [Columns.Item] else None
    if ids is None or ids.dtype != pl.String or ids.null_count() or ids.n_unique() != len(ids):
        raise ArtifactError("The items of this index have no ids of their own.", where=manifest.path.parent / _ITEMS)
    found = {"items": len(ids), "codes": -1 if codes is None else len(codes), "vectors": (*vectors.shape, -1)[0]}
    if set(found.values()) != {n_items} or n_items < 1:
        told = ", ".join(f"{count} {name}" for name, count in found.items())
        raise ArtifactError(
            f"The parts of this index do not belong together: {told}.", where=manifest.path, expected=f"{n_items} each"
        )
    if codes is None or codes.dtype != np.int32 or codes.shape != (n_items, len(sizes)) or sum(sizes) > _MOST_CODES:
        raise ArtifactError("The codes of this index have the wrong shape.", where=manifest.path.parent / _CODES)
    if (codes < 0).any() or (codes.max(axis=0) >= np.array(sizes)).any():
        raise ArtifactError("A code of this index is out of range.", where=manifest.path.parent / _CODES)
    if len(vectors.shape) != 2 or vectors.kind != np.float32:
        raise ArtifactError("The vectors of this index have the wrong shape.", where=manifest.path.parent / _VECTORS)


def _check_levels(settings: Mapping[str, Any], manifest: Manifest) -> None:
    """No part of a quantizer claims more levels than the codes have: sizes are lists as long as that."""
    levels = len(manifest["codebook_sizes"])
    for key, value in settings.items():
        if key in ("levels", "slots") and isinstance(value, int) and value > levels:
            raise ArtifactError(f"The recipe says {value} {key}, the codes have {levels}.", where=manifest.path)
        for part in value if isinstance(value, list | tuple) else [value]:
            if isinstance(part, Mapping):
                _check_levels(part, manifest)
