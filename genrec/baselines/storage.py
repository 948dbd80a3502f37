"""Saved baselines: a folder with a manifest, item ids and arrays; JSON and safetensors only."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from genrec.artifacts import atomic_dir, read_manifest, write_manifest
from genrec.baselines.base import Baseline
from genrec.errors import ArtifactError, ModelError, unknown_name
from genrec.recommender import MANIFEST

_ITEMS = "items.json"
_ARRAYS = "baseline.safetensors"
_CARD = "README.md"


def save_baseline(baseline: Baseline, folder: Path | str, *, overwrite: bool = False) -> None:
    """Write a fitted baseline as a self-contained folder.

    Args:
        baseline: Fitted.
        folder: Folder to make.
        overwrite: Replace a folder that exists.

    Raises:
        ArtifactError: The folder exists and ``overwrite`` is false.
        ModelError: The baseline is not fitted.
    """
    from safetensors.numpy import save_file

    if not hasattr(baseline, "item_ids"):
        raise ModelError(f"The baseline '{baseline.name}' is not fitted.", hint="Call fit(train, item_ids) first.")
    with atomic_dir(folder, overwrite=overwrite) as work:
        save_file({name: np.ascontiguousarray(array) for name, array in baseline.state().items()}, work / _ARRAYS)
        ids = json.dumps(baseline.item_ids.tolist(), ensure_ascii=False)
        (work / _ITEMS).write_text(ids + "\n", encoding="utf-8")
        (work / _CARD).write_text(_card(baseline), encoding="utf-8")
        content = {
            "kind": "baseline",
            "baseline": type(baseline).name,
            "settings": baseline.settings.model_dump(mode="json"),
            "n_items": len(baseline.item_ids),
            "fit_seconds": baseline.fit_seconds if math.isfinite(baseline.fit_seconds) else None,
            "choices": baseline.choices,
            "info": baseline.info,
        }
        write_manifest(work, MANIFEST, content)


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


def _card(baseline: Baseline) -> str:
    settings = "".join(f"- {key}: {value}\n" for key, value in baseline.settings.model_dump(mode="json").items())
    figures = [choice["ndcg@10"] for choice in baseline.choices]
    chosen = f"\nChosen among {len(figures)} settings; validation NDCG@10 {max(figures):.4f}.\n" if figures else ""
    return (
        f"# genrec baseline: {type(baseline).name}\n\n{len(baseline.item_ids):,} items.\n\n{settings}{chosen}\n"
        "```python\nfrom genrec import Recommender\n\n"
        'recommender = Recommender.from_pretrained("this folder")\n'
        'recommender.recommend([["an item id", "another"]], k=10).item_ids\n```\n'
    )
