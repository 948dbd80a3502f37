"""Everything a request can ask of a generative recommender, checked against its own exact scores."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from genrec.data.histories import Histories
from genrec.decoding.options import DecodingOptions, even_slices
from genrec.encoders.word_matches import WordMatches
from genrec.errors import ConfigError, DataError
from genrec.generative.config import TrainConfig
from genrec.trie import Trie

SIZES = (4, 5, 6)
N = 60
USERS = 7


@pytest.fixture
def recommender(architecture, tiny_model):
    from genrec.generative.recommender import GenerativeRecommender

    rng = np.random.default_rng(0)
    codes = np.argwhere(np.ones(SIZES))[rng.permutation(120)[:N]].astype(np.int32)
    vectors = rng.normal(size=(N, 8)).astype(np.float32)
    index = SimpleNamespace(
        codes=codes,
        codebook_sizes=SIZES,
        item_ids=np.array([f"i{n}" for n in range(N)], dtype=object),
        trie=Trie.from_codes(codes, SIZES),
        vectors=lambda: vectors,
        word_vectors=sp.csr_array(sp.random(N, 25, 0.2, rng=rng, dtype=np.float32)),
    )
    return GenerativeRecommender(tiny_model(architecture, SIZES), index, TrainConfig())


@pytest.fixture
def histories():
    rng = np.random.default_rng(1)
    return Histories.from_lists([rng.integers(0, N, rng.integers(1, 6)).tolist() for _ in range(USERS)])


def best(scores, may, k):
    """Positions of the best allowed items of every user."""
    return [
        sorted(np.flatnonzero(allowed).tolist(), key=lambda item: -row[item])[:k]
        for row, allowed in zip(scores, may, strict=True)
    ]


def unseen(histories):
    may = np.ones((USERS, N), dtype=bool)
    for user, items in enumerate(histories):
        may[user, items] = False
    return may


def lists(found):
    return [row[row >= 0].tolist() for row in found.items]


def test_exact_and_wide_searches_give_the_true_ranking(recommender, histories):
    scores, may = recommender.score_items(histories), unseen(histories)
    expected = best(scores, may, 10)
    exact = recommender.recommend(histories, 10, options={"exact": True})
    wide = recommender.recommend(histories, 10, options={"beams": N, "batch_users": 2})
    assert lists(exact) == lists(wide) == expected
    np.testing.assert_allclose(exact.scores, wide.scores, atol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(scores, exact.items, 1), exact.scores, atol=1e-4)
    assert recommender.options == TrainConfig().generation  # a request changes nothing for the next


def test_options_of_a_request_that_change_nothing_are_told_once(recommender, histories, caplog):
    def told(**options):
        caplog.clear()
        recommender.recommend(histories, 3, options=options)
        return caplog.messages

    line = "Settings that change nothing, since groups is 1: diversity_penalty."
    assert told(diversity_penalty=0.25) == [line]
    assert told(diversity_penalty=0.7) == []
    assert told(exact=True, beams=9) == ["Settings that change nothing, since exact ranks all items: beams."]
    assert told(beams=9) == []
    assert told(prior_weight=2.0) == [
        "Settings that change nothing, since there is no prior beside the request: prior_weight."
    ]
    caplog.clear()
    recommender.explain(histories, k=3, options={"diversity_penalty": 0.25})
    assert caplog.messages == [line]


def test_sub_catalogues_and_lists_of_users(recommender, histories):
    scores, may = recommender.score_items(histories), unseen(histories)
    ids = recommender.item_ids
    recommender.define("cheap", ids[:20])
    recommender.define("nothing", [])
    wide = {"options": {"beams": N}}
    cheap = may & (np.arange(N) < 20)
    assert lists(recommender.recommend(histories, 8, within="cheap", **wide)) == best(scores, cheap, 8)
    deny = ids[:5].tolist()
    both = cheap & (np.arange(N) >= 5)
    assert lists(recommender.recommend(histories, 8, within="cheap", deny=deny, **wide)) == best(scores, both, 8)
    names = ["cheap", None, "nothing", "cheap", None, None, "nothing"]
    own = [ids[10:30], None, ids, [], ids[:3], None, None]
    expected = may.copy()
    for user in range(USERS):
        expected[user] &= {"cheap": np.arange(N) < 20, None: True, "nothing": False}[names[user]]
        if own[user] is not None:
            expected[user] &= np.isin(ids.astype(str), np.asarray(own[user], dtype=str))
    for options in ({"beams": N}, {"exact": True}):
        found = recommender.recommend(histories, 8, within=names, allow_each=own, options=options)
        assert lists(found) == best(scores, expected, 8)
    with pytest.raises(ConfigError, match="Did you mean 'cheap'"):
        recommender.recommend(histories, 3, within="chep")
    with pytest.raises(DataError, match="within"):
        recommender.recommend(histories, 3, within=["cheap"])
    with pytest.raises(DataError, match="not in the catalogue"):
        recommender.recommend(histories, 3, allow_each=[["nobody"]] * USERS)


@pytest.mark.parametrize("seen", [True, False])
def test_lists_that_users_are_denied(recommender, histories, seen):
    """As deny lists of one user's own: in every way of decoding, beside seen items or without them."""
    scores, may = recommender.score_items(histories), unseen(histories) if seen else np.ones((USERS, N), dtype=bool)
    ids, rng = recommender.item_ids, np.random.default_rng(5)
    denied = [None, [], *(ids[rng.permutation(N)[:count]].tolist() for count in (1, 5, 20, 55, N))]
    for user, items in enumerate(denied):
        may[user] &= ~np.isin(ids.astype(str), np.asarray(items or [], dtype=str))
    for options in ({"beams": N}, {"exact": True}, {"beams": N, "batch_users": 3}):
        found = recommender.recommend(histories, 8, exclude_seen=seen, deny_each=denied, options=options)
        assert lists(found) == best(scores, may, 8)
    alone = [
        recommender.recommend(histories.select(np.array([user])), 8, exclude_seen=seen, deny=items or [])
        for user, items in enumerate(denied)
    ]
    together = recommender.recommend(histories, 8, exclude_seen=seen, deny_each=denied)
    assert lists(together) == [lists(one)[0] for one in alone]
    with pytest.raises(DataError, match="deny_each"):
        recommender.recommend(histories, 3, deny_each=[["i1"]])
    with pytest.raises(DataError, match="not in the catalogue"):
        recommender.recommend(histories, 3, deny_each=[["nobody"]] * USERS)


