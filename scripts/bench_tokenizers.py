"""One million items: how long quantizers take to fit and to encode them all, and how much memory.

    python scripts/bench_tokenizers.py                      # about 15 minutes of one quiet core
    python scripts/bench_tokenizers.py --items 100000 --only rq-kmeans

The vectors are synthetic (clusters within clusters, unit length), written once to a memory-mapped file. Every quantizer
runs in a process of its own, so that one's memory is not counted for the next. Memory is what the process holds beside
pages of files, so the memory-mapped vectors do not count. Writes scripts/results/tokenizers-scale.{json,md} after each.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tokenizer_common import RESULTS, Row, about, read_rows, table, write_rows

NAME = "tokenizers-scale"
CHUNK = 16_384
SETTINGS: dict[str, dict[str, Any]] = {
    "rq-kmeans": {"name": "rq-kmeans", "levels": 3, "codebook_size": 256, "backend": "scikit-learn"},
    "rq-kmeans-uniform": {"name": "rq-kmeans", "levels": 3, "codebook_size": 256, "last_level": "uniform"},
    "rq-kmeans-balanced": {"name": "rq-kmeans", "levels": 3, "codebook_size": 256, "balanced": True},
    "fsq": {"name": "fsq", "slots": 4, "levels": [8, 8, 8, 6, 5], "encoder": "split", "rotate": True, "epochs": 20},
    "rq-vae": {"name": "rq-vae", "levels": 3, "codebook_size": 256, "epochs": 20},
    "random": {"name": "random", "levels": 3, "codebook_size": 256},
}
COLUMNS = [
    ("quantizer", "quantizer", str),
    ("fit s", "fit_seconds", lambda v: f"{v:.1f}"),
    ("build s", "build_seconds", lambda v: f"{v:.1f}"),
    ("encode s", "encode_seconds", lambda v: f"{v:.1f}"),
    ("unique paths s", "disambiguate_seconds", lambda v: f"{v:.1f}"),
    ("items/s", "items_per_second", lambda v: f"{v:,.0f}"),
    ("collisions", "collision_rate", lambda v: f"{v:.2%}"),
    ("in use", "min_utilisation", lambda v: f"{v:.1%}"),
    ("lost", "reconstruction_error", lambda v: f"{v:.1%}"),
    ("peak GB", "peak_gb", lambda v: f"{v:.2f}"),
    ("of it before", "base_gb", lambda v: f"{v:.2f}"),
]


WHOLE = "whole index"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--sample", type=int, default=65_536, help="items to fit on")
    parser.add_argument("--only", nargs="+", choices=[*SETTINGS, WHOLE], default=[*SETTINGS, WHOLE])
    parser.add_argument("--vectors", type=Path, help="keep the vectors in this .npy file and use them again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure_index(options) if options.one == WHOLE else measure(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = options.vectors or Path(folder) / "vectors.npy"
        if not path.exists():
            began = time.perf_counter()
            generate(path, options.items, options.dim, options.seed)
            print(f"{options.items:,} vectors in {time.perf_counter() - began:.0f} s", flush=True)
        for name in options.only:
            run(name, path, options)


def generate(path: Path, n: int, dim: int, seed: int) -> None:
    """Unit vectors in 2,000 clusters of unlike size inside 60 groups; 0.2 % repeat another vector.

    The spread inside a cluster falls off over the dimensions, as it does in text vectors: spread that is alike in all
    of them has no structure that any codes could find.
    """
    rng = np.random.default_rng(seed)
    falling = (1 / (1 + np.arange(dim) / 16)).astype(np.float32)
    coarse = rng.normal(size=(60, dim)).astype(np.float32) * falling
    fine = coarse[rng.integers(0, 60, 2000)] + 0.8 * rng.normal(size=(2000, dim)).astype(np.float32) * falling
    sizes = 1 / np.arange(1, 2001) ** 0.7
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, dim))
    for start in range(0, n, CHUNK):
        stop = min(n, start + CHUNK)
        rows = fine[rng.choice(2000, stop - start, p=sizes / sizes.sum())]
        rows += 0.8 * rng.standard_normal((stop - start, dim), dtype=np.float32) * falling
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        rows[1:][rng.random(stop - start - 1) < 0.002] = rows[0]
        file[start:stop] = rows
    file.flush()


def run(name: str, path: Path, options: argparse.Namespace) -> None:
    """Measure one quantizer in its own process and write the table."""
    arguments = [sys.executable, __file__, "--one", name, "--vectors", str(path), "--items", str(options.items)]
    arguments += ["--sample", str(options.sample), "--seed", str(options.seed)]
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        print(f"{name} failed:\n{done.stderr[-2000:]}", flush=True)
        return
    command = f"python scripts/bench_tokenizers.py --items {options.items}"
    row = json.loads(done.stdout.splitlines()[-1]) | about(NAME, command)
    content = [r for r in read_rows(options.out, NAME) if (r["quantizer"], r["items"]) != (name, options.items)]
    content = [*content, row]
    write_rows(options.out, NAME, content, page(content))
    print(f"{name}: {row['seconds']} s, {row['items_per_second']:,} items/s, {row['peak_gb']} GB", flush=True)


def measure(options: argparse.Namespace) -> Row:
    """Fit on a sample, encode everything, make the paths unique."""
    import sklearn.cluster  # noqa: F401
    import torch  # now, so that loading it is not counted as memory of a quantizer

    from genrec.disambiguation import QuantizedItems, build_disambiguation
    from genrec.quantizers import ItemContext, build_quantizer
    from genrec.trie import group_paths

    vectors = np.load(options.vectors, mmap_mode="r")
    ids = np.array([f"i{n:07d}" for n in range(len(vectors))], dtype=object)
    settings = {**SETTINGS[options.one]}
    if settings["name"] != "random":
        settings["sample"] = options.sample
    quantizer = build_quantizer(settings)
    seconds = {}
    with peak_memory() as memory:
        began = time.perf_counter()
        quantizer.fit(vectors, seed=options.seed)
        seconds["fit_seconds"] = time.perf_counter() - began
        began = time.perf_counter()
        codes = quantizer.place(vectors, items=ItemContext(ids))
        seconds["encode_seconds"] = time.perf_counter() - began
        began = time.perf_counter()
        items = QuantizedItems(ids, codes, quantizer.codebook_sizes, vectors, quantizer)
        rule = build_disambiguation({"name": "suffix"})
        rule.fit(items)
        paths = rule.resolve(items)
        seconds["disambiguate_seconds"] = time.perf_counter() - began
    distinct = int(group_paths(codes, quantizer.codebook_sizes).max()) + 1
    used = [len(np.unique(codes[:, n])) / size for n, size in enumerate(quantizer.codebook_sizes)]
    return {
        "quantizer": options.one,
        "items": len(vectors),
        "dim": vectors.shape[1],
        "sample": options.sample,
        "levels": codes.shape[1],
        "collision_rate": 1 - distinct / len(codes),
        "min_utilisation": min(used),
        "reconstruction_error": lost(quantizer, vectors, codes),
        "items_per_second": round(len(codes) / seconds["encode_seconds"]),
        **{key: round(value, 2) for key, value in seconds.items()},
        "seconds": round(sum(seconds.values()), 2),
        "peak_gb": round(memory["peak"] / 1e9, 3),
        "base_gb": round(memory["base"] / 1e9, 3),
        "vectors_gb": round(vectors.nbytes / 1e9, 3),
        "threads": torch.get_num_threads(),
        "settings": settings,
        "unique": len(np.unique(paths, axis=0)) == len(paths),
    }


def measure_index(options: argparse.Namespace) -> Row:
    """The default recipe from a table of items and a file of vectors to a saved index and its numbers."""
    import polars as pl

    from genrec.data import Catalog
    from genrec.index.recipe import load_recipe
    from genrec.index.semantic_index import SemanticIndex

    recipe = load_recipe(
        "rq-kmeans-3x256",
        ["encoder.name=precomputed", f"encoder.path={options.vectors}", f"quantizer.sample={options.sample}"],
    )
    ids = [f"i{n:07d}" for n in range(options.items)]
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ids, "title": [f"item {n % 9973}" for n in range(len(ids))]}))
    with peak_memory() as memory, tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        index = SemanticIndex.build(catalog, recipe)
        built = time.perf_counter() - began
        index.save(Path(folder) / "index")
        saved = time.perf_counter() - began - built
        stats = index.stats()
    return {
        "quantizer": WHOLE,
        "items": len(index),
        "dim": index.vectors().shape[1],
        "sample": options.sample,
        "levels": index.n_levels,
        "collision_rate": stats.collision_rate,
        "min_utilisation": stats.min_utilisation,
        "reconstruction_error": stats.reconstruction_error,
        "items_per_second": round(len(index) / built),
        "build_seconds": round(built, 2),
        "save_seconds": round(saved, 2),
        "seconds": round(time.perf_counter() - began, 2),
        "peak_gb": round(memory["peak"] / 1e9, 3),
        "base_gb": round(memory["base"] / 1e9, 3),
        "vectors_gb": round(index.vectors().nbytes / 1e9, 3),
        "threads": 1,
        "settings": recipe.quantizer,
        "unique": len(np.unique(index.codes, axis=0)) == len(index),
    }


def lost(quantizer: Any, vectors: np.ndarray, codes: np.ndarray) -> float | None:
    """Share of the variance that the codes lose, over 20,000 items that lie evenly in the file."""
    rows = np.linspace(0, len(codes) - 1, 20_000).astype(np.int64)
    again = quantizer.reconstruct(codes[rows])
    if again is None:
        return None
    x = np.asarray(vectors[rows])
    return float(((x - again) ** 2).sum() / ((x - x.mean(axis=0)) ** 2).sum())


@contextmanager
def peak_memory() -> Iterator[dict[str, int]]:
    """Largest anonymous memory inside the block and the memory before it, in bytes; read fifty times a second."""
    memory = {"base": anonymous(), "peak": anonymous()}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            memory["peak"] = max(memory["peak"], anonymous())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


def anonymous() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def page(content: list[Row]) -> str:
    lines = ["# Quantizers at scale", ""]
    for n in sorted({row["items"] for row in content}, reverse=True):
        own = [row for row in content if row["items"] == n]
        first = own[0]
        lines += [
            f"## {n:,} items",
            "",
            f"`{first['command']}`",
            "",
            f"{n:,} vectors of {first['dim']} dimensions in a mapped file of {first['vectors_gb']:.2f} GB, fitted "
            f"on {first['sample']:,} of them, {first['threads']} thread(s). Peak: anonymous memory of the process; "
            "the mapped vectors are not in it. Items/s: encoding alone; for the "
            f"“{WHOLE}” (default recipe, from tables to a saved index), the whole build.",
            "",
            table(own, COLUMNS),
            "",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
