"""What a tokenizer is worth: the same training budget with each recipe, then recall and NDCG of real items.

    python scripts/tokenizers_downstream.py DATA_FOLDER --tokenizers random-3x256 rq-kmeans-3x256

DATA_FOLDER holds items.jsonl and interactions.csv. Every recipe gets the same network, epochs and seed; test and
validation are measured on one fixed sample of users. Writes scripts/results/tokenizers-downstream.{json,md} after every
recipe; what is already in the table is not run again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from tokenizer_common import RESULTS, Row, about, load, read_rows, recipes, table, write_rows

from genrec.data.split import EvaluationSet, Split
from genrec.evaluation import evaluate, rows
from genrec.generative.config import load_train_config
from genrec.index.report.compare import SharedEncoders, index_row
from genrec.index.semantic_index import SemanticIndex
from genrec.training.train import train

NAME = "tokenizers-downstream"
COMMAND = "bash scripts/tokenizers_downstream.sh DATA_FOLDER"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizers", nargs="+", required=True)
    parser.add_argument("--encoder", default="minilm", help="takes the place of lsa in every recipe (default: minilm)")
    parser.add_argument("--preset", default="item-decoder-small")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of the training")
    parser.add_argument("--users", type=int, default=5000, help="cases of validation and of test (default: 5000)")
    parser.add_argument("--beams", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs") / NAME)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    catalog, split = load(options.folder)
    encoders = SharedEncoders(catalog, split.train)
    for recipe in recipes(options.tokenizers, options.encoder):
        content = read_rows(options.out, NAME)
        dataset = options.folder.resolve().name
        if any((r["tokenizer"], r["dataset"], r["seed"]) == (recipe.name, dataset, options.seed) for r in content):
            print(f"{recipe.name}: already there", flush=True)
            continue
        index = SemanticIndex.build(catalog, recipe, train=split.train, encoded=encoders.of(recipe)[0])
        made = measure(index, split, dataset, options)
        content = sorted([*read_rows(options.out, NAME), *made], key=lambda r: (r["split"], -r["ndcg@10"]))
        write_rows(options.out, NAME, content, page(content))


def measure(index: SemanticIndex, split: Split, dataset: str, options: argparse.Namespace) -> list[Row]:
    """Train and evaluate one recipe."""
    config = load_train_config(options.preset, [*options.set, f"seed={options.seed}"])
    began, busy = time.monotonic(), time.process_time()
    folder = options.runs / f"{dataset}-{index.recipe.name}-{options.seed}"
    recommender = train(index, split, config, folder)
    cost = {
        "train_seconds": round(time.monotonic() - began, 1),
        "train_cpu_seconds": round(time.process_time() - busy, 1),
        "epochs": config.trainer["num_train_epochs"],
        "parameters": sum(p.numel() for p in recommender.model.parameters()),
    }
    recommender.beams = options.beams
    figures = index_row(index.stats(split))
    keys = ("tokenizer", "quantizer", "levels", "codes", "collision_rate", "min_utilisation", "copurchase_lift")
    more = {key: figures[key] for key in keys} | cost | {"encoder": options.encoder, "beams": options.beams}
    made = []
    for part, cases in (("validation", split.validation), ("test", split.test)):
        result = evaluate(recommender, sample(cases, options.users))
        run = about(NAME, COMMAND)
        made += rows(
            result,
            benchmark=NAME,
            dataset=dataset,
            split=part,
            targets=("all",),
            seed=options.seed,
            command=COMMAND,
            device=run["device"],
            commit=run["commit"],
            more=more,
        )
        shown = "  ".join(f"{key} {made[-1][key]:.4f}" for key in ("recall@10", "ndcg@10"))
        print(f"{index.recipe.name}  {part}: {shown}  (training {cost['train_seconds']:.0f} s)", flush=True)
    return made


def sample(cases: EvaluationSet, users: int) -> EvaluationSet:
    """The same cases for every recipe."""
    if users >= len(cases):
        return cases
    return cases.select(np.sort(np.random.default_rng(0).choice(len(cases), users, replace=False)))


def page(content: list[Row]) -> str:
    first = content[0]
    columns = [
        ("tokenizer", "tokenizer", str),
        ("codes", "codes", str),
        ("collisions", "collision_rate", lambda v: f"{v:.2%}"),
        ("bought together", "copurchase_lift", lambda v: f"{v:.1f} ×"),
        ("R@10", "recall@10", lambda v: f"{v:.4f}"),
        ("low", "recall@10_low", lambda v: f"{v:.4f}"),
        ("high", "recall@10_high", lambda v: f"{v:.4f}"),
        ("N@10", "ndcg@10", lambda v: f"{v:.4f}"),
        ("low", "ndcg@10_low", lambda v: f"{v:.4f}"),
        ("high", "ndcg@10_high", lambda v: f"{v:.4f}"),
        ("training CPU s", "train_cpu_seconds", lambda v: f"{v:.0f}"),
    ]
    lines = [f"# What a tokenizer is worth on {first['dataset']}", "", f"`{COMMAND}`", ""]
    lines += [
        f"The same network, {first['epochs']} epochs, seed and {first['users']:,} users (a fixed sample) for every "
        f"recipe; encoder {first['encoder']} in the place of lsa; full ranking of {first['items']:,} items, item "
        f"level, seen items excluded, {first['beams']} beams; low and high: 95 % bootstrap interval over users. "
        "Collisions are those before disambiguation. The budget is small on purpose: the order of the recipes is what "
        "the table is for.",
        "",
    ]
    for part in ("validation", "test"):
        lines += [f"## {part.capitalize()}", "", table([r for r in content if r["split"] == part], columns), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
