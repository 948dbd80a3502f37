"""What a recommender is given that it cannot use: one clear error each, and nothing that is read another way."""

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from networks import N, recommender

from genrec.baselines import Popularity
from genrec.data import Catalog, Interactions
from genrec.data.histories import Histories
from genrec.errors import ConfigError, DataError, GenRecError

IDS = [f"i{n}" for n in range(N)]


@pytest.fixture(scope="module")
def made():
    return {
        "generative": recommender("item-decoder"),
        "baseline": Popularity().fit(Histories.from_lists([[1, 2], [1]]), IDS),
    }


@pytest.fixture(params=["generative", "baseline"])
def either(made, request):
    return made[request.param]


TABLE = pl.DataFrame({"user_id": ["u"] * 3, "item_id": IDS[:3], "timestamp": [1, 2, 3]})
NO_HISTORIES = {
    "nothing": (None, "This is None"),
    "a text": ("i1", "This is the text 'i1'(.|\n)*for one user"),
    "one user's list": (["i1", "i2"], "This is the text 'i1'(.|\n)*history 0(.|\n)*list in a list"),
    "an array of ids": (np.array(["i1", "i2"]), "This is the text 'i1'"),
    "a column of ids": (pl.Series(["i1", "i2"]), "This is the text 'i1'"),
    "a number": (7, "This is the number 7"),
    "numbers": ([3, 4], "history 0(.|\n)*expected: a list of item ids"),
    "positions": ([[3, 4]], "Item ids are text, and this is the number 3(.|\n)*from_lists"),
    "an array of positions": (np.array([[3, 4]]), "this is the number 3"),
    "an array without dimension": (np.array("i1"), "This is a numpy.ndarray"),
    "a hole": ([["i1", None]], "this is None"),
    "no history for a user": ([["i1"], None], "This is None(.|\n)*history 1"),
    "a list in a list in a list": ([[["i1"]]], "this is a list"),
    "bytes": ([[b"i1"]], "this is a bytes"),
    "a mapping": ({"u": ["i1"]}, "This is a dict"),
    "a set of items": ([{"i1", "i2"}], "has no order"),
    "a set of histories": ({("i1",)}, "has no order"),
    "a table": (TABLE, "This is a polars.DataFrame"),
    "a catalogue": (Catalog.from_frame(TABLE.select("item_id")), "This is a genrec.Catalog"),
    "interactions": (Interactions.from_frame(TABLE), r"interactions\.histories\("),
    "an unknown item": ([["i1"], ["i2", "nope"]], "'nope' is not in the catalogue(.|\n)*history 1"),
    "nothing known": ([["x"], ["y", "z"]], "'x' is not in the catalogue(.|\n)*such as 'i0'"),
    "positions outside": (Histories.from_lists([[N]]), "outside the catalogue"),
}


@pytest.mark.parametrize("case", NO_HISTORIES)
def test_histories(either, case):
    given, message = NO_HISTORIES[case]
    with pytest.raises(DataError, match=message.replace("for one user", "For one user")):
        either.recommend(given, 3)


def test_a_text_is_never_read_letter_by_letter():
    """Where ids are single letters, ``"ab"`` would be two items."""
    one = Popularity().fit(Histories.from_lists([[0, 1]]), ["a", "b", "c"])
    for given in ("ab", ["ab"], [["a"], "b"]):
        with pytest.raises(DataError, match="the text"):
            one.recommend(given, 1)
    for name in ("allow", "deny"):
        with pytest.raises(DataError, match=f"the text 'ab'(.|\n)*where: {name}"):
            one.recommend([["a"]], 1, **{name: "ab"})


GOOD = {
    "lists": [["i1", "i2"], []],
    "tuples": (("i1", "i2"), ()),
    "arrays": [np.array(["i1", "i2"]), np.array([], dtype=str)],
    "objects": np.array([["i1", "i2"], []], dtype=object),
    "columns": [pl.Series(["i1", "i2"]), pl.Series([], dtype=pl.String)],
    "a column of lists": pl.Series([["i1", "i2"], []]),
    "a generator": (iter(one) for one in (["i1", "i2"], [])),
    "histories": Histories.from_lists([[1, 2], []]),
}


@pytest.mark.parametrize("kind", GOOD)
def test_what_can_be_read_in_order_is_a_history(made, kind):
    given = GOOD[kind] if kind != "a generator" else (iter(one) for one in (["i1", "i2"], []))
    for each in made.values():
        again = GOOD[kind] if kind != "a generator" else (iter(one) for one in (["i1", "i2"], []))
        found = each.recommend(given if each is made["generative"] else again, 3)
        np.testing.assert_array_equal(found.items, each.recommend([["i1", "i2"], []], 3).items)


@pytest.mark.parametrize("k", [0, -1, 2.0, "3", None, True, [5]])
def test_k(either, k):
    with pytest.raises(DataError, match="k is"):
        either.recommend([["i1"]], k)


