"""Words that are derived from a sample."""

import numpy as np
import pytest

from genrec.prompts.samples import gaps, query_words, stated_preference

DAY = 86_400


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_gaps_in_words_whatever_the_unit(unit):
    steps = [0, 60, 3 * 3600, DAY, 6 * DAY, 20 * DAY, 100 * DAY, 800 * DAY]
    times = (1_600_000_000 + np.cumsum(steps)) * unit
    assert gaps(times) == [
        "",
        "within the hour",
        "3 hours later",
        "1 day later",
        "6 days later",
        "2 weeks later",
        "3 months later",
        "2 years later",
    ]


def test_no_items_have_no_gaps():
    assert gaps(np.zeros(0, dtype=np.int64)) == []


def test_a_preference_is_what_the_history_has_most_of():
    items = [{"category": "tea", "brand": ""}, {"category": "cup", "brand": "A"}, {"category": "tea", "brand": "A"}]
    assert stated_preference(items) == "category tea, brand A"
    assert stated_preference([{"category": "", "title": "x"}]) == ""
    assert stated_preference([]) == ""


def test_queries_are_a_few_words_of_the_item_in_their_order():
    item = {"title": "Large red enamel cup", "category": "Home > Cups"}
    query = query_words(item, 3).split()
    words = ["large", "red", "enamel", "cup", "home", "cups"]
    assert len(query) == 3
    assert sorted(query, key=words.index) == query
    assert query_words(item, 3) == query_words(item, 3)
    assert len({query_words(item, seed) for seed in range(20)}) > 3
    assert query_words({**item, "query": "mug"}, 3) == "mug"
    assert query_words({"title": "Red cup", "category": ""}, 0) == "red cup"
