"""What an item is worth, by hand."""

import sys
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
import torch
from networks import tiny_index

from genrec.config import parse
from genrec.data import Catalog
from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.training.policy.rewards import Offer, Rewards, RewardSettings

TRAIN = Histories.from_lists([[3, 7, 1, 9], [3, 7, 33], [5, 3, 2], [3, 7]])
ITEMS = torch.tensor([[9, 7, 3, -1]])


def index():
    made = tiny_index()
    frame = {"item_id": list(made.item_ids), "price": [float(n) for n in range(60)], "name": ["x"] * 60}
    made.catalog = Catalog.from_frame(pl.DataFrame(frame))
    return made


def values(*settings, order=None, target=7):
    made = Rewards([parse(RewardSettings, dict(one)) for one in settings], index(), TRAIN)
    order = torch.tensor([[-1.0, -3.0, -2.0, -9.0]]) if order is None else order
    return made(Offer(ITEMS, torch.tensor([target]), Histories.from_lists([[5, 3]]), order))


def test_terms_are_added_with_their_weights_and_nothing_is_worth_nothing():
    total, terms = values({"name": "hit", "weight": 2}, {"name": "column", "column": "price", "scale": "value"})
    assert terms["hit"].tolist() == [[0, 1, 0, 0]]
    assert terms["price"].tolist() == [[9, 7, 3, 0]]
    assert total.tolist() == [[9, 9, 3, 0]]


def test_the_rank_term_blames_likely_items_more_and_only_beside_the_right_one():
    _, terms = values({"name": "rank"})
    discounts = 1 / np.log2([2, 4, 3])  # ranks 1, 3, 2
    assert terms["rank"][0].tolist() == pytest.approx(
        [-discounts[0] / discounts.sum(), 0, -discounts[2] / discounts.sum(), 0]
    )
    assert values({"name": "rank"}, target=55)[1]["rank"].abs().sum() == 0


def test_prefixes_count_codes_in_common():
    codes = tiny_index().codes
    _, terms = values({"name": "prefix"})
    for item, value in zip([9, 7, 3], terms["prefix"][0, :3].tolist(), strict=True):
        same = (codes[item] == codes[7]).astype(int).cumprod().sum()
        assert value == pytest.approx(same / 3)


def test_a_scorer_gives_percentiles_of_the_catalogue():
    """7 follows 3 most often; what never followed shares the rest."""
    _, terms = values({"name": "scorer"}, {"name": "scorer", "scorer": "popularity"})
    counts, popular = terms["transition-counts"][0], terms["popularity"][0]
    assert counts[1] == counts[:3].max() > 0.95
    assert popular[2] == pytest.approx((59 + 60) / 120)  # item 3 is bought most
    assert 0 < popular[0] < popular[1] < popular[2]


@pytest.mark.parametrize("scorer", ["text-neighbours", "word-neighbours", "sasrec"])
def test_scorers_get_what_they_need(scorer):
    _, terms = values({"name": "scorer", "scorer": scorer})
    found = terms[scorer][0, :3]
    assert ((found > 0) & (found < 1)).all()
    assert len(set(found.tolist())) > 1


def test_rare_items_are_novel_and_dear_ones_dear():
    _, terms = values({"name": "novelty"}, {"name": "column", "column": "price"})
    assert terms["novelty"][0, 2] == 0
    assert 0 < terms["novelty"][0, 1] < terms["novelty"][0, 0] < 1
    assert terms["price"][0, :3].tolist() == pytest.approx([19 / 120, 15 / 120, 7 / 120])


def test_diversity_is_distance_to_the_others():
    vectors = index().vectors()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    _, terms = values({"name": "diversity"})
    assert float(terms["diversity"][0, 0]) == pytest.approx(1 - (unit[9] @ unit[7] + unit[9] @ unit[3]) / 2, abs=1e-5)


def test_a_function_of_ones_own_sees_ids(monkeypatch):
    seen = []

    def worth(items, targets, histories):
        seen.append((items.tolist(), list(targets), [list(one) for one in histories]))
        return np.where(items == "i3", 4.0, 0.0)

    monkeypatch.setitem(sys.modules, "my_shop", SimpleNamespace(worth=worth, wrong=lambda *_: np.zeros(3)))
    total, _ = values({"name": "function", "function": "my_shop:worth"})
    assert total.tolist() == [[0, 0, 4, 0]]
    assert seen == [([["i9", "i7", "i3", ""]], ["i7"], [["i5", "i3"]])]
    with pytest.raises(ConfigError, match="returns an array of shape"):
        values({"name": "function", "function": "my_shop:wrong"})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "function", "function": "no_such_module:f"}, "cannot be imported"),
        ({"name": "function", "function": "numpy"}, "cannot be imported"),
        ({"name": "function"}, "function goes with"),
        ({"name": "hit", "column": "price"}, "column goes with"),
        ({"name": "column", "column": "prise"}, "Did you mean 'price'"),
        ({"name": "column", "column": "name"}, "column of numbers"),
        ({"name": "scorer", "scorer": "sasrek"}, "sasrec"),
        ({"name": "hits"}, "hit"),
    ],
)
def test_wrong_terms_are_named(settings, says):
    with pytest.raises(ConfigError) as error:
        values(settings)
    assert says in str(error.value)


def test_the_sum_along_one_path_is_known_only_where_nothing_else_counts():
    made = Rewards([RewardSettings(name="hit"), RewardSettings(name="prefix", weight=3)], index(), TRAIN)
    assert made.by_level.tolist() == pytest.approx([1, 1, 2])
    assert Rewards([RewardSettings(name="novelty")], index(), TRAIN).by_level is None
