"""Recommenders without a language model: what every other result must be compared with."""

from __future__ import annotations

from genrec.baselines.base import Baseline, FitInputs, save_baseline
from genrec.baselines.bert4rec import Bert4Rec
from genrec.baselines.bsarec import BSARec
from genrec.baselines.fit import fit_baselines, train_baseline
from genrec.baselines.graph_heuristic import GraphHeuristic
from genrec.baselines.item_knn import ItemKNN
from genrec.baselines.linear_probe import LinearProbe
from genrec.baselines.popularity import Popularity
from genrec.baselines.recent_popularity import RecentPopularity
from genrec.baselines.registry import BASELINES, QUICK_BASELINES
from genrec.baselines.repeat_last import RepeatLast
from genrec.baselines.sasrec import SASRec
from genrec.baselines.scoring import LearnedBaseline, ScoringBaseline
from genrec.baselines.storage import load_baseline
from genrec.baselines.text_neighbours import TextNeighbours
from genrec.baselines.transitions import TransitionCounts
from genrec.baselines.tuning import product
from genrec.baselines.word_neighbours import WordNeighbours
from genrec.baselines.words_and_counts import WordsAndCounts

__all__ = [
    "BASELINES",
    "QUICK_BASELINES",
    "BSARec",
    "Baseline",
    "Bert4Rec",
    "FitInputs",
    "GraphHeuristic",
    "ItemKNN",
    "LearnedBaseline",
    "LinearProbe",
    "Popularity",
    "RecentPopularity",
    "RepeatLast",
    "SASRec",
    "ScoringBaseline",
    "TextNeighbours",
    "TransitionCounts",
    "WordNeighbours",
    "WordsAndCounts",
    "fit_baselines",
    "load_baseline",
    "product",
    "save_baseline",
    "train_baseline",
]
