"""What genrec demo costs, step by step, in turns with another checkout.

    python scripts/bench_demo.py FOLDER --against CHECKOUT [--from DEMO] [--only evaluate generate] [--rounds 2]

Each step is the command that genrec demo prints, in a process of its own with one thread. FOLDER gets the tables, the
indexes and the models of both checkouts. With --from, both begin with the data, index and model of a demo that is
there, and only later steps are measured. Prints CPU time and elapsed time of every step, the quality that was measured,
and how many lists are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import polars as pl

ROOT = Path(__file__).resolve().parent.parent
STEPS = ("check", "index", "train", "evaluate", "generate")


def main() -> None:
    """Run the steps of both checkouts in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--against", type=Path, required=True, help="another checkout")
    parser.add_argument("--from", dest="start", type=Path, help="folder of genrec demo")
    parser.add_argument("--only", nargs="*", choices=STEPS, default=STEPS)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="seed of training")
    options = parser.parse_args()
    checkouts = {"before": options.against.resolve(), "after": ROOT}
    for name in checkouts:
        prepare(options.folder / name, options.start)
    print("step, seconds: before (CPU, elapsed), after (CPU, elapsed), ratio of CPU time", flush=True)
    for step in options.only:
        spent: dict[str, list[tuple[float, float]]] = {name: [] for name in checkouts}
        for _ in range(options.rounds):
            for name, checkout in checkouts.items():
                spent[name].append(run(step, checkout, options.folder / name, options.seed))
        (old, old_wall), (new, new_wall) = (map(median, zip(*spent[name], strict=True)) for name in checkouts)
        print(f"{step}: ({old:.1f}, {old_wall:.1f}), ({new:.1f}, {new_wall:.1f}), {old / new:.2f}", flush=True)
    for name in checkouts:
        print(name, quality(options.folder / name / "eval" / "metrics.json"))
    print(same_lists(*(options.folder / name / "recommendations.parquet" for name in checkouts)))


def prepare(folder: Path, start: Path | None) -> None:
    """Tables of the demo shop, or everything that a demo left."""
    folder.mkdir(parents=True, exist_ok=True)
    if start is not None:
        for part in ("data", "index", "model"):
            shutil.copytree(start / part, folder / part, dirs_exist_ok=True)
    elif not (folder / "data").is_dir():
        from genrec.data.shop import write_shop

        write_shop(folder / "data")


def run(step: str, checkout: Path, folder: Path, seed: int) -> tuple[float, float]:
    """CPU seconds, user and system, and elapsed seconds of one step."""
    items, interactions = "data/items.jsonl", "data/interactions.csv"
    words = {
        "check": ["data", "check", items, interactions],
        "index": ["index", "build", items, "--interactions", interactions, "--tokenizer", "demo", "--out", "index"],
        "train": ["train", "index", interactions, "--config", "demo", "--out", "model", "--set", f"seed={seed}"],
        "evaluate": ["evaluate", "model", interactions, "--out", "eval", "--overwrite"],
        "generate": ["generate", "model", interactions, "--k", "10", "--out", "recommendations.parquet"],
    }[step]
    words += ["--overwrite"] if step in ("index", "train", "generate") else []
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    before, began = os.times(), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "genrec", *words], env=environment, cwd=folder, capture_output=True, text=True
    )
    after, elapsed = os.times(), time.monotonic() - began
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, elapsed


def quality(metrics: Path) -> str:
    """NDCG@10 and Recall@10 of the recommender on the test part."""
    if not metrics.is_file():
        return "not evaluated"
    row = json.loads(metrics.read_text(encoding="utf-8"))[0]
    return ", ".join(f"{name} {row[name]:.4f}" for name in ("ndcg@10", "recall@10"))


def same_lists(before: Path, after: Path) -> str:
    """How many users get the same list from both."""
    if not (before.is_file() and after.is_file()):
        return "no lists to compare"
    lists = [
        pl.read_parquet(path).sort("user_id", "rank").group_by("user_id", maintain_order=True).agg("item_id")
        for path in (before, after)
    ]
    same = sum(one == other for one, other in zip(*(table["item_id"].to_list() for table in lists), strict=True))
    return f"{same:,} of {len(lists[0]):,} users get the same list"


if __name__ == "__main__":
    main()
