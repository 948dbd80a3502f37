"""The demo shop is readable, follows its documented rules, and cannot be solved by popularity."""

import hashlib
from functools import cache

import numpy as np
import polars as pl
import pytest

from genrec.data.shop import RULES, ceiling, make_shop, write_shop
from genrec.data.shop.catalogue import stock_shelf
from genrec.data.shop.shoppers import LONGEST, SHORTEST, Crowd, Rules, draw_traits
from genrec.data.shop.words import load_words
from genrec.errors import ConfigError


@cache
def shop():
    return make_shop()


def sequences():
    """Catalogue positions of every user, oldest first."""
    items, interactions = shop()
    place = dict(zip(items["item_id"], range(len(items)), strict=True))
    return [
        np.array([place[item] for item in row])
        for row in interactions.group_by("user_id", maintain_order=True).agg("item_id")["item_id"].to_list()
    ]


def open_crowd(n_items=400, n_users=300, seed=0):
    rng = np.random.default_rng(seed)
    shelf = stock_shelf(n_items, rng)
    return Crowd(shelf, draw_traits(n_users, shelf, Rules(), rng), Rules()), rng


def test_words_are_consistent():
    words = load_words()
    names = [kind.name for kind in words.types]
    assert len(words.departments) == 10
    assert len(set(names)) == len(names) == 150
    assert all(name in names for kind in words.types for name in kind.then)
    assert all(len(set(kind.then)) == 3 and len(set(kind.options)) == len(kind.options) for kind in words.types)
    assert all(1 <= month <= 12 for kind in words.types for month in kind.months)
    assert len({(line.brand, line.series) for line in words.lines}) == len(words.lines) == 100
    assert all(isinstance(text, str) for kind in words.types for text in (*kind.options, *kind.then, kind.use))


def test_items_read_like_a_shop():
    items, _ = shop()
    assert items.columns == ["item_id", "title", "brand", "categories", "price", "description"]
    assert len(items) == 1500
    assert items.schema["categories"] == pl.List(pl.String)
    assert items.schema["price"] == pl.Float64
    assert items["item_id"].n_unique() == items["title"].n_unique() == 1500
    assert items["price"].min() > 0
    assert items.null_count().sum_horizontal().item() == 0
    for row in items.iter_rows(named=True):
        assert row["title"].startswith(row["brand"])
        assert row["categories"][-1] in row["title"]
        assert row["brand"] in row["description"]
        assert len(row["categories"]) == 3
        assert row["description"][0].isupper()
        assert row["description"].endswith(".")
        assert "{" not in row["description"] + row["title"]


@pytest.mark.parametrize("n_items", [80, 399, 4000, 10_000])
def test_titles_are_distinct_at_every_size(n_items):
    items, interactions = make_shop(n_items=n_items, n_users=20)
    assert items["title"].n_unique() == len(items) == n_items
    assert interactions["item_id"].is_in(items["item_id"].implode()).all()


def test_users_do_not_influence_items():
    assert make_shop(n_items=200, n_users=5)[0].equals(make_shop(n_items=200, n_users=50)[0])


def test_lengths_and_times():
    _, interactions = shop()
    users = interactions.group_by("user_id", maintain_order=True).agg(
        pl.len(), (pl.col("timestamp").diff().min() > 0).alias("grows")
    )
    assert len(users) == 4000
    assert users["len"].min() >= SHORTEST
    assert users["len"].max() <= LONGEST
    assert 10 <= users["len"].median() <= 12
    assert users["grows"].all()
    years = pl.from_epoch(interactions["timestamp"]).dt.year()
    assert set(years) == {2023, 2024}


def test_same_seed_same_bytes_other_seed_other_shop(tmp_path):
    def digest(name, seed):
        paths = write_shop(tmp_path / name, n_items=200, n_users=50, seed=seed)
        assert [path.name for path in paths] == ["items.jsonl", "interactions.csv"]
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]

    first, second, other = digest("a", 3), digest("b", 3), digest("c", 4)
    assert first == second
    assert all(one != another for one, another in zip(first, other, strict=True))


def test_files_read_back(tmp_path):
    items_path, interactions_path = write_shop(tmp_path, n_items=200, n_users=50)
    items, interactions = make_shop(n_items=200, n_users=50)
    assert pl.read_ndjson(items_path).equals(items)
    assert pl.read_csv(interactions_path).equals(interactions)
    assert RULES in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_documented_odds_are_the_ones_drawn_from():
    """The first purchases of many look-alikes are distributed as ``item_odds`` says."""
    crowd, rng = open_crowd(n_items=80, n_users=300)
    for (visitors, when), _ in zip(crowd.visits(), range(3), strict=False):
        crowd.buy(visitors, when, rng)
    users, months = np.arange(300), np.full(300, 5)
    odds = crowd.item_odds(users, months)
    np.testing.assert_allclose(odds.sum(axis=1), 1.0)

    twins, _ = open_crowd(n_items=80, n_users=300)
    draws = np.zeros(80)
    for _ in range(60):
        for name, value in vars(crowd).items():  # back to the same past
            setattr(twins, name, value.copy() if isinstance(value, np.ndarray) else value)
        draws += np.bincount(twins.buy(users, months, rng), minlength=80)
    expected = odds.sum(axis=0) * 60
    assert ((draws - expected) ** 2 / expected).sum() < 80 + 5 * np.sqrt(2 * 80)


