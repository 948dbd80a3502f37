"""Transition counts as item prior: fitted on the training part, chosen on validation, saved, applied, replaceable."""

import numpy as np
import pytest

from genrec.baselines.transitions import TransitionCounts
from genrec.data import Interactions
from genrec.data.histories import Histories
from genrec.decoding.options import PriorSettings
from genrec.errors import ArtifactError, ConfigError
from genrec.generative.learned_prior import LearnedPrior, learned_scores
from genrec.recommender import Recommender
from genrec.training.prior import fit_prior
from genrec.training.train import train


def test_scores_are_those_of_the_counts_and_new_items_have_none():
    train_part = Histories.from_lists([[0, 1, 2], [0, 1], [2, 0]])
    counts = TransitionCounts(window=1, last=1).fit(train_part, ["a", "b", "c"])
    prior = LearnedPrior(counts)
    scores = prior.scores(Histories.from_lists([[0], [4], [1, 4]]), 5).toarray()
    raw = counts.score(Histories.from_lists([[0], [], [1]])).toarray()
    np.testing.assert_allclose(scores[:, :3], np.log1p(LearnedPrior.SHARPNESS * raw), rtol=1e-6)
    assert (scores[:, 3:] == 0).all()
    assert scores[0].argmax() == 1


def test_fitting_chooses_on_validation_and_the_folder_keeps_it(copy, split, tmp_path):
    plain = copy.recommend(split.test.histories, 5)
    tried = fit_prior(copy, split, PriorSettings(), weights=(0.5, 2.0))
    assert [one["weight"] for one in tried] == [0, 0.5, 2]
    best = max(tried, key=lambda one: one["ndcg@10"])
    assert copy.options.prior.weight == best["weight"]
    assert set(copy.options.prior.settings) == {"window", "last", "backward", "shrinkage"}
    copy.set_prior(copy.options.prior.model_copy(update={"weight": 2.0}))
    found = copy.recommend(split.test.histories, 5)
    assert not (found.items == plain.items).all()
    copy.save_pretrained(tmp_path / "with")
    again = Recommender.from_pretrained(tmp_path / "with")
    other = again.recommend(split.test.histories, 5)
    assert (other.items == found.items).all()
    np.testing.assert_array_equal(other.scores, found.scores)
    off = again.recommend(split.test.histories, 5, options={"prior": None})
    assert (off.items == plain.items).all()
    off = again.recommend(split.test.histories, 5, options={"prior": {"weight": 0}})
    assert (off.items == plain.items).all()


def test_exact_and_wide_search_agree_with_the_sum(copy, split):
    fit_prior(copy, split, PriorSettings(settings={"window": 3, "last": 3}, weight=1.0))
    cases, n = split.test.select(np.arange(9)), len(copy.item_ids)
    total = copy.score_items(cases.histories)
    total += learned_scores(copy.prior, copy.options.prior, cases.histories, n).toarray()
    boost = np.linspace(-1, 1, n)
    for given in (None, boost, np.tile(boost, (9, 1))):
        expected = total if given is None else total + boost
        for options in ({"exact": True}, {"beams": n, "batch_users": 4}):
            found = copy.recommend(cases.histories, 7, exclude_seen=False, prior=given, options=options)
            np.testing.assert_allclose(found.scores, -np.sort(-expected, 1)[:, :7], atol=1e-4)
            np.testing.assert_allclose(np.take_along_axis(expected, found.items, 1), found.scores, atol=1e-4)


def test_a_prior_never_lures_the_search_to_seen_items(copy, split):
    fit_prior(copy, split, PriorSettings(weight=50.0))
    for beams in (1, 3):
        found = copy.recommend(split.test.histories, 5, options={"beams": beams})
        assert all(len(row) == 5 for row in found.item_ids)
        for user, items in enumerate(split.test.histories):
            assert not set(found.items[user]) & set(items.tolist())


def test_training_again_with_a_prior_fits_only_the_prior(trained, tables, tiny_index, tiny_config, tmp_path):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(trained[1], folder)
    before = (folder / "model" / "model.safetensors").read_bytes()
    generation = tiny_config.generation.model_copy(update={"prior": PriorSettings(settings={"window": 1})})
    config = tiny_config.model_copy(update={"generation": generation})
    interactions = Interactions.read(tables[1])
    first = train(tiny_index, interactions, config, folder)
    assert first.prior is not None
    assert first.options.prior.weight is not None
    assert first.options.prior.settings["window"] == 1
    assert (folder / "model" / "model.safetensors").read_bytes() == before
    stamp = (folder / "recommender.json").stat().st_mtime_ns
    again = train(tiny_index, interactions, config, folder)  # nothing is left to do
    assert (folder / "recommender.json").stat().st_mtime_ns == stamp
    assert again.options.prior == first.options.prior


def test_what_is_not_there_is_refused(copy, split, tmp_path):
    cases = split.test.histories
    with pytest.raises(ConfigError, match="no item prior"):
        copy.recommend(cases, 3, options={"prior": {"weight": 1}})
    fit_prior(copy, split, PriorSettings(weight=1.0))
    with pytest.raises(ConfigError, match="only the weight"):
        copy.recommend(cases, 3, options={"prior": {"name": "item-knn"}})
    with pytest.raises(ConfigError, match="Did you mean 'window'"):
        fit_prior(copy, split, PriorSettings(settings={"windw": 3}))
    copy.prior.save(tmp_path / "prior")
    with pytest.raises(ArtifactError, match="another catalogue"):
        LearnedPrior.load(tmp_path / "prior", copy.item_ids[::-1])
