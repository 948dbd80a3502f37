"""CPU time of sentence vectors of a catalogue, on one thread, in turns with another checkout.

    python scripts/bench_sentences.py ITEMS --against CHECKOUT --rounds 2

ITEMS is a table of items, such as that of Amazon Beauty. Nothing is kept on disk, imports and the loading of the model
do not count, and the vectors of both checkouts are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", type=Path)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.out:
        print(json.dumps(measure(options.items, options.model, options.out)))
        return
    if options.against is None:
        parser.error("--against is missing")
    checkouts = {"before": options.against.resolve(), "after": ROOT}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for name, checkout in checkouts.items():
                found[name].append(run(options, checkout, Path(folder) / f"{name}.npy"))
                print(name, found[name][-1], flush=True)
        before, after = (np.load(Path(folder) / f"{name}.npy") for name in checkouts)
    spent = [median(row["cpu_seconds"] for row in found[name]) for name in checkouts]
    peaks = [max(row["peak_gib"] for row in found[name]) for name in checkouts]
    cosine = float((before.astype(np.float64) * after).sum(axis=1)[np.abs(before).any(axis=1)].min())
    print(
        f"{len(after):,} items: {spent[0]:.1f} -> {spent[1]:.1f} s of CPU ({spent[0] / spent[1]:.2f} times), "
        f"peak {peaks[0]:.2f} -> {peaks[1]:.2f} GiB, smallest cosine 1 - {1 - cosine:.1e}"
    )


def run(options: argparse.Namespace, checkout: Path, out: Path) -> dict[str, float]:
    """Measure a checkout in a process of its own."""
    command = [sys.executable, __file__, str(options.items), "--model", options.model, "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "GENREC_CACHE": "off"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(items: Path, model: str, out: Path) -> dict[str, float]:
    from genrec.data import Catalog
    from genrec.encoders import build_encoder

    catalog = Catalog.read(items)
    encoder = build_encoder({"name": "sentence", "model": model})
    encoder.fit(catalog, None)
    encoder.encode(Catalog.from_frame(catalog.frame.head(1)))  # imports and loads
    before = time.process_time()
    vectors = encoder.encode(catalog)
    seconds = time.process_time() - before
    np.save(out, vectors)
    return {"cpu_seconds": seconds, "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


if __name__ == "__main__":
    main()
