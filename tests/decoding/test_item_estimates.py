"""Networks that know the scores of the likeliest items only: lists are those of all scores, whatever is asked for."""

import numpy as np
import pytest
import torch
from decoding_oracle import SIZES, catalogue

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.options import DecodingOptions
from genrec.decoding.path_scores import path_scores
from genrec.decoding.prior_bounds import PriorBounds
from genrec.decoding.search import search
from genrec.models.predictor import ItemScores
from genrec.trie import Trie

N, USERS, KNOWN = 60, 3, 20


@pytest.fixture
def trie():
    return DeviceTrie(Trie.from_codes(catalogue(N), SIZES))


def states(asked):
    """Exact scores, and the same where all but the best 20 of a user are estimates in another order."""
    right = torch.randn(USERS, N, generator=torch.Generator().manual_seed(0)).mul(3).log_softmax(1)
    least = right.sort(1, descending=True).values[:, KNOWN - 1]
    estimates = least[:, None] - 1 - right.flip(1).abs() / 100
    some = torch.where(right >= least[:, None], right, estimates)

    def exact_for(rows):
        asked.append(rows.tolist())
        return right[rows]

    return ItemScores(right), ItemScores(some, known_from=least, exact_for=exact_for)


def run(state, trie, k, normalize, **filters):
    return search(None, state, trie, USERS, k, DecodingOptions(normalize=normalize), **filters)


@pytest.mark.parametrize("k", [5, KNOWN, 40])
def test_lists_are_those_of_exact_scores(trie, k):
    asked = []
    right, some = states(asked)
    items, _ = run(right, trie, k, "vocabulary")
    found, _ = run(some, trie, k, "vocabulary")
    assert found.tolist() == items.tolist()
    assert asked == ([] if k <= KNOWN else [[0, 1, 2]])


@pytest.mark.parametrize("normalize", ["vocabulary", "children"])
def test_filters_that_leave_few_ask_for_more_of_these_users_alone(trie, normalize):
    asked = []
    right, some = states(asked)
    order = right.scores.argsort(1, descending=True)
    allowed = torch.cat([order[:, :5], torch.full((USERS, 25), -1)], dim=1)
    allowed[1, 5:] = order[1, KNOWN + 5 : KNOWN + 30]
    items, _ = run(right, trie, 10, normalize, allowed=allowed)
    found, _ = run(some, trie, 10, normalize, allowed=allowed)
    assert found.tolist() == items.tolist()
    assert asked == [[1]]


def test_what_is_added_meets_exact_scores(trie):
    asked = []
    right, some = states(asked)
    added = np.random.default_rng(1).normal(size=N).astype(np.float32) * 4
    wanted, scores = run(right, trie, 10, "vocabulary", prior=PriorBounds(trie, torch.from_numpy(added), 1.0))
    found, same = run(some, trie, 10, "vocabulary", prior=PriorBounds(trie, torch.from_numpy(added), 1.0))
    assert found.tolist() == wanted.tolist()
    torch.testing.assert_close(same, scores)
    assert asked == [[0, 1, 2]]


@pytest.mark.parametrize("normalize", ["vocabulary", "children"])
def test_parts_of_a_score_sum_to_it(trie, normalize):
    _, some = states([])
    forbidden = torch.tensor([[1, 2], [3, -1], [-1, -1]])
    items, scores = run(some, trie, 30, normalize, forbidden=forbidden)
    _, some = states([])
    parts = path_scores(None, some, trie, items, normalize=normalize, forbidden=forbidden)
    torch.testing.assert_close(parts.sum(2), scores, atol=1e-4, rtol=1e-4)
