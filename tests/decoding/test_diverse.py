"""Diverse beam search: equal to the plain one where nothing pushes, complete and distinct where something does."""

import numpy as np
import pytest
import torch
from decoding_oracle import SIZES, Table, catalogue
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.diverse import diverse_beam_search
from genrec.errors import ConfigError
from genrec.trie import Trie


def run(table, items, sizes, **options):
    trie = DeviceTrie(Trie.from_codes(items, sizes))
    return diverse_beam_search(table, table.prefill(), trie, len(table.logits[0]), **options)


@pytest.mark.parametrize(("groups", "penalty"), [(1, 0.0), (1, 2.0), (4, 0.0)])
def test_without_a_penalty_or_groups_it_is_the_plain_search(groups, penalty):
    items, table = catalogue(60), Table(5, SIZES, 0)
    plain, scores = beam_search(table, table.prefill(), DeviceTrie(Trie.from_codes(items, SIZES)), 5, beams=8)
    found, found_scores = run(table, items, SIZES, beams=8, groups=groups, penalty=penalty)
    assert found.tolist() == plain.tolist()
    torch.testing.assert_close(found_scores, scores)


@pytest.mark.parametrize("penalty", [0.3, 1.0, 50.0])
def test_groups_are_found_one_after_the_other_as_in_the_paper(penalty):
    """A slow reference: dictionaries of prefixes, one beam at a time, one user."""
    items, users, groups, width = catalogue(90), 4, 3, 2
    table = Table(users, SIZES, 1)
    found, scores = run(table, items, SIZES, beams=groups * width, groups=groups, penalty=penalty)
    log_probabilities = [logits.log_softmax(-1).numpy() for logits in table.logits]
    for user in range(users):
        expected = reference(items, user, log_probabilities, groups, width, penalty)
        assert set(found[user].tolist()) == set(expected)
        np.testing.assert_allclose(
            scores[user].numpy(), sorted((expected[item] for item in expected), reverse=True), atol=1e-4
        )


def reference(items, user, log_probabilities, groups, width, penalty):
    paths = {tuple(path): item for item, path in enumerate(items.tolist())}
    beams = [[((), 0.0, 0.0)] for _ in range(groups)]
    for level in range(len(SIZES)):
        used, leaves = np.zeros(SIZES[level]), set()
        for group in range(groups):
            candidates = []
            for prefix, score, lost in beams[group]:
                row = 0
                for code, size in zip(prefix, SIZES, strict=False):
                    row = row * size + code
                for code in range(SIZES[level]):
                    path = (*prefix, code)
                    if any(known[: level + 1] == path for known in paths) and path not in leaves:
                        gained = score + log_probabilities[level][user, row, code]
                        candidates.append((path, gained, lost + penalty * used[code]))
            beams[group] = sorted(candidates, key=lambda entry: entry[2] - entry[1])[:width]
            for path, _, _ in beams[group]:
                used[path[-1]] += 1
                if level == len(SIZES) - 1:
                    leaves.add(path)
    return {paths[path]: score for group in beams for path, score, _ in group}


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    groups=st.integers(1, 4),
    width=st.integers(1, 4),
    data=st.data(),
)
def test_never_fewer_items_than_the_plain_search_and_never_one_twice(sizes, seed, groups, width, data):
    sizes, users, beams = tuple(sizes), 3, groups * width
    n = data.draw(st.integers(1, int(np.prod(sizes))))
    k = data.draw(st.integers(1, beams))
    items, table = catalogue(n, sizes, seed), Table(users, sizes, seed)
    forbidden = np.random.default_rng(seed).integers(-1, n, (users, n // 2))
    found, scores = run(
        table, items, sizes, beams=beams, groups=groups, penalty=1.0, k=k, forbidden=torch.from_numpy(forbidden)
    )
    expected = table.scores(items)
    for user in range(users):
        may = set(range(n)) - set(forbidden[user].tolist())
        real = [item for item in found[user].tolist() if item >= 0]
        assert found[user].tolist()[: len(real)] == real
        assert len(real) == len(set(real)) == min(k, len(may))
        assert set(real) <= may
        np.testing.assert_allclose(scores[user][: len(real)].numpy(), expected[user, real], atol=1e-4)
        assert (np.diff(scores[user][: len(real)].numpy()) <= 1e-6).all()


def test_a_penalty_spreads_the_first_codes():
    items, table = catalogue(120), Table(20, SIZES, 3)
    counts = []
    for penalty in (0.0, 1.0, 5.0):
        found, _ = run(table, items, SIZES, beams=8, groups=4, penalty=penalty)
        counts.append(np.mean([len(set(items[row, 0].tolist())) for row in found.numpy()]))
    assert counts[0] < counts[1] < counts[2]


def test_wrong_settings_are_refused():
    items, table = catalogue(20), Table(1, SIZES, 0)
    for options in ({"groups": 0, "penalty": 1}, {"groups": 5, "penalty": 1}, {"groups": 2, "penalty": -1}):
        with pytest.raises(ConfigError, match="groups"):
            run(table, items, SIZES, beams=4, **options)
