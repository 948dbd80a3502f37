"""What learning is worth: the network alone, everything, and words and counts without it, on the test part.

    python scripts/main_tables.py MODEL_FOLDER [MODEL_FOLDER ...] interactions.csv [--beam-users 2000]

A MODEL_FOLDER is what `genrec train INDEX interactions.csv --config vector-decoder` wrote, or with --seeds one of its
seed-N. Everything was chosen on validation: also the weights of words and counts without a network, which training
keeps beside its own (the row words-and-counts, which every row is compared with). Writes
scripts/results/main-DATASET.json and .md; rows of the same recommender and seed are replaced. Several folders also give
the row of their networks' mean score, with words and counts as the first one weighs them.
"""

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
from genrec.encoders.word_matches import WordMatches
from genrec.evaluation.seeds import over_seeds
from genrec.evaluation.uncertainty import bootstrap_metrics, paired_difference
from genrec.generative.learned_prior import learned_scores
from genrec.generative.recommender import GenerativeRecommender
from genrec.generative.without_network import without_network
from genrec.metrics import ndcg_at, ranks_from_scores
from genrec.recommender import Recommender
from genrec.training.prior_grid import network_scores
from genrec.training.validation import ALONE

RESULTS = Path(__file__).resolve().parent / "results"
HOW = """`python scripts/main_tables.py MODEL_FOLDER INTERACTIONS`

Before it: `genrec index build items.jsonl --tokenizer rq-kmeans-3x256-minilm-words --interactions interactions.csv
--out INDEX` and `genrec train INDEX interactions.csv --config vector-decoder --out MODEL_FOLDER` (other seeds:
`--set seed=1`). `words-and-counts` has the weights that are best without a network on validation,
`everything-without-network` those of everything. Training seconds are wall time on a machine of two cores that several
jobs shared."""
METRICS = ("recall@5", "ndcg@5", "recall@10", "ndcg@10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("interactions", type=Path)
    parser.add_argument("--beam-users", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    name, rows = given.interactions.resolve().parent.name, []
    several = [GenerativeRecommender.from_pretrained(model) for model in given.models]
    for recommender in several:
        rows += measure(recommender, given, name)
    if len(several) > 1:
        rows.append(mean_of_networks(several, given, name))
    write(given.out, name, rows)


def measure(recommender: GenerativeRecommender, given: argparse.Namespace, name: str) -> list[dict[str, Any]]:
    """Rows of one recommender."""
    split = split_for(Interactions.read(given.interactions), recommender.index, recommender.config)
    metrics = recommender.metrics
    common = {
        "benchmark": "main",
        "dataset": name,
        "split": "test",
        "targets": "all",
        "seed": recommender.config.seed,
        "users": len(split.test),
        "items": len(recommender.item_ids),
        "kept": (metrics.get("learned") or {}).get("kept"),
        "words": recommender.options.words,
        "counts": None if recommender.options.prior is None else recommender.options.prior.weight,
        "floor": metrics.get("floor"),
        "device": "cpu, 1 thread",
        "command": "python scripts/main_tables.py MODEL_FOLDER INTERACTIONS",
    }
    cost = {"parameters": metrics.get("trainable_parameters"), "training_seconds": metrics.get("seconds_this_session")}
    lists, speeds = all_lists(recommender, split.test)
    base = ndcg_at(lists["words-and-counts"], 10)
    rows = []
    for who, ranks in lists.items():
        network = cost if who in ("network-alone", "everything") else {}
        speed = {"users_per_second": round(speeds[who], 1)}
        rows.append({**common, "recommender": who, **figures(ranks), **gain(ranks, base), **network, **speed})
        if who == "everything" and "everything-without-network" in lists:
            same = gain(ranks, ndcg_at(lists["everything-without-network"], 10))
            rows[-1] |= {
                name.replace("ndcg@10_gain", "over_same"): value for name, value in same.items() if name != "p"
            }
            rows[-1]["over_same_p"] = same["p"]
        print(f"{who}: NDCG@10 {rows[-1]['ndcg@10']:.4f}", flush=True)
    beams = compare_beams(recommender, split.test, given.beam_users)
    return [*rows, {**common, "recommender": "everything-50-beams", **beams}]


def all_lists(
    recommender: GenerativeRecommender, test: EvaluationSet
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Ranks of the targets of the test part, by recommender, and how many users a second that was."""
    best = without_network(recommender)
    if recommender.floor is None or best is None:
        raise SystemExit("This recommender knows no words and counts at their own best: train it again.")
    kept, recommender.floor = recommender.floor, None
    same = without_network(recommender)  # with the weights that it has beside the network
    recommender.floor = kept
    asked: dict[str, tuple[Recommender | None, dict[str, Any]]] = {
        "network-alone": (recommender, {"options": ALONE}),
        "everything": (recommender, {}),
        "everything-without-network": (same, {}),
        "words-and-counts": (best, {}),
    }
    ranks, speeds = {}, {}
    for name, (one, more) in asked.items():
        if one is None:
            continue  # it adds nothing to the network
        began = time.process_time()
        ranks[name] = one.recommend(test.histories, 10, **more).ranks_of(test.targets)
        speeds[name] = len(test) / (time.process_time() - began)
    return ranks, speeds


def mean_of_networks(several: list[GenerativeRecommender], given: argparse.Namespace, name: str) -> dict[str, Any]:
    """The row of several networks whose scores are averaged, beside words and counts of the first."""
    first, floor = several[0], without_network(several[0])
    test = split_for(Interactions.read(given.interactions), first.index, first.config).test
    matches, ranks, began = WordMatches(first.index.word_vectors), [], time.process_time()
    for start in range(0, len(test), 500):
        part = test.select(np.arange(start, min(start + 500, len(test))))
        scores = np.mean([network_scores(one, part.histories) for one in several], axis=0)
        scores += np.float32(first.options.words or 0.0) * matches.scores(part.histories)
        counts = learned_scores(first.prior, first.options.prior, part.histories, len(first.item_ids))
        scores = scores if counts is None else scores + counts.toarray()
        scores[np.repeat(np.arange(len(part)), part.histories.lengths), part.histories.items] = -np.inf
        ranks.append(ranks_from_scores(scores, part.targets))
    speed, found = len(test) / (time.process_time() - began), np.concatenate(ranks)
    base = floor.recommend(test.histories, 10).ranks_of(test.targets) if floor is not None else np.zeros(len(test))
    return {
        "benchmark": "main",
        "dataset": name,
        "split": "test",
        "targets": "all",
        "recommender": f"mean-of-{len(several)}-networks",
        "seed": first.config.seed,
        "seeds": [one.config.seed for one in several],
        "users": len(test),
        **figures(found),
        **gain(found, ndcg_at(base, 10)),
        "users_per_second": round(speed, 1),
        "command": "python scripts/main_tables.py MODEL_FOLDER [MODEL_FOLDER ...] INTERACTIONS",
    }


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
    """NDCG@10 against that of others, ``(n,)``, paired."""
    difference = paired_difference(ndcg_at(np.where(ranks > 10, 0, ranks), 10), base)
    return {
        "ndcg@10_gain": difference.mean,
        "ndcg@10_gain_low": difference.low,
        "ndcg@10_gain_high": difference.high,
        "p": difference.p_value,
    }


def write(out: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Add rows to the results of a data set; those of the same recommender and seed are replaced."""
    path = out / f"main-{name}.json"
    keys = {(row["recommender"], row["seed"]) for row in rows}
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    rows = [row for row in old if (row["recommender"], row.get("seed")) not in keys] + rows
    write_atomic(path, json.dumps(rows, indent=1) + "\n")
    write_atomic(out / f"main-{name}.md", page(name, rows))


def page(name: str, rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown; several seeds also as their mean."""
    ranked = [row for row in rows if "recall@10" in row]
    lines = [f"# What learning is worth: {name}, test, whole catalogue, seen items excluded", ""]
    lines += [
        "| recommender | seed | R@5 / N@5 | R@10 / N@10 | N@10 against words-and-counts | p | parameters | training, "
        "wall seconds | users a CPU second |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in ranked:
        size, spent = row.get("parameters"), row.get("training_seconds")
        lines.append(
            f"| {row['recommender']} | {row['seed']} | {row['recall@5']:.4f} / {row['ndcg@5']:.4f} | "
            f"{row['recall@10']:.4f} / {row['ndcg@10']:.4f} ({row['ndcg@10_low']:.4f}–{row['ndcg@10_high']:.4f}) | "
            f"{row['ndcg@10_gain']:+.4f} ({row['ndcg@10_gain_low']:+.4f} to {row['ndcg@10_gain_high']:+.4f}) | "
            f"{row['p']:.4f} | {'–' if size is None else f'{size:,}'} | {'–' if spent is None else f'{spent:,.0f}'} | "
            f"{row['users_per_second']:,.0f} |"
        )
    several = [row for row in over_seeds(ranked, keys=("recommender",)) if row["runs"] > 1]
    lines += ["", "| mean over seeds | R@10 | N@10 |", "|---|---|---|"] if several else []
    for row in several:
        lines.append(
            f"| {row['recommender']}, {row['runs']} seeds | {row['recall@10']:.4f} ± {row['recall@10_std']:.4f} | "
            f"{row['ndcg@10']:.4f} ± {row['ndcg@10_std']:.4f} |"
        )
    for row in ranked:
        if "over_same" in row:
            lines += [
                "",
                f"Seed {row['seed']}: everything is above the same words and counts without its network by "
                f"{row['over_same']:+.4f} NDCG@10 ({row['over_same_low']:+.4f} to {row['over_same_high']:+.4f}, "
                f"p {row['over_same_p']:.4f}).",
            ]
    for row in rows:
        if "ndcg@10_exact" in row:
            lines += [
                "",
                f"Seed {row['seed']}: words weigh {row['words']:g}, counts {row['counts']:g}, both chosen on "
                f"validation; {row['kept']} weights kept. 50 beams, {row['users']:,} users: NDCG@10 "
                f"{row['ndcg@10']:.4f}, exact ranking {row['ndcg@10_exact']:.4f}.",
            ]
    return "\n".join([*lines, "", HOW]) + "\n"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
