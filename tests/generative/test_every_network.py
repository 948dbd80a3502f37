"""What holds for a recommender around every kind of network over codes."""

import numpy as np
import pytest
from networks import HISTORIES, NETWORKS, REQUESTS, N, recommender


@pytest.mark.parametrize("request_of", sorted(REQUESTS))
@pytest.mark.parametrize("normalize", ["vocabulary", "codes", "children"])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_exact_and_full_width_beams_agree(name, normalize, request_of):
    made, given = recommender(name), REQUESTS[request_of]
    exact = made.recommend(HISTORIES, N, options={"normalize": normalize, "exact": True}, **given)
    beams = made.recommend(HISTORIES, N, options={"normalize": normalize, "beams": N}, **given)
    for user in range(len(HISTORIES)):
        one, other = (
            {i: s for i, s in zip(found.items[user], found.scores[user], strict=True) if i >= 0}
            for found in (exact, beams)
        )
        assert one.keys() == other.keys()
        np.testing.assert_allclose([one[item] for item in one], [other[item] for item in one], atol=1e-4)
        if normalize == "children":
            assert np.exp(list(one.values())).sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_users_without_a_history_and_no_users_at_all(name, exact):
    made = recommender(name)
    options = {"exact": exact, "beams": 10}
    together = made.recommend([["i3"], [], ["i20", "i4"], []], 5, options=options)
    alone = made.recommend([[]], 5, options=options)
    assert (alone.items >= 0).all()
    for user in (1, 3):
        np.testing.assert_array_equal(together.items[user], alone.items[0])
    none = made.recommend([], 5, options=options)
    assert none.items.shape == (0, 5)
    assert none.item_ids == []
    assert made.score_items([]).shape == (0, N)
    assert np.isfinite(made.score_items([[]])).all()