def joined():
    items, interactions = shop()
    return interactions.join(items, on="item_id", maintain_order="left").with_columns(
        pl.from_epoch("timestamp").dt.month().alias("month"), pl.col("categories").list.last().alias("type")
    )


def test_seasonal_types_sell_in_their_months():
    table, lifts = joined(), []
    everything = table["month"].value_counts(normalize=True)
    usual = dict(zip(everything["month"], everything["proportion"], strict=True))
    for kind in load_words().types:
        if kind.months:
            own = table.filter(pl.col("type") == kind.name)["month"].is_in(kind.months).mean()
            lifts.append(own / sum(usual[month] for month in kind.months))
    assert np.mean(lifts) > 1.25


def test_shoppers_keep_to_few_departments_and_to_their_series():
    table = joined().with_columns(pl.col("categories").list.first().alias("department"))
    share = (
        table.group_by("user_id", "department")
        .len()
        .group_by("user_id")
        .agg((pl.col("len").top_k(3).sum() / pl.col("len").sum()).alias("share"))
    )
    assert share["share"].mean() > 0.85
    brands = (
        table.group_by("user_id", "department", "brand")
        .len()
        .group_by("user_id", "department")
        .agg(pl.col("len").max().alias("most"), pl.col("len").sum().alias("all"))
        .filter(pl.col("all") >= 4)
    )
    assert (brands["most"] / brands["all"]).mean() > 0.5


def test_a_tent_is_followed_by_what_goes_with_it():
    table = joined().filter(pl.col("categories").list.first() == "Camping & Hiking")
    table = table.with_columns(pl.col("type").shift(-1).over("user_id").alias("next"))
    after = table.filter((pl.col("type") == "Two-Person Tent") & pl.col("next").is_not_null())["next"]
    assert after.is_in(["Sleeping Bag", "Tent Footprint", "Sleeping Mat"]).mean() > 0.5
    assert (after == "Two-Person Tent").mean() < 0.05


def transition_counts(train, histories, n_items, window=10, last=10):
    """Scores of all items by the counts that the project uses everywhere as a baseline, ``(n, n_items)``."""
    counts = np.zeros((n_items, n_items))
    for sequence in train:
        for distance in range(1, min(window, len(sequence) - 1) + 1):
            np.add.at(counts, (sequence[:-distance], sequence[distance:]), 1 / distance)
    counts /= np.sqrt(np.maximum(counts.sum(axis=1, keepdims=True), 1e-12))
    scores = np.zeros((len(histories), n_items))
    for row, history in zip(scores, histories, strict=True):
        newest = history[::-1][:last]
        row += (counts[newest] / np.arange(1, len(newest) + 1)[:, None]).sum(axis=0)
    return scores


def hit_rate(scores, histories, targets, k=10):
    for row, history in zip(scores, histories, strict=True):
        row[history] = -1.0
    own = scores[np.arange(len(targets)), targets]
    return ((scores > own[:, None]).sum(axis=1) < k)[own >= 0].sum() / len(targets)


def test_popularity_fails_counts_help_and_much_is_left():
    users = sequences()
    train, histories = [user[:-2] for user in users], [user[:-1] for user in users]
    targets = np.array([user[-1] for user in users])
    popularity = np.bincount(np.concatenate(train), minlength=1500).astype(float)
    by_popularity = hit_rate(np.tile(popularity, (len(users), 1)), histories, targets)
    by_counts = hit_rate(transition_counts(train, histories, 1500) + popularity * 1e-9, histories, targets)
    best = ceiling(n_users=1500)
    assert 0.005 < by_popularity < 0.04
    assert 0.1 < by_counts < 0.22
    assert best > max(0.35, 2 * by_counts)
    assert np.mean([user[-1] in user[:-1] for user in users]) < 0.06


@pytest.mark.parametrize("wrong", [{"n_items": 10}, {"n_items": 10**6}, {"n_users": 0}, {"seed": -1}])
def test_numbers_out_of_range(wrong):
    with pytest.raises(ConfigError, match=f"{next(iter(wrong.values())):,}"):
        make_shop(**wrong)


def test_rules_carry_the_numbers():
    assert f"{Rules().noise:.0%}" in RULES
    assert f"{Rules().repeat:.0%}" in RULES
    assert str(Rules().then[0]) in RULES
