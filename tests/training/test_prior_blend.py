"""MemGen: counts weigh more for users whom they are sure of (arXiv 2603.19809)."""

import numpy as np
import pytest
import scipy.sparse as sp

from genrec.data.histories import Histories
from genrec.data.split import EvaluationSet
from genrec.decoding.options import BlendSettings, DecodingOptions, PriorSettings
from genrec.generative.learned_prior import best_shares, learned_scores
from genrec.recommender import Recommender
from genrec.training.additions import fit_additions
from genrec.training.prior import fit_prior
from genrec.training.prior_blend import fit_blend


def test_the_share_of_the_best_item():
    counts = sp.csr_array(np.array([[3.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 2.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(best_shares(counts), [0.75, 0, 1])


def test_factors_grow_with_the_share_and_are_one_where_it_says():
    shares = np.linspace(0, 1, 11)
    factors = BlendSettings(sharpness=10, threshold=0.3).factors(shares)
    assert (np.diff(factors) > 0).all()
    assert factors[3] == pytest.approx(1)
    assert 0 < factors[0] < 0.1 < 1.9 < factors[-1] < 2
    for same in (BlendSettings(sharpness=0, threshold=0.3), BlendSettings()):
        assert (same.factors(shares) == 1).all()


def test_a_blend_that_is_flat_changes_nothing_and_another_weighs_each_user(copy, split):
    fit_prior(copy, split, PriorSettings(settings={"window": 3, "last": 3}, weight=1.5))
    histories, n = split.test.histories, len(copy.item_ids)
    plain = learned_scores(copy.prior, copy.options.prior, histories, n).toarray()
    flat = copy.options.prior.model_copy(update={"blend": BlendSettings(sharpness=0, threshold=0.2)})
    np.testing.assert_array_equal(learned_scores(copy.prior, flat, histories, n).toarray(), plain)
    blend = BlendSettings(sharpness=12, threshold=0.2)
    steep = learned_scores(copy.prior, flat.model_copy(update={"blend": blend}), histories, n).toarray()
    factors = blend.factors(copy.prior.shares(histories))
    assert len(np.unique(factors)) > 3
    np.testing.assert_allclose(steep, plain * factors[:, None], rtol=1e-5)


def test_it_is_chosen_on_validation_kept_and_loaded(copy, split, tmp_path):
    wanted = DecodingOptions(words=0.0, prior=PriorSettings(settings={"window": 3}, weight=2.0, blend=BlendSettings()))
    fit_additions(copy, split, wanted)
    tried = copy.metrics["blend"]["tried"]
    assert tried[0]["sharpness"] == 0
    best = max(tried, key=lambda one: one["ndcg@10"])
    chosen = copy.options.prior.blend
    assert chosen.model_dump() == {key: best[key] for key in ("sharpness", "threshold")}
    assert wanted.prior.is_met_by(copy.options.prior)
    assert not PriorSettings(weight=2.0).is_met_by(copy.options.prior)
    assert not PriorSettings(weight=2.0, blend=BlendSettings(sharpness=99)).is_met_by(copy.options.prior)
    copy.save_pretrained(tmp_path / "model")
    again = Recommender.from_pretrained(tmp_path / "model")
    assert again.options.prior.blend == chosen
    found, loaded = copy.recommend(split.test.histories, 5), again.recommend(split.test.histories, 5)
    np.testing.assert_array_equal(found.items, loaded.items)


def test_users_whom_counts_mislead_make_it_steep(copy, split):
    """Where sure counts are right and unsure ones wrong, a blend is chosen, and it is better than one weight."""
    fit_prior(copy, split, PriorSettings(settings={"window": 3, "last": 1, "shrinkage": 0.0}, weight=0.6))
    histories, n = split.validation.histories, len(copy.item_ids)
    shares = copy.prior.shares(histories)
    counts = learned_scores(copy.prior, copy.options.prior, histories, n).toarray()
    network = copy.score_items(histories)
    seen = np.zeros_like(counts, dtype=bool)
    seen[np.repeat(np.arange(len(histories)), histories.lengths), histories.items] = True
    sure = shares > np.median(shares[shares > 0])
    right = np.where(sure, np.where(seen, -np.inf, counts).argmax(1), np.where(seen, -np.inf, network).argmax(1))
    fit_blend(copy, EvaluationSet(histories, right.astype(np.int32)), BlendSettings())
    assert copy.options.prior.blend.sharpness > 0
    tried = copy.metrics["blend"]["tried"]
    assert max(one["ndcg@10"] for one in tried) > tried[0]["ndcg@10"] + 0.02
    given = Histories.from_lists([[0, 1]])
    assert len(copy.recommend(given, 3).item_ids[0]) == 3
