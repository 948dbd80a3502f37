"""What a language model ranks alone, beside words and counts, and what these rank without it: samples of users.

    python scripts/llm_additions.py MODEL INTERACTIONS [--beams 20] [--validation 1000] [--test 5000]

For a trained recommender whose test part is too slow to rank as a whole. Weights of words and counts are chosen on the
validation users, with and without the network; then the test users are ranked once. Users are fixed samples. Prints a
table, and the paired difference between the sum with the network and that without.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from preset_rows import figures

import genrec
from genrec.data import Interactions
from genrec.data.split import EvaluationSet, split_for
from genrec.decoding.options import PriorSettings
from genrec.evaluation.evaluator import evaluate
from genrec.evaluation.uncertainty import paired_difference
from genrec.generative.without_network import without_network
from genrec.metrics import ndcg_at
from genrec.training.additions import fit_additions


def main() -> None:
    """Fit, rank, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("interactions", type=Path)
    parser.add_argument("--beams", type=int, default=20)
    parser.add_argument("--validation", type=int, default=1_000)
    parser.add_argument("--test", type=int, default=5_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    made: Any = genrec.load(given.model)
    if hasattr(made, "merge"):
        made.merge()
    parts = split_for(Interactions.read(given.interactions), made.index, made.config)
    validation, test = sample(parts.validation, given.validation), sample(parts.test, given.test)
    made.options = made.options.model_copy(update={"beams": given.beams, "prior": None, "words": 0.0})
    alone = ranked("the network alone", made, validation, test)
    checked = made.config.validation.model_copy(update={"users": given.validation, "beams": given.beams})
    made.config = made.config.model_copy(update={"validation": checked})
    wanted = made.options.model_copy(update={"words": None, "prior": PriorSettings(name="transition-counts")})
    fit_additions(made, parts, wanted, progress=lambda *told: print(*told, flush=True))
    print({name: made.metrics.get(name) for name in ("words", "prior", "floor")}, flush=True)
    together = ranked("with words and counts", made, validation, test)
    bare = ranked("words and counts without a network", without_network(made), validation, test)
    for name, other in (("words and counts", bare), ("the network alone", alone)):
        print("the sum over", name, paired_difference(ndcg_at(together, 10), ndcg_at(other, 10)))


def sample(cases: EvaluationSet, users: int) -> EvaluationSet:
    """A fixed sample."""
    return cases.select(np.sort(np.random.default_rng(0).permutation(len(cases))[:users]))


def ranked(name: str, made: Any, validation: EvaluationSet, test: EvaluationSet) -> np.ndarray:
    """Ranks on the test sample, after a line of the table."""
    before = figures(evaluate(made, validation, ks=(10,)).ranks)
    began = time.process_time()
    ranks = evaluate(made, test, ks=(10,)).ranks
    speed = len(test) / (time.process_time() - began)
    after = figures(ranks)
    cells = [name, f"{before['recall@10']:.4f} / {before['ndcg@10']:.4f}"]
    for metric in ("recall@10", "ndcg@10"):
        low, high = after[f"{metric}_low"], after[f"{metric}_high"]
        cells.append(f"{after[metric]:.4f} ({low:.4f}–{high:.4f})")
    print("|", " | ".join([*cells, f"{speed:.0f}"]), "|", flush=True)
    return ranks


if __name__ == "__main__":
    main()
