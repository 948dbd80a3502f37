"""What people see who look at an object: what it is and how large, in one line, never its arrays."""

import numpy as np
import polars as pl
import pytest
from networks import recommender

from genrec.baselines import TransitionCounts
from genrec.data import Catalog, Interactions
from genrec.data.histories import Histories
from genrec.data.split import leave_one_out
from genrec.encoders import build_encoder
from genrec.index import SemanticIndex
from genrec.quantizers import build_quantizer
from genrec.recommender import Recommendations

ITEMS = pl.DataFrame({"item_id": list("abcd"), "title": ["red cup", "blue cup", "green tea", "black tea"]})
ROWS = pl.DataFrame({"user_id": ["u", "u", "v"], "item_id": ["a", "b", "a"], "timestamp": [1, 2, 3]})
HISTORIES = Histories.from_lists([[1, 2, 3], [2, 1, 0, 1]])


@pytest.fixture(scope="module")
def index():
    return SemanticIndex.build(Catalog.from_frame(ITEMS), "rq-kmeans-3x256")


@pytest.fixture
def objects(index):
    made = recommender("item-decoder")
    return {
        "Catalog(4 items, fields: title)": index.catalog,
        "Catalog(1 item, fields: none)": Catalog.from_frame(ITEMS[:1].select("item_id")),
        "Interactions(3 rows, 2 users, 2 items)": Interactions.from_frame(ROWS),
        "Histories(2 users, 7 items, 3 to 4 each)": HISTORIES,
        "Histories(0 users, 0 items)": Histories.from_lists([]),
        "Split(leave-one-out: train=Histories(2 users": leave_one_out(HISTORIES),
        "EvaluationSet(2 cases: Histories(": leave_one_out(HISTORIES).test,
        "SemanticIndex(4 items, recipe 'rq-kmeans-3x256', levels (256, 256, 256))": index,
        "ItemTokenizer('rq-kmeans-3x256': lsa vectors, rq-kmeans codes)": index.tokenizer,
        "Trie(4 items, levels (256, 256, 256), nodes (": index.trie,
        "GenerativeRecommender(item-decoder, ": made,
        "parameters on cpu; 60 items, levels (4, 5, 6); 50 beams)": made,
        "Recommendations(2 lists of 4; the first: 'i": made.recommend([["i1"], []], 4),
        "Recommendations(1 list of 4, 1 with fewer; the first: 'i2')": made.recommend([["i1"]], 4, allow=["i2"]),
        "Recommendations(0 lists of 4)": made.recommend([], 4),
        "TransitionCounts(not fitted, window=3, last=3, ": TransitionCounts(),
        "TransitionCounts(4 items, window=1, last=3, ": TransitionCounts(window=1).fit(HISTORIES, list("abcd")),
        "LsaEncoder(not fitted; dim=8)": build_encoder({"name": "lsa", "dim": 8}),
        "ResidualKMeans(levels=2": build_quantizer({"name": "rq-kmeans", "levels": 2}),
    }


def test_every_object_says_what_it_is(objects):
    for expected, made in objects.items():
        text = repr(made)
        assert expected in text
        assert text == str(made)
        assert "\n" not in text
        assert "array(" not in text
        assert len(text) < 250


def test_lists_of_nothing():
    nothing = Recommendations(np.full((1, 2), -1), np.full((1, 2), -np.inf), np.array(["a"], dtype=object))
    assert repr(nothing) == "Recommendations(1 list of 2, 1 with fewer)"
