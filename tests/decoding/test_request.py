"""A request: made once with item ids, resolved by a recommender, cut for some of its users."""

import numpy as np
import pytest
import scipy.sparse as sp

from genrec.baselines import Popularity
from genrec.data import Histories
from genrec.decoding.options import DecodingOptions
from genrec.decoding.request import Request
from genrec.errors import ConfigError, DataError

IDS = np.array(["a", "b", "c", "d"], dtype=object)


@pytest.fixture
def popularity():
    return Popularity().fit(Histories.from_lists([[0, 1, 1, 2], [1, 3]]), IDS)


def test_ids_become_positions(popularity):
    asked = Request(10, allowed=["a", "b", "c"], denied=["b"], allow_each=[["d", "a"], None], prior={"c": 2.0})
    found = popularity.resolved(asked)
    assert found.k == 4
    assert found.mask.tolist() == [True, False, True, False]
    assert found.denied is None
    assert found.allow_each[0].tolist() == [3, 0]
    assert found.allow_each[1] is None
    assert found.scores.tolist() == [0, 0, 2, 0]
    again = popularity.resolved(found)
    assert again.mask.tolist() == found.mask.tolist()
    assert popularity.resolved(Request(1, allowed=found.mask, denied=["a"])).mask.tolist() == [
        False,
        False,
        True,
        False,
    ]
    assert again.scores is found.scores


def test_what_is_of_one_user_each_goes_with_the_users():
    prior = sp.csr_array(np.arange(6).reshape(3, 2))
    asked = Request(2, within=["x", None, "y"], allow_each=[["a"], None, ["b"]], prior=prior)
    part = asked.of(np.array([2, 0]))
    assert part.within == ["y", "x"]
    assert part.allow_each == [["b"], ["a"]]
    assert part.prior.toarray().tolist() == [[4, 5], [0, 1]]
    whole = Request(2, within="x", prior=np.ones(4))
    assert whole.of(np.array([1])).within == "x"
    assert whole.of(np.array([1])).prior is whole.prior


def test_what_cannot_be_is_refused(popularity):
    with pytest.raises(DataError, match="k is 0"):
        Request(0)
    with pytest.raises(DataError, match="'z'"):
        popularity.resolved(Request(1, allowed=["z"]))
    with pytest.raises(DataError, match="'z'"):
        popularity.resolved(Request(1, prior={"z": 1.0}))
    with pytest.raises(TypeError, match="not resolved"):
        _ = Request(1, allowed=["a"]).mask


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"within": "x"}, "within"),
        ({"prior": {"a": 1.0}}, "prior"),
        ({"options": DecodingOptions(), "allow_each": [None]}, "allow_each and no options"),
    ],
)
def test_baselines_refuse_what_only_a_search_has(popularity, more, says):
    with pytest.raises(ConfigError, match=says):
        popularity.answer([["a"]], Request(2, **more))


def test_the_short_form_is_the_same(popularity):
    short = popularity.recommend([["a"]], 2, exclude_seen=False, deny=["b"])
    long = popularity.answer([["a"]], Request(2, exclude_seen=False, denied=["b"]))
    assert short.item_ids == long.item_ids == [["a", "c"]]
