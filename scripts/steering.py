"""Do words in the prompt change the list? Brands, categories and prices from histories, before and after training.

    genrec train INDEX interactions.csv --config llm-decoder-lora --set model.checkpoint=models/smollm2 \
        --set tasks='[{prompt: next-item-preference}]' --set examples.mode=prefixes --out runs/steered
    python scripts/steering.py runs/steered interactions.csv --users 500 --write

"Before" is the same network as training finds it: the checkpoint with code rows as they start. Users are of the
validation part. Writes scripts/results/steering.{json,md}.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

import genrec
from genrec.artifacts import write_atomic
from genrec.data.interactions import Interactions
from genrec.data.split import split_for
from genrec.evaluation.steering import Wishes, stating, steering
from genrec.generative.recommender import GenerativeRecommender
from genrec.models import find_network
from genrec.training.trainer import set_seed

RESULTS = Path(__file__).resolve().parent / "results"


def untrained(recommender: Any) -> Any:
    """The same recommender before its first step."""
    index, config = recommender.index, recommender.config
    set_seed(config.seed)
    model = find_network(config.model.architecture).create(index, config)
    model.prepare(index.trie, trie_masked_loss=config.model.trie_masked_loss)
    return GenerativeRecommender(model, index, config)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recommender")
    parser.add_argument("interactions")
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--beams", type=int, default=20)
    parser.add_argument("--name", default="SmolLM2-135M, LoRA and code rows")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    trained = genrec.load(options.recommender)
    split = split_for(Interactions.read(options.interactions), trained.index, trained.config)
    histories = split.validation.histories
    chosen = np.random.default_rng(0).permutation(len(histories))[: options.users]
    histories = histories.select(np.sort(chosen))
    wishes = Wishes(trained.index.catalog)
    rows = []
    for when, recommender in (("before training", untrained(trained)), ("after training", trained)):
        for one in steering(stating(recommender, beams=options.beams), wishes, histories):
            rows.append({"when": when, "name": options.name, **dataclasses.asdict(one)})
            print(json.dumps(rows[-1]), flush=True)
    if options.write:
        write_atomic(RESULTS / "steering.json", json.dumps(rows, indent=1) + "\n")
        write_atomic(RESULTS / "steering.md", page(rows, options, trained.metrics))


def page(rows: list[dict[str, Any]], options: argparse.Namespace, metrics: dict[str, Any]) -> str:
    """The table as Markdown."""
    lines = [
        "# Steering by words",
        "",
        f"`python scripts/steering.py RECOMMENDER interactions.csv --users {options.users} --write`",
        "",
        "| | wish | users | list without | with the wish | moved | beyond another's wish |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        moved, own = row["moved"], row["own"]
        cells = [row["when"], row["kind"], f"{row['users']:,}", f"{row['without']:.4f}", f"{row['wished']:.4f}"]
        cells += [f"{one['mean']:+.4f} (p {one['p_value']:.4f})" if one else "" for one in (moved, own)]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        f"{options.name}; {metrics.get('steps', 0):,} steps on {metrics.get('train_rows', 0):,} examples an epoch. "
        f"Lists of ten, {options.beams} beams, the network alone. Figures are the share of a list that has the brand "
        "or category that is wished for (of prices the mean logarithm in the direction of the wish). A wish is the "
        "second most frequent value of the user's own history. The last column compares with the list that the same "
        "user gets with another user's wish.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