def test_ten_items_come_where_nothing_is_said(either):
    assert either.recommend([["i1"]]).items.shape == (1, 10)
    assert either.recommend([["i1"]], np.int64(4)).items.shape == (1, 4)


@pytest.mark.parametrize("name", ["allow", "deny"])
@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("i1", "the text 'i1'"),
        (3, "the number 3"),
        ([3], "Item ids are text, and this is the number 3"),
        (["nope"], "'nope' is not in the catalogue"),
        ({"i1": 1}, "a dict"),
        ([None], "this is None"),
        (TABLE, "polars.DataFrame"),
    ],
)
def test_allow_and_deny(either, name, items, message):
    with pytest.raises(DataError, match=f"{message}(.|\n)*where: {name}"):
        either.recommend([["i1"]], 3, **{name: items})


def test_collections_of_any_kind_allow(either):
    expected = either.recommend([["i1"]], 3, allow=["i4", "i5"]).items
    for given in ({"i4", "i5"}, ("i4", "i5"), np.array(["i4", "i5"]), pl.Series(["i4", "i5"]), iter(["i4", "i5"])):
        np.testing.assert_array_equal(either.recommend([["i1"]], 3, allow=given).items, expected)
    for nothing in ([], set(), np.array([], dtype=str)):
        assert either.recommend([["i1"]], 3, allow=nothing).item_ids == [[]]
        np.testing.assert_array_equal(
            either.recommend([["i1"]], 3, deny=nothing).items, either.recommend([["i1"]], 3).items
        )


REQUESTS = {
    "a part that nobody named": ({"within": "in stock"}, r"no part of this catalogue has a name yet(.|\n)*define\("),
    "a number as a part": ({"within": 3}, "within"),
    "numbers as parts": ({"within": [3]}, "3 is no name"),
    "too many parts": ({"within": [None, None]}, "2 entries for 1 user"),
    "a list for everybody": ({"allow_each": "i1"}, "the text 'i1'(.|\n)*allow_each"),
    "a text for a user": ({"allow_each": ["i1"]}, "the text 'i1'(.|\n)*allow_each, user 0"),
    "an unknown item for a user": ({"allow_each": [["nope"]]}, "'nope' is not in the catalogue"),
    "too few lists": ({"allow_each": []}, "0 entries for 1 user"),
    "a prior of text": ({"prior": "i1"}, "no numbers: the text 'i1'(.|\n)*prior"),
    "a prior of texts": ({"prior": {"i1": "much"}}, "no numbers(.|\n)*prior"),
    "a prior of unknown items": ({"prior": {"nope": 1.0}}, "'nope' is not in the catalogue"),
    "a prior of another catalogue": ({"prior": np.zeros(3)}, "shape"),
    "a sparse prior of another catalogue": ({"prior": sp.csr_array((1, 3))}, "shape"),
    "a prior without a number": ({"prior": {"i1": float("nan")}}, "NaN|finite"),
    "options of text": ({"options": "beams=3"}, "options are given by str"),
    "unknown options": ({"options": {"beam": 3}}, "beam"),
    "wrong options": ({"options": {"beams": "many"}}, "beams"),
    "a word for a switch": ({"exclude_seen": "no"}, "exclude_seen is 'no'"),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_requests(made, case):
    arguments, message = REQUESTS[case]
    with pytest.raises(GenRecError, match=message):
        made["generative"].recommend([["i1"]], 3, **arguments)


def test_a_part_that_is_not_there_is_said_without_any_user_and_beside_those_that_are():
    one = recommender("item-decoder")
    with pytest.raises(ConfigError, match="no part"):
        one.recommend([], 3, within="in stock")
    one.define("in stock", ["i1", "i2"])
    with pytest.raises(ConfigError, match="Did you mean 'in stock'"):
        one.recommend([["i1"], ["i2"]], 3, within=["in stock", "in stok"])
    with pytest.raises(DataError, match=r"the text 'i1'(.|\n)*define"):
        one.define("new", "i1")


def test_user_ids_of_a_table(either):
    with pytest.raises(DataError, match="2 lists but 1 user id"):
        either.recommend([["i1"], []], 3).to_frame(["u"])


@pytest.mark.parametrize("verb", ["recommend", "explain"])
@pytest.mark.parametrize(
    "asked",
    [
        {"within": "in stock"},
        {"within": ["in stock", None]},
        {"allow_each": [["i1"], None]},
        {"prior": {"i1": 1.0}},
        {"options": {"beams": 3}},
        {"within": "in stock", "options": {"words": 1.0}},
    ],
)
def test_what_only_recommenders_have_that_search(made, asked, verb):
    with pytest.raises(ConfigError) as failure:
        getattr(made["baseline"], verb)([["i1"], ["i2"]], k=2, **asked)
    assert f"A baseline has no {' and no '.join(asked)}." in str(failure.value)
    assert "allow their items" in str(failure.value)


def test_wrong_options_are_refused_by_every_recommender(either):
    with pytest.raises(ConfigError, match="normalise"):
        either.recommend([["i1"]], options={"normalise": "children"})
