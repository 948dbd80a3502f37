"""Saved baselines: a folder with a manifest, item ids and arrays; JSON and safetensors only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from genrec.artifacts import load_tensors, read_json, read_manifest, read_whole, saved_content
from genrec.artifacts.hub import at_hand
from genrec.artifacts.manifest import COPY_AGAIN
from genrec.baselines.base import _ARRAYS, _ITEMS, Baseline
from genrec.config import parse
from genrec.data.naming import ColumnNames
from genrec.errors import ArtifactError, unknown_name
from genrec.recommender import MANIFEST
from genrec.wording import count


def load_baseline(
    folder: Path | str, *, device: str | None = None, revision: str | None = None, token: str | None = None
) -> Baseline:
    """Read a folder written by :meth:`Baseline.save_pretrained`, after checking every file's SHA-256.

    Args:
        folder: The saved baseline; or the id of a repository of the hub, such as ``name/repo``.
        device: Where networks are used; None: CPU.
        revision: Branch, tag or commit of the repository.
        token: For private repositories; that of ``hf auth login`` where not given.

    Raises:
        ArtifactError: Not a saved baseline, a newer format, or a file is missing, damaged or does not fit the others.
    """
    folder = at_hand(folder, "baseline", revision, token)
    return read_whole(folder, "baseline", lambda: _load(folder, device))


def _load(folder: Path, device: str | None) -> Baseline:
    from genrec.baselines.registry import CLASSES

    manifest = read_manifest(folder, MANIFEST, "baseline")
    if manifest.get("kind") != "baseline":
        raise ArtifactError(
            f"This recommender is of the kind '{manifest.get('kind')}'.",
            where=folder,
            expected="a baseline",
            hint="Recommender.from_pretrained loads every kind.",
        )
    name = manifest.need("baseline", str)
    if name not in CLASSES:
        raise ArtifactError(str(unknown_name("baseline", name, CLASSES)), where=folder)
    with saved_content("baseline", manifest.path):
        baseline = CLASSES[name](**{**CLASSES[name].legacy, **manifest.need("settings", dict)})
    ids, n_items = read_json(folder / _ITEMS), manifest.need("n_items", int)
    if not isinstance(ids, list) or len(ids) != n_items or not all(isinstance(one, str) for one in ids):
        raise ArtifactError(
            f"The item ids are not {count(n_items, 'text')}, as the manifest says.", where=folder / _ITEMS
        )
    baseline.item_ids = np.empty(len(ids), dtype=object)
    baseline.item_ids[:] = ids
    tensors = load_tensors(folder / _ARRAYS)
    _check_arrays(tensors, n_items, folder / _ARRAYS)
    try:
        baseline.load_state(tensors, device=device)
    except KeyError as error:
        raise ArtifactError(f"The array {error} is missing.", where=folder / _ARRAYS) from None
    baseline.choices, baseline.info = manifest.need("choices", list), manifest.need("info", dict)
    with saved_content("columns", manifest.path):
        baseline.columns = parse(ColumnNames, manifest.get("columns") or {})
    seconds = manifest.get("fit_seconds")
    baseline.fit_seconds = float("nan") if seconds is None else float(seconds)
    return baseline


def _check_arrays(tensors: Mapping[str, np.ndarray], n_items: int, where: Path) -> None:
    """Arrays hold numbers, in one row an item but for networks and sparse matrices, whose shape says it."""
    for name, array in tensors.items():
        if array.dtype.kind == "f" and (
            np.isnan(array).any() or (name.startswith("network.") and np.isinf(array).any())
        ):
            raise ArtifactError(f"The array {name} holds values that are no numbers.", where=where, hint=COPY_AGAIN)
        stem, _, part = name.rpartition(".")
        if name.startswith("network.") or part in ("data", "indices", "indptr"):
            continue
        rows = array.tolist()[:1] if part == "shape" and stem else list(array.shape[:1])
        if rows != [n_items] or (part == "shape" and stem != "words" and array.tolist() != [n_items, n_items]):
            raise ArtifactError(f"The array {name} is not of the {count(n_items, 'item')}.", where=where)
        if name == "popularity" and (array.ndim != 1 or array.dtype.kind != "i" or (array < 0).any()):
            raise ArtifactError("The popularity of the items is no list of counts.", where=where)
