"""What a case asks of a recommender: to remember a transition that training shows, or to put one together from others.

After Ding et al., How Well Does Generative Recommendation Generalize? (https://arxiv.org/abs/2603.19809). Here a case
has exactly one label, by the shortest way in the graph of direct training transitions from the last item of the history
to the target, so that the shares of the labels add up to one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.evaluation.case_kernels import linked, meetings

MEMORISATION, SYMMETRY, SUBSTITUTION, NEW = "memorisation", "symmetry", "substitution", "new"
TRANSITIVITY = "transitivity"
LABELS = (MEMORISATION, SYMMETRY, SUBSTITUTION, TRANSITIVITY, NEW)
"""Every case has one of them."""
HOPS = (2, 3, 4)
"""Lengths of the directed ways that count as transitivity."""


def by_transition(train: Histories, n_items: int) -> Callable[[EvaluationSet], dict[str, np.ndarray]]:
    """A slicer by what the training part shows of the step from the last item to the target.

    The first that holds: ``memorisation`` (the target directly followed the last item in somebody's training history),
    ``symmetry`` (the other way round), ``substitution`` (both directly followed, or were directly followed by, one and
    the same item), ``transitivity`` (a chain of direct steps leads from one to the other; also by its length as
    ``transitivity-2`` to ``transitivity-4``), ``new`` (none of these).

    Args:
        train: Training part; nothing else is looked at.
        n_items: Size of the catalogue.
    """
    graph = transitions(train, n_items)

    def slicer(cases: EvaluationSet) -> dict[str, np.ndarray]:
        histories = cases.histories
        filled = histories.lengths > 0
        last = np.zeros(len(cases), dtype=np.int64)
        last[filled] = histories.items[histories.offsets[1:][filled] - 1]
        labels = np.full(len(cases), NEW, dtype=object)
        labels[filled] = transition_labels(graph, last[filled], cases.targets[filled])
        chains = {f"{TRANSITIVITY}-{hops}": labels == f"{TRANSITIVITY}-{hops}" for hops in HOPS}
        return {
            **{name: labels == name for name in (MEMORISATION, SYMMETRY, SUBSTITUTION)},
            TRANSITIVITY: np.logical_or.reduce(list(chains.values())),
            **chains,
            NEW: labels == NEW,
        }

    return slicer


def transitions(train: Histories, n_items: int) -> sp.csr_array:
    """Direct transitions, ``(n_items, n_items)`` sparse with a 1 where one item followed the other."""
    owners = np.repeat(np.arange(len(train)), train.lengths)
    together = owners[1:] == owners[:-1]
    pairs = train.items[:-1][together], train.items[1:][together]
    graph = sp.csr_array((np.ones(len(pairs[0]), dtype=np.float32), pairs), shape=(n_items, n_items))
    graph.sum_duplicates()
    graph.data[:] = 1
    return graph


def transition_labels(graph: sp.csr_array, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The label of every step, ``(n,)`` object array of str; see :func:`by_transition`.

    Args:
        graph: Of :func:`transitions`.
        sources: ``(n,)`` last items.
        targets: ``(n,)`` targets.

    >>> graph = transitions(Histories.from_lists([[0, 1, 2], [3, 2]]), 5)
    >>> transition_labels(graph, np.array([0, 1, 1, 0, 4]), np.array([1, 0, 3, 2, 0])).tolist()
    ['memorisation', 'symmetry', 'substitution', 'transitivity-2', 'new']
    """
    n = graph.shape[0]
    pairs, which = np.unique(sources.astype(np.int64) * n + targets, return_inverse=True)
    labels = np.full(len(pairs), NEW, dtype=object)
    forward, backward = graph, sp.csr_array(graph.T)
    open_pairs = np.arange(len(pairs))
    for name, holds in _questions(forward, backward):
        first, second = np.divmod(pairs[open_pairs], n)
        found = holds(first, second)
        labels[open_pairs[found]] = name
        open_pairs = open_pairs[~found]
    return labels[which.reshape(-1)]


Question = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _questions(forward: sp.csr_array, backward: sp.csr_array) -> list[tuple[str, Question]]:
    """Labels and whether they hold for pairs, strongest first, from the graphs of successors and predecessors."""
    return [
        (MEMORISATION, lambda first, second: _linked(forward, first, second)),
        (SYMMETRY, lambda first, second: _linked(forward, second, first)),
        (
            SUBSTITUTION,
            lambda first, second: _meet(forward, first, forward, second) | _meet(backward, first, backward, second),
        ),
        (f"{TRANSITIVITY}-2", lambda first, second: _meet(forward, first, backward, second)),
        # from the target, whose few predecessors are noted; the walk from the source ends where it meets one
        (f"{TRANSITIVITY}-3", lambda first, second: _meet(backward, second, forward, first, right=True)),
        (f"{TRANSITIVITY}-4", lambda first, second: _meet(forward, first, backward, second, left=True, right=True)),
    ]


def _linked(graph: sp.csr_array, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether there is an edge, pair by pair, ``(n,)`` bool."""
    found: np.ndarray = linked(graph.indptr.astype(np.int64), graph.indices, first, second)
    return found


def _meet(
    near: sp.csr_array,
    first: np.ndarray,
    far: sp.csr_array,
    second: np.ndarray,
    *,
    left: bool = False,
    right: bool = False,
) -> np.ndarray:
    """Whether rows ``first`` of one graph and ``second`` of another have a column in common, ``(n,)`` bool.

    Args:
        near: Graph on the side of the source.
        first: ``(n,)`` rows; equal ones side by side are read once.
        far: Graph on the side of the target.
        second: ``(n,)`` rows.
        left: Go one step further from the source.
        right: And one further from the target.
    """
    starts, ends = near.indptr.astype(np.int64), far.indptr.astype(np.int64)
    found: np.ndarray = meetings(starts, near.indices, ends, far.indices, first, second, left, right)
    return found
