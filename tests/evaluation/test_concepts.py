"""Sparse autoencoders find planted directions; concepts are named by brute force; taking one out changes lists."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from genrec.data.histories import Histories
from genrec.errors import ConfigError, DataError
from genrec.evaluation.concepts import States, find_concepts, named, read_states, words_of_titles
from genrec.evaluation.sparse_autoencoder import SparseAutoencoder


def planted(n=1500, dim=16, kinds=24, seed=0):
    """States that are sums of two of some directions."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(kinds, dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen = np.stack([rng.choice(kinds, 2, replace=False) for _ in range(n)])
    states = (directions[chosen] * rng.uniform(1, 2, size=(n, 2, 1))).sum(1) + 0.5
    return torch.from_numpy(states).float(), torch.from_numpy(directions).float()


def test_planted_directions_are_found():
    states, directions = planted()
    coder = SparseAutoencoder.fit(states, width=48, k=2, steps=400, batch=256, learning_rate=5e-3)
    torch.testing.assert_close(coder.directions.norm(dim=1), torch.ones(48))
    found = (directions @ coder.directions.T).amax(1)
    assert float((found > 0.9).float().mean()) > 0.8
    assert coder.explained(states) > 0.8
    assert bool(((coder.activations(states) > 0).sum(1) <= 2).all())
    nothing = SparseAutoencoder(16, 48, 2)
    assert nothing.explained(states) < coder.explained(states) - 0.3


def test_taking_out_what_a_state_has_leaves_the_rest():
    states, _ = planted(200)
    coder = SparseAutoencoder.fit(states, width=32, k=2, steps=50)
    active = coder.activations(states)
    latent = int(active.sum(0).argmax())
    without = coder.without(states, torch.tensor([latent]))
    has = active[:, latent] > 0
    torch.testing.assert_close(without[~has], states[~has])
    removed = (states - without)[has]
    expected = active[has][:, [latent]] * coder.directions[latent] * coder.scale
    torch.testing.assert_close(removed, expected, atol=1e-5, rtol=1e-4)
    left = coder.rebuild(active) + (states - coder.rebuild(active))
    torch.testing.assert_close(left, states, atol=1e-5, rtol=1e-4)


def test_words_of_titles_are_counted_once_an_item():
    titles = ["Red red shoe", "red cup", "RED hat 12", "blue cup", "", "green cup", "Shoe", "old shoe"]
    has, words = words_of_titles(titles, least=3, most=0.5)
    assert words == ["cup", "red", "shoe"]
    assert has.toarray().tolist() == [
        [0, 1, 1],
        [1, 1, 0],
        [0, 1, 0],
        [1, 0, 0],
        [0, 0, 0],
        [1, 0, 0],
        [0, 0, 1],
        [0, 0, 1],
    ]


def test_names_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    has = sp.csr_array((rng.random((12, 4)) < 0.4).astype(np.float32))
    newest, first = rng.integers(0, 12, 80), rng.random(80) < 0.5
    activations = np.where(rng.random((80, 5)) < 0.3, rng.random((80, 5)), 0)
    activations[:, 3] = has.toarray()[newest, 2]  # this latent is word 2
    states = States(torch.zeros(80, 1), newest, np.arange(80), np.ones(80, dtype=int))
    found = {
        one.latent: one for one in named(activations, has, list("abcd"), states, first, [str(n) for n in range(12)])
    }
    told, on = has.toarray()[newest], activations > 0
    for latent, concept in found.items():
        scores = [
            2 * (on[first, latent] * told[first, word]).sum() / (on[first, latent].sum() + told[first, word].sum())
            for word in range(4)
        ]
        word = int(np.argmax(scores))
        assert concept.word == "abcd"[word]
        both = (on[~first, latent] * told[~first, word]).sum()
        assert concept.precision == pytest.approx(both / on[~first, latent].sum(), rel=1e-5)
        assert concept.recall == pytest.approx(both / told[~first, word].sum(), rel=1e-5)
        assert concept.share == pytest.approx(told[~first, word].mean(), rel=1e-5)
    assert found[3].word == "c"
    assert found[3].precision == found[3].recall == 1
    assert next(iter(found)) == 3  # the surest comes first


def test_concepts_of_a_trained_network_change_its_lists(trained, tables):
    recommender = trained[0]
    split = Histories.from_lists([[n % 30, (n * 7) % 30, (n * 3 + 1) % 30, n % 11] for n in range(60)])
    states = read_states(recommender, split)
    assert len(states.newest) == 60 * 3
    assert states.newest[:3].tolist() == [split[0][n] for n in range(3)]
    concepts, figures = find_concepts(recommender, split, width=24, k=3, steps=60, shown=4, lists=10)
    assert 1 <= len(concepts) <= 4
    assert figures["states"] == 180
    for one in concepts:
        assert 0 <= one.before <= 1
        assert 0 <= one.after <= 1
        assert one.titles
    again, _ = find_concepts(recommender, split, width=24, k=3, steps=60, shown=4, lists=10)
    assert [one.row() for one in again] == [one.row() for one in concepts]


def test_changed_states_are_what_search_writes_from(trained):
    recommender = trained[0]
    histories = [recommender.item_ids[:4].tolist(), [recommender.item_ids[9]]]
    before = recommender.recommend(histories, 5).scores
    with recommender.model.changed_states(lambda states: states * 1.0):
        np.testing.assert_allclose(recommender.recommend(histories, 5).scores, before, atol=1e-5)
    with recommender.model.changed_states(torch.zeros_like):
        nobody = recommender.recommend(histories, 5, exclude_seen=False)
    assert not np.allclose(nobody.scores, before, atol=1e-3)
    np.testing.assert_array_equal(nobody.items[0], nobody.items[1])  # nothing is known of anybody
    np.testing.assert_allclose(recommender.recommend(histories, 5).scores, before, atol=1e-5)


def test_networks_without_states_and_histories_without_a_next_item_are_refused(trained):
    with pytest.raises(DataError, match="no states"):
        read_states(trained[0], Histories.from_lists([[3], [5]]))

    class Silent:
        answers = frozenset()

    class Other:
        model, config = Silent(), trained[0].config

    with pytest.raises(ConfigError, match="changed_states, states"):
        read_states(Other(), Histories.from_lists([[1, 2]]))


@pytest.mark.parametrize("wrong", [{"width": 1}, {"width": 10**9}, {"k": 0}, {"steps": 0}])
def test_numbers_that_make_no_sense_are_refused_before_anything_is_read(wrong, trained):
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))} is"):
        find_concepts(trained[0], Histories.from_lists([[1, 2], [3, 4]]), **wrong)


def test_one_user_cannot_be_halved(trained):
    with pytest.raises(DataError, match="Only one user"):
        find_concepts(trained[0], Histories.from_lists([[1, 2, 3], [4]]), steps=1)
