"""All baselines by name; a new one is one file and one line here."""

from __future__ import annotations

from genrec.baselines.base import Baseline
from genrec.baselines.bert4rec import Bert4Rec
from genrec.baselines.bsarec import BSARec
from genrec.baselines.graph_heuristic import GraphHeuristic
from genrec.baselines.item_knn import ItemKNN
from genrec.baselines.linear_probe import LinearProbe
from genrec.baselines.popularity import Popularity
from genrec.baselines.recent_popularity import RecentPopularity
from genrec.baselines.repeat_last import RepeatLast
from genrec.baselines.sasrec import SASRec
from genrec.baselines.text_neighbours import TextNeighbours
from genrec.baselines.transitions import TransitionCounts
from genrec.baselines.word_neighbours import WordNeighbours
from genrec.baselines.words_and_counts import WordsAndCounts
from genrec.registry import Registry

CLASSES: Registry[type[Baseline]] = Registry(
    "genrec.baselines",
    classes=(
        Popularity,
        RecentPopularity,
        RepeatLast,
        TransitionCounts,
        ItemKNN,
        TextNeighbours,
        WordNeighbours,
        WordsAndCounts,
        GraphHeuristic,
        LinearProbe,
        SASRec,
        BSARec,
        Bert4Rec,
    ),
)
"""In the order of reports."""

BASELINES: tuple[str, ...] = tuple(CLASSES)
"""Names of all baselines, in the order of reports."""

QUICK_BASELINES: tuple[str, ...] = (Popularity.name, RepeatLast.name, TransitionCounts.name)
"""Those that take seconds and need nothing but interactions: they stand beside every evaluation."""
