"""Measures trained recommenders on the test part and keeps a row of each beside the preset's name.

    python scripts/preset_rows.py PRESET MODEL_FOLDER [MODEL_FOLDER ...] interactions.csv

A MODEL_FOLDER is what `genrec train INDEX interactions.csv --config PRESET --out FOLDER` wrote, or with --seeds one of
its seed-N. Several of them also make a row of their mean. Writes scripts/results/presets.json, where rows of the same
preset, data and seed are replaced; then run scripts/preset_tables.py.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genrec.artifacts import write_atomic
from genrec.data import Interactions
from genrec.data.split import EvaluationSet, split_for
from genrec.evaluation.seeds import over_seeds
from genrec.evaluation.uncertainty import bootstrap_metrics
from genrec.generative.recommender import GenerativeRecommender

RESULTS = Path(__file__).resolve().parent / "results" / "presets.json"
METRICS = ("recall@5", "ndcg@5", "recall@10", "ndcg@10")
COMMAND = "python scripts/preset_rows.py PRESET MODEL_FOLDER INTERACTIONS"
KEYS = ("preset", "dataset")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset")
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("interactions", type=Path)
    parser.add_argument("--users", type=int, default=10**9, help="test users, a fixed sample")
    given = parser.parse_args()
    name, rows = given.interactions.resolve().parent.name, []
    for folder in given.models:
        recommender = GenerativeRecommender.from_pretrained(folder)
        test = split_for(Interactions.read(given.interactions), recommender.index, recommender.config).test
        command = COMMAND + (f" --users {given.users}" if given.users < len(test) else "")
        test = test.select(np.sort(np.random.default_rng(0).permutation(len(test))[: given.users]))
        rows.append({"preset": given.preset, "dataset": name, "command": command, **row_of(recommender, test)})
        print(given.preset, rows[-1]["seed"], f"NDCG@10 {rows[-1]['ndcg@10']:.4f}", flush=True)
    keep(rows)


def row_of(recommender: GenerativeRecommender, test: EvaluationSet) -> dict[str, Any]:
    """Test figures of a recommender as it is, with the ends of their intervals and what it cost."""
    began = time.process_time()
    ranks = recommender.recommend(test.histories, 10).ranks_of(test.targets)
    spent, metrics = time.process_time() - began, recommender.metrics
    return {
        "split": "test",
        "targets": "all",
        "seed": recommender.config.seed,
        "users": len(test),
        "items": len(recommender.item_ids),
        **figures(ranks),
        "parameters": metrics.get("trainable_parameters"),
        "training_seconds": metrics.get("seconds_this_session"),
        "epochs": metrics.get("epochs"),
        "users_per_second": round(len(test) / spent, 1),
    }


def figures(ranks: np.ndarray) -> dict[str, float]:
    """Metrics with the ends of their intervals."""
    found: dict[str, float] = {}
    for name, interval in bootstrap_metrics(np.where(ranks > 10, 0, ranks), list(METRICS)).items():
        found |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return found


def keep(rows: list[dict[str, Any]], path: Path = RESULTS) -> None:
    """Add rows to those that are there, and the mean of all seeds of each preset."""
    new = {(*(row[key] for key in KEYS), row["seed"]) for row in rows}
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    single = [row for row in old if not row.get("seeds") and (*(row[key] for key in KEYS), row["seed"]) not in new]
    means = [row for row in over_seeds([*single, *rows], keys=KEYS) if row["runs"] > 1]
    write_atomic(path, json.dumps([*single, *rows, *means], indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