def test_priors_by_item_and_by_user(recommender, histories):
    scores, may = recommender.score_items(histories), unseen(histories)
    ids = recommender.item_ids
    rng = np.random.default_rng(3)
    options = {"beams": N, "prior_weight": 2.0}
    boost = {ids[3]: 4.0, ids[7]: -3.0}
    row = np.zeros(N)
    row[3], row[7] = 8, -6
    found = recommender.recommend(histories, 9, prior=boost, options=options)
    assert lists(found) == best(scores + row, may, 9)
    own = rng.normal(size=(USERS, N)) * 2
    for how in ({"beams": N}, {"exact": True}):
        found = recommender.recommend(histories, 9, prior=own, options={**how, "batch_users": 3})
        assert lists(found) == best(scores + own, may, 9)
        np.testing.assert_allclose(found.scores, np.take_along_axis(scores + own, found.items, 1), atol=1e-4)
    with pytest.raises(DataError, match="prior"):
        recommender.recommend(histories, 3, prior=np.zeros(N + 1))


def test_words_are_added_in_every_way_of_decoding(recommender, histories):
    alone, may = recommender.score_items(histories), unseen(histories)
    words = WordMatches(recommender.index.word_vectors).scores(histories)
    assert words.max() > 0.1
    recommender.options = recommender.options.model_copy(update={"words": 6.0})
    scores = alone + 6 * words
    np.testing.assert_allclose(recommender.score_items(histories), scores, atol=1e-5)
    expected = best(scores, may, 10)
    exact = recommender.recommend(histories, 10, options={"exact": True})
    wide = recommender.recommend(histories, 10, options={"beams": N, "batch_users": 2})
    assert lists(exact) == lists(wide) == expected != best(alone, may, 10)
    np.testing.assert_allclose(np.take_along_axis(scores, exact.items, 1), exact.scores, atol=1e-4)
    assert lists(recommender.recommend(histories, 10, options={"beams": N, "words": 0})) == best(alone, may, 10)


