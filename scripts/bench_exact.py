"""Exact ranking by RecGPT with words over a made-up catalogue, users a second, beside another checkout of genrec.

    python scripts/bench_exact.py CHECKOUT --items 1000000

Each side is a process of one thread with the same catalogue, network, words and 64 users; the two take turns. Time is
CPU time of reading the histories and ranking. The lists of both are compared.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def work(items: int) -> None:
    """One side: answers every line of input with CPU seconds and a checksum of the lists."""
    import numpy as np
    import recgpt_cost  # of this side
    import torch

    from genrec.decoding.device_trie import DeviceTrie
    from genrec.training.pretrain_config import load_pretrain_config
    from genrec.trie import Trie

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, codes, vectors = recgpt_cost.catalogue(load_pretrain_config("recgpt-pretrain"), items, 0)
    matrix = recgpt_cost.words_of(items, 0).vectors
    lengths = np.sqrt(np.add.reduceat(np.square(matrix.data), matrix.indptr[:-1]))
    matrix.data /= np.repeat(lengths, np.diff(matrix.indptr))
    words, trie = recgpt_cost.WordMatches(matrix), DeviceTrie(Trie.from_codes(codes, model.codebook_sizes))
    chosen = torch.from_numpy(np.random.default_rng(0).integers(0, items, (recgpt_cost.USERS, recgpt_cost.HISTORY)))
    batch = {
        "codes": torch.from_numpy(codes.astype(np.int64))[chosen],
        "mask": torch.ones(chosen.shape, dtype=torch.bool),
        "vectors": torch.from_numpy(vectors[chosen.numpy()]),
    }
    for _ in sys.stdin:
        begun = time.process_time()
        with torch.inference_mode():
            found: Any = recgpt_cost.with_words(model, batch, trie, words, chosen)
        spent = time.process_time() - begun
        print(spent, int((found[0] * torch.arange(1, 1 + found[0].shape[1])).sum()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("against", type=Path, help="the other checkout")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given.items)
        return
    sides, spent = {}, {}
    for name, checkout in (("here", ROOT), ("there", given.against.resolve())):
        path = os.pathsep.join([str(checkout / "scripts"), str(checkout)])
        command = [sys.executable, "-P", __file__, ".", "--items", str(given.items), "--worker"]
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        sides[name] = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )
        spent[name] = []
    sums = set()
    for number in range(given.rounds + 1):
        for name, side in sides.items():
            if side.stdin is None or side.stdout is None:
                raise RuntimeError("no pipe")
            print(file=side.stdin, flush=True)
            seconds, lists = side.stdout.readline().split()
            sums.add(lists)
            if number:  # the first warms up
                spent[name].append(float(seconds))
    rates = {name: 64 / sorted(times)[len(times) // 2] for name, times in spent.items()}
    print({name: round(rate) for name, rate in rates.items()}, f"ratio {rates['here'] / rates['there']:.2f}")
    print("same lists" if len(sums) == 1 else f"lists differ: {sums}")
    for side in sides.values():
        side.kill()


if __name__ == "__main__":
    main()
