from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.baselines import fit_baselines
from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet, leave_one_out
from genrec.evaluation.case_labels import by_transition, transition_labels, transitions
from genrec.evaluation.slices import default_slices
from genrec.evaluation.suite import evaluate_all
from genrec.evaluation.terminal import label_table


def brute_force(train, source, target):
    """The label by its definition, with sets and a search in breadth."""
    after = {}
    for items in train:
        for one, other in pairwise(items):
            after.setdefault(one, set()).add(other)
    before = {}
    for one, others in after.items():
        for other in others:
            before.setdefault(other, set()).add(one)
    if target in after.get(source, ()):
        return "memorisation"
    if source in after.get(target, ()):
        return "symmetry"
    if any(near.get(source, set()) & near.get(target, set()) for near in (after, before)):
        return "substitution"
    reached = after.get(source, set())
    for hops in (2, 3, 4):
        reached = {end for item in reached for end in after.get(item, ())}
        if target in reached:
            return f"transitivity-{hops}"
    return "new"


sequences = st.lists(st.lists(st.integers(0, 11), max_size=5), min_size=1, max_size=9)


@settings(max_examples=200)
@given(sequences, st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=1, max_size=12))
def test_labels_are_those_of_the_definition(train, pairs):
    graph = transitions(Histories.from_lists(train), 12)
    got = transition_labels(graph, *np.array(pairs, dtype=np.int64).T)
    assert got.tolist() == [brute_force(train, *pair) for pair in pairs]


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    return leave_one_out(
        Histories.from_lists([(rng.integers(40) + rng.integers(0, 4, 7).cumsum()) % 60 for _ in range(90)])
    )


def test_every_case_has_one_label(split):
    masks = by_transition(split.train, 60)(split.test)
    one_each = ("memorisation", "symmetry", "substitution", "transitivity", "new")
    assert (sum(masks[name].astype(int) for name in one_each) == 1).all()
    assert (sum(masks[f"transitivity-{hops}"] for hops in (2, 3, 4)) == masks["transitivity"]).all()
    assert sum(masks[name].any() for name in one_each) >= 4


def test_labels_are_in_every_report_and_read_the_training_part_only(split):
    masks = {name: mask for slicer in default_slices(split, np.arange(60)) for name, mask in slicer(split.test).items()}
    assert {"memorisation", "symmetry", "substitution", "transitivity", "transitivity-4", "new"} < set(masks)
    blind = by_transition(split.train, 60)
    other = split.test.select(np.arange(10))
    np.testing.assert_array_equal(blind(other)["memorisation"], masks["memorisation"][:10])


def test_only_the_last_item_counts_and_an_empty_history_is_new():
    train = Histories.from_lists([[0, 1]])
    cases = EvaluationSet(Histories.from_lists([[0, 3], [3, 0], []]), np.array([1, 1, 1]))
    masks = by_transition(train, 4)(cases)
    assert masks["memorisation"].tolist() == [False, True, False]
    assert masks["new"].tolist() == [True, False, True]


def test_the_table_for_a_terminal_sets_recommenders_side_by_side(split):
    results = evaluate_all(fit_baselines(split, np.arange(60).astype(str)), split, baselines=())
    lines = label_table(results).splitlines()
    assert lines[0].split() == ["the", "case", "asks", "for", "share", *(result.recommender for result in results)]
    memorised = next(line.split() for line in lines if line.startswith("memorisation"))
    assert memorised[-1] == f"{results[-1].values('ndcg@10', 'memorisation').mean():.4f}"
