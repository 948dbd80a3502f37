"""Saved baselines: a folder with a manifest, item ids and arrays; JSON and safetensors only."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from genrec.artifacts import read_manifest
from genrec.baselines.base import _ARRAYS, _ITEMS, Baseline
from genrec.errors import ArtifactError, unknown_name
from genrec.recommender import MANIFEST


def load_baseline(folder: Path | str, *, device: str | None = None) -> Baseline:
    """Read a folder written by :meth:`Baseline.save_pretrained`, after checking every file's SHA-256.

    Args:
        folder: The saved baseline.
        device: Where networks are used; None: CPU.

    Raises:
        ArtifactError: Not a saved baseline, a newer format, or a file is missing, damaged or does not fit the others.
    """
    from safetensors.numpy import load_file

    from genrec.baselines.registry import CLASSES

    folder = Path(folder)
    manifest = read_manifest(folder, MANIFEST, "baseline")
    if manifest.get("kind") != "baseline":
        raise ArtifactError(
            f"This recommender is of the kind '{manifest.get('kind')}'.",
            where=folder,
            expected="a baseline",
            hint="Recommender.from_pretrained loads every kind.",
        )
    name = str(manifest["baseline"])
    if name not in CLASSES:
        raise ArtifactError(str(unknown_name("baseline", name, CLASSES)), where=folder)
    baseline = CLASSES[name](**manifest["settings"])
    ids = json.loads((folder / _ITEMS).read_text(encoding="utf-8"))
    if len(ids) != manifest["n_items"]:
        raise ArtifactError(f"{len(ids)} item ids, but the manifest says {manifest['n_items']}.", where=folder / _ITEMS)
    baseline.item_ids = np.empty(len(ids), dtype=object)
    baseline.item_ids[:] = ids
    try:
        baseline.load_state(load_file(folder / _ARRAYS), device=device)
    except KeyError as error:
        raise ArtifactError(f"The array {error} is missing.", where=folder / _ARRAYS) from None
    baseline.choices, baseline.info = manifest["choices"], manifest["info"]
    seconds = manifest["fit_seconds"]
    baseline.fit_seconds = float("nan") if seconds is None else float(seconds)
    return baseline