@pytest.mark.parametrize("kind", ["vector", "rows", "sparse"])
def test_words_and_priors_add_up(recommender, histories, kind):
    rng = np.random.default_rng(3)
    given = rng.normal(size=N if kind == "vector" else (USERS, N)).astype(np.float32)
    given[..., 4] = -np.inf if kind != "sparse" else 0
    words = 6 * WordMatches(recommender.index.word_vectors).scores(histories)
    scores = recommender.score_items(histories) + words + given * np.float32(0.5)
    prior = sp.csr_array(given) if kind == "sparse" else given
    options = {"words": 6.0, "beams": N, "prior_weight": 0.5}
    may = unseen(histories) & np.isfinite(scores)
    for more in ({}, {"exact": True}):
        found = recommender.recommend(histories, 9, prior=prior, options=options | more)
        assert lists(found) == best(scores, may, 9)


def test_few_beams_find_what_words_say(recommender, histories):
    """The bound of a prefix counts what words say of the items below it, and nothing that the user has seen."""
    few = recommender.recommend(histories, 3, options={"beams": 6, "words": 1000.0})
    exact = recommender.recommend(histories, 3, options={"exact": True, "words": 1000.0})
    assert lists(few) == lists(exact)


def test_diversity(recommender, histories):
    codes = recommender.index.codes
    plain = recommender.recommend(histories, 8, options={"beams": 8})
    capped = recommender.recommend(histories, 8, options={"beams": 8, "max_per_prefix": 2})
    grouped = recommender.recommend(histories, 8, options={"beams": 8, "groups": 4, "diversity_penalty": 30})
    spread = recommender.recommend(histories, 8, options={"beams": 30, "mmr": 0.5})
    for found in (capped, grouped, spread):
        assert all(len(row) == len(set(row)) == 8 for row in lists(found))
        assert (np.diff(found.scores, axis=1) <= 1e-5).all()
    assert all(np.bincount(codes[row, 0]).max() <= 2 for row in lists(capped))
    prefixes = [np.mean([len(set(codes[row, 0])) for row in lists(found)]) for found in (plain, grouped)]
    assert prefixes[1] >= prefixes[0]
    assert lists(recommender.recommend(histories, 8, options={"beams": 30, "mmr": 1.0})) == lists(
        recommender.recommend(histories, 8, options={"beams": 30})
    )


def test_the_batch_size_changes_nothing(recommender, histories):
    one = recommender.recommend(histories, 5, options={"batch_users": 1})
    many = recommender.recommend(histories, 5)
    assert (one.items == many.items).all()
    np.testing.assert_allclose(one.scores, many.scores, atol=1e-4)


def test_options_are_checked():
    assert DecodingOptions(beams=50).users_at_once(10) == 12
    assert DecodingOptions(beams=10).users_at_once(40) == 16
    assert DecodingOptions(beams=5000).users_at_once(10) == 1
    assert DecodingOptions(batch_users=3).users_at_once(10, "cuda") == 3
    assert DecodingOptions().users_at_once(10, "cuda") > 100
    for wrong in ({"exact": True, "groups": 2}, {"max_per_prefix": 1, "exact": True}, {"mmr": 2}, {"beam": 3}):
        with pytest.raises(ValueError):
            DecodingOptions(**wrong)


def test_batches_are_even():
    assert even_slices(0, 5) == []
    assert [one.stop - one.start for one in even_slices(32, 12)] == [10, 11, 11]
    covered = [number for one in even_slices(11, 4) for number in range(11)[one]]
    assert covered == list(range(11))
