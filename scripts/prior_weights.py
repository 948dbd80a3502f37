"""What transition counts bring as item prior, by weight: NDCG@10 and Recall@10 on validation users.

    python scripts/prior_weights.py MODEL_FOLDER interactions.csv --users 3000

Counts come from the training part, their settings are chosen on the same validation users, the test part is not read.
Writes scripts/results/prior-weights.json and .md.
"""

import argparse
import json
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from genrec.artifacts import write_atomic
from genrec.baselines.fit import train_baseline
from genrec.data import Interactions
from genrec.data.split import split_for
from genrec.decoding.options import PriorSettings
from genrec.generative.learned_prior import LearnedPrior
from genrec.generative.recommender import GenerativeRecommender
from genrec.metrics import ndcg_at, recall_at

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("interactions", type=Path)
    parser.add_argument("--users", type=int, default=3000)
    parser.add_argument("--weights", type=float, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--beams", type=int, default=50)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    recommender = GenerativeRecommender.from_pretrained(given.model)
    split = split_for(Interactions.read(given.interactions), recommender.index, recommender.config)
    users = np.sort(np.random.default_rng(0).permutation(len(split.validation))[: given.users])
    cases = split.validation.select(users)
    counts = train_baseline("transition-counts", replace(split, validation=cases), recommender.item_ids)
    settings = counts.settings.model_dump()
    print("transition counts:", settings, flush=True)
    recommender.prior = LearnedPrior(counts)
    options = [one for one in sys.argv[1:] if one not in (str(given.model), str(given.interactions))]
    command = shlex.join(["python", "scripts/prior_weights.py", "MODEL_FOLDER", "INTERACTIONS", *options])
    common = {"benchmark": "prior-weights", "dataset": given.interactions.resolve().parent.name, "split": "validation"}
    common |= {"users": len(cases), "items": len(recommender.item_ids), "beams": given.beams, "command": command}
    common |= {"device": "cpu, 1 thread"}
    lists = counts.recommend(cases.histories, 10).ranks_of(cases.targets)
    rows = [{**common, "recommender": "transition-counts", "weight": None, **figures(lists)}]
    for weight in given.weights:
        prior = PriorSettings(settings=settings, weight=weight)
        began = time.process_time()
        found = recommender.recommend(cases.histories, 10, options={"beams": given.beams, "prior": prior})
        row = {**common, "recommender": "generative", "weight": weight, **figures(found.ranks_of(cases.targets))}
        rows.append({**row, "seconds": round(time.process_time() - began, 1), "prior": settings})
        print(rows[-1], flush=True)
        write(given.out, rows, command)


def figures(ranks: np.ndarray) -> dict[str, float]:
    return {"ndcg@10": float(ndcg_at(ranks, 10).mean()), "recall@10": float(recall_at(ranks, 10).mean())}


def write(out: Path, rows: list[dict], command: str) -> None:
    write_atomic(out / "prior-weights.json", json.dumps(rows, indent=1) + "\n")
    lines = [f"# Transition counts as item prior, {rows[0]['dataset']}, {rows[0]['users']:,} validation users", ""]
    lines += ["| recommender | weight | NDCG@10 | Recall@10 | CPU seconds |", "|---|---|---|---|---|"]
    for row in rows:
        weight, seconds = (row.get(key) for key in ("weight", "seconds"))
        lines.append(
            f"| {row['recommender']} | {'' if weight is None else weight} | {row['ndcg@10']:.4f} | "
            f"{row['recall@10']:.4f} | {'' if seconds is None else seconds} |"
        )
    write_atomic(out / "prior-weights.md", "\n".join([*lines, "", f"`{command}`"]) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
