"""What learning is worth: the network alone, everything, and words and counts without it, on the test part.

    python scripts/main_tables.py MODEL_FOLDER interactions.csv [--beam-users 2000]

MODEL_FOLDER is what `genrec train INDEX interactions.csv --config vector-decoder` wrote. Everything was chosen on
validation; the words and counts that are compared with are the best of several ratios on the same validation users.
Writes scripts/results/main-DATASET.json and .md.
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genrec.artifacts import write_atomic
from genrec.data import Interactions
from genrec.data.split import EvaluationSet, split_for
from genrec.encoders.word_matches import WordMatches
from genrec.evaluation.uncertainty import bootstrap_metrics, paired_difference
from genrec.generative.recommender import GenerativeRecommender
from genrec.metrics import ndcg_at
from genrec.training.validation import ALONE, validation_sample

RESULTS = Path(__file__).resolve().parent / "results"
RATIOS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)  # what counts weigh of what words weigh, without a network
CELLS = 4_000_000  # users times items whose scores are held at once
METRICS = ("recall@5", "ndcg@5", "recall@10", "ndcg@10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("interactions", type=Path)
    parser.add_argument("--beam-users", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    recommender = GenerativeRecommender.from_pretrained(given.model)
    split = split_for(Interactions.read(given.interactions), recommender.index, recommender.config)
    name = given.interactions.resolve().parent.name
    began = time.process_time()
    lists = all_lists(recommender, split.validation, split.test)
    common = {
        "benchmark": "main",
        "dataset": name,
        "split": "test",
        "targets": "all",
        "seed": recommender.config.seed,
        "users": len(split.test),
        "items": len(recommender.item_ids),
        "epochs": recommender.metrics.get("epochs"),
        "best_epoch": recommender.metrics.get("best_epoch"),
        "parameters": recommender.metrics.get("trainable_parameters"),
        "device": "cpu, 1 thread",
        "command": command(),
    }
    base = ndcg_at(lists["everything-without-network"], 10)
    rows = [{**common, "recommender": who, **figures(ranks), **gain(ranks, base)} for who, ranks in lists.items()]
    beams = compare_beams(recommender, split.test, given.beam_users)
    rows.append({**common, "recommender": "everything-50-beams", **beams})
    print(f"{time.process_time() - began:.0f} CPU seconds", flush=True)
    write(given.out, name, rows)


def all_lists(
    recommender: GenerativeRecommender, validation: EvaluationSet, test: EvaluationSet
) -> dict[str, np.ndarray]:
    """Ranks of the targets of the test part, by recommender."""
    settings = recommender.config
    users = validation_sample(settings.validation.users, len(validation), settings.seed)
    chosen = priors_alone(recommender, validation.select(users))
    best = max(chosen, key=lambda ratio: float(ndcg_at(chosen[ratio], 10).mean()))
    own = recommender.options.prior.weight / recommender.options.words  # type: ignore[union-attr,operator]
    without = priors_alone(recommender, test, ratios=(best, own))
    print("ratio of counts to words on validation", best, "of the recommender", own, "tried", RATIOS, flush=True)

    def ranks(options: dict[str, Any]) -> np.ndarray:
        return recommender.recommend(test.histories, 10, options=options).ranks_of(test.targets)

    return {
        "network-alone": ranks(ALONE),
        "everything": ranks({}),
        "everything-without-network": without[own],
        "words-and-counts": without[best],
    }


def priors_alone(
    recommender: GenerativeRecommender,
    cases: EvaluationSet,
    *,
    exclude_seen: bool = True,
    ratios: Sequence[float] = RATIOS,
) -> dict[float, np.ndarray]:
    """Ranks of the targets by words and counts, without the network.

    Args:
        recommender: With a learned prior, or none; its words are those of the index.
        cases: Histories and targets.
        exclude_seen: Items of the history cannot be recommended.
        ratios: What counts weigh of what words weigh.

    Returns:
        For every ratio the expected rank under a random order of ties ``(n,)``; 0: none.
    """
    n_items = len(recommender.item_ids)
    matches = WordMatches(recommender.index.word_vectors) if recommender.options.words else None
    result = {ratio: np.zeros(len(cases)) for ratio in ratios}
    size = max(1, CELLS // n_items)
    for start in range(0, len(cases), size):
        part = cases.select(np.arange(start, min(start + size, len(cases))))
        rows = np.arange(len(part))
        words = np.zeros((len(part), n_items), np.float32) if matches is None else matches.scores(part.histories)
        counts = (
            np.zeros_like(words)
            if recommender.prior is None
            else recommender.prior.scores(part.histories, n_items).toarray()
        )  # type: ignore[union-attr]
        for ratio in ratios:
            scores = words + np.float32(ratio) * counts
            if exclude_seen:
                scores[np.repeat(rows, part.histories.lengths), part.histories.items] = -np.inf
            own = scores[rows, part.targets][:, None]
            ranks = 1 + (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2
            result[ratio][start : start + len(part)] = np.where(np.isfinite(own[:, 0]), ranks, 0)
    return result


def compare_beams(recommender: GenerativeRecommender, test: EvaluationSet, users: int) -> dict[str, Any]:
    """NDCG@10 by 50 beams over NDCG@10 of the exact ranking, for some users."""
    part = test.select(np.sort(np.random.default_rng(0).permutation(len(test))[:users]))
    found = {}
    for name, options in (("exact", {"exact": True}), ("beams", {"exact": False, "beams": 50})):
        ranks = recommender.recommend(part.histories, 10, options=options).ranks_of(part.targets)
        found[name] = float(ndcg_at(ranks, 10).mean())
    return {"beams": 50, "users": len(part), "ndcg@10": found["beams"], "ndcg@10_exact": found["exact"]}


def figures(ranks: np.ndarray) -> dict[str, float]:
    """Metrics with the ends of their intervals."""
    ranks = np.where(ranks > 10, 0, ranks)
    result: dict[str, float] = {}
    for name, interval in bootstrap_metrics(ranks, list(METRICS)).items():
        result |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return result


def gain(ranks: np.ndarray, base: np.ndarray) -> dict[str, float]:
    """NDCG@10 against everything without network, paired."""
    difference = paired_difference(ndcg_at(np.where(ranks > 10, 0, ranks), 10), base)
    return {
        "ndcg@10_gain": difference.mean,
        "ndcg@10_gain_low": difference.low,
        "ndcg@10_gain_high": difference.high,
        "p": difference.p_value,
    }


def command() -> str:
    return shlex.join(["python", "scripts/main_tables.py", "MODEL_FOLDER", "INTERACTIONS", *sys.argv[3:]])


def write(out: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Add rows to the results of a data set; those of the same recommender and seed are replaced."""
    path = out / f"main-{name}.json"
    keys = {(row["recommender"], row["seed"]) for row in rows}
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    rows = [row for row in old if (row["recommender"], row.get("seed")) not in keys] + rows
    write_atomic(path, json.dumps(rows, indent=1) + "\n")
    lines = [f"# What learning is worth: {name}, test, whole catalogue, seen items excluded", ""]
    lines += [
        "| recommender | seed | R@5 / N@5 | R@10 / N@10 | N@10 against without network | p |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if "recall@10" not in row:
            continue
        lines.append(
            f"| {row['recommender']} | {row['seed']} | {row['recall@5']:.4f} / {row['ndcg@5']:.4f} | "
            f"{row['recall@10']:.4f} / {row['ndcg@10']:.4f} ({row['ndcg@10_low']:.4f}–{row['ndcg@10_high']:.4f}) | "
            f"{row['ndcg@10_gain']:+.4f} ({row['ndcg@10_gain_low']:+.4f} to {row['ndcg@10_gain_high']:+.4f}) | "
            f"{row['p']:.4f} |"
        )
    for row in rows:
        if "ndcg@10_exact" in row:
            lines += [
                "",
                f"50 beams, seed {row['seed']}, {row['users']:,} users: NDCG@10 {row['ndcg@10']:.4f}, exact ranking "
                f"{row['ndcg@10_exact']:.4f}.",
            ]
    write_atomic(out / f"main-{name}.md", "\n".join([*lines, "", f"`{rows[-1]['command']}`"]) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
