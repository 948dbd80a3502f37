"""Where a network adds and where it forgets: NDCG@10 by case label, on validation and on test, for one recommender.

    python scripts/main_cases.py MODEL_FOLDER interactions.csv [--users 5000]

A MODEL_FOLDER is what `genrec train INDEX interactions.csv --config vector-decoder` wrote. Labels say what the training
part shows of the step from the last item to the target (genrec.evaluation.case_labels). On validation, counts and
labels are as of one item before, as they are on test. Writes scripts/results/cases-DATASET.json and .md.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genrec.artifacts import write_atomic
from genrec.data import Interactions
from genrec.data.split import EvaluationSet, split_for
from genrec.evaluation.case_labels import LABELS, by_transition
from genrec.generative.learned_prior import LearnedPrior
from genrec.generative.recommender import GenerativeRecommender
from genrec.generative.without_network import without_network
from genrec.metrics import ndcg_at
from genrec.training.prior_grid import as_of_before, fitted
from genrec.training.validation import ALONE

RESULTS = Path(__file__).resolve().parent / "results"
HOW = "`python scripts/main_cases.py MODEL_FOLDER INTERACTIONS --users {users}`, the same users in every row."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("interactions", type=Path)
    parser.add_argument("--users", type=int, default=5000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    recommender = GenerativeRecommender.from_pretrained(given.model)
    split = split_for(Interactions.read(given.interactions), recommender.index, recommender.config)
    rows = []
    for name, cases, train in (
        ("validation", split.validation, as_of_before(split.train)),
        ("test", split.test, split.train),
    ):
        part = cases.select(np.sort(np.random.default_rng(0).permutation(len(cases))[: given.users]))
        labels = by_transition(train, len(recommender.item_ids))(part)
        for who, values in lists(counting_on(recommender, train), part).items():
            found = {label: float(values[labels[label]].mean()) for label in LABELS if labels[label].any()}
            rows.append({"part": name, "recommender": who, "users": len(part), "all": float(values.mean()), **found})
        rows.append({"part": name, "recommender": "share of cases", "users": len(part), "all": 1.0})
        rows[-1] |= {label: float(labels[label].mean()) for label in LABELS}
    write(given.out, given.interactions.resolve().parent.name, rows)


def counting_on(recommender: GenerativeRecommender, train: Any) -> GenerativeRecommender:
    """The recommender with its counts, and those of the row without a network, made from ``train``."""
    for holder in (recommender, recommender.floor):
        known = None if holder is None else holder.prior
        if holder is not None and known is not None:
            settings = known.baseline.settings.model_dump(mode="json")
            [counts] = fitted(known.baseline.name, [settings], train, recommender.item_ids)
            object.__setattr__(holder, "prior", LearnedPrior(counts))
    return recommender


def lists(recommender: GenerativeRecommender, cases: EvaluationSet) -> dict[str, np.ndarray]:
    """NDCG@10 of every case, by recommender."""
    asked: dict[str, tuple[Any, dict[str, Any]]] = {
        "network-alone": (recommender, {"options": ALONE}),
        "everything": (recommender, {}),
        "words-and-counts": (without_network(recommender), {}),
    }
    return {
        name: ndcg_at(one.recommend(cases.histories, 10, **more).ranks_of(cases.targets), 10)
        for name, (one, more) in asked.items()
        if one is not None
    }


def write(out: Path, name: str, rows: list[dict[str, Any]]) -> None:
    write_atomic(out / f"cases-{name}.json", json.dumps(rows, indent=1) + "\n")
    lines = [f"# NDCG@10 by what training shows of the step to the target: {name}", ""]
    lines += [f"| part | recommender | all | {' | '.join(LABELS)} |", "|---" * (3 + len(LABELS)) + "|"]
    for row in rows:
        figures = (f"{row[key]:.4f}" if key in row else "–" for key in ("all", *LABELS))
        lines.append(f"| {row['part']} | {row['recommender']} | {' | '.join(figures)} |")
    write_atomic(out / f"cases-{name}.md", "\n".join([*lines, "", HOW.format(users=rows[0]["users"])]) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
