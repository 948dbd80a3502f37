from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from support import make_tables

from genrec import drawing
from genrec.data import Catalog, Interactions, leave_one_out
from genrec.data.histories import Histories
from genrec.index.agreement import pairs_of_cases, pairs_of_histories, split_agreement
from genrec.index.recipe import TokenizerRecipe
from genrec.index.report import checks, collision_line, compute_stats, overall, render_report
from genrec.index.report.html import render_index_html
from genrec.index.semantic_index import SemanticIndex
from genrec.index.stats import _distinct_rows

KMEANS = {"name": "rq-kmeans", "levels": 2, "codebook_size": 8, "iterations": 5, "backend": "scikit-learn"}
FSQ = {"name": "fsq", "slots": 2, "levels": [4, 4], "hidden": [8], "epochs": 2}


def build(catalog, quantizer):
    return SemanticIndex.build(catalog, TokenizerRecipe(encoder={"name": "lsa", "dim": 8}, quantizer=quantizer))


@pytest.fixture(scope="module")
def shop():
    items, interactions = make_tables()
    catalog = Catalog.from_frame(items)
    return catalog, leave_one_out(Interactions.from_frame(interactions).histories(catalog))


@pytest.fixture(scope="module", params=[KMEANS, FSQ], ids=lambda q: q["name"])
def measured(shop, request):
    index = build(shop[0], request.param)
    return index, compute_stats(index, split=shop[1])


def test_pairs_by_hand():
    left, right = pairs_of_histories(Histories.from_lists([[1, 2, 1, 3], [5], [6, 7]]), window=2)
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == [(1, 2), (1, 3), (2, 1), (2, 3), (6, 7)]
    cases = leave_one_out(Histories.from_lists([[1, 2, 3, 4, 5], [4, 4, 4, 1]])).validation
    left, right = pairs_of_cases(cases, window=2)
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == [(2, 4), (3, 4)]
    assert [len(part) for part in pairs_of_histories(Histories.from_lists([[1]]))] == [0, 0]


@pytest.mark.parametrize("parallel", [False, True])
def test_agreement_equals_brute_force(shop, parallel):
    split = shop[1]
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, (60, 3)).astype(np.int32)
    first, second = split_agreement(codes, (3, 3, 3), parallel, split)
    assert (first.part, second.part) == ("train", "validation")
    for one, (left, right) in (
        (first, pairs_of_histories(split.train)),
        (second, pairs_of_cases(split.validation)),
    ):
        assert one.pairs == len(left)
        for level in range(3):
            which = slice(level, level + 1) if parallel else slice(0, level + 1)
            same = (codes[left, which] == codes[right, which]).all(axis=1)
            assert one.by_level[level] == pytest.approx(same.mean())
            grid = (codes[left][:, None, which] == codes[right][None, :, which]).all(axis=2)
            other = left[:, None] != right[None, :]
            assert one.random_by_level[level] == pytest.approx(grid[other].mean())
        assert one.lift == pytest.approx(sum(one.by_level) / sum(one.random_by_level))


def test_joint_purchases_share_codes_in_a_shop_with_kinds(shop):
    stats = build(shop[0], KMEANS).stats(shop[1])
    assert stats.agreement[-1].part == "validation"
    assert stats.agreement[-1].lift > 2
    random = build(shop[0], {"name": "random", "levels": 2, "codebook_size": 8}).stats(shop[1])
    assert random.agreement[-1].lift < 2


def test_nothing_of_the_test_part_is_looked_at(shop):
    catalog, split = shop
    blind = replace(split, test=None)
    index = build(catalog, KMEANS)
    assert compute_stats(index, split=blind) == compute_stats(index, split=split)


def test_equal_vectors_set_the_floor_of_the_collision_rate():
    frame = pl.DataFrame({"item_id": [f"i{n}" for n in range(40)], "title": [f"cup {n % 10} blue" for n in range(40)]})
    stats = build(Catalog.from_frame(frame), {**KMEANS, "levels": 3}).stats()
    assert stats.duplicate_rate == pytest.approx(0.75)
    assert stats.collision_rate >= stats.duplicate_rate
    assert sum(size * n for size, n in stats.buckets) == 40
    assert max(size for size, _ in stats.buckets) == stats.largest_bucket
    check = checks(stats)[0]
    assert (check.topic, check.grade) == ("collisions", "poor")
    assert "75.00% have the same vector as another" in check.sentence
    assert "fewer duplicates" in check.sentence
    assert overall(stats).startswith("A usable index with weak points: collisions")


def without_weakness(stats):
    """The same with figures that every check calls good."""
    even = tuple(replace(level, gini=0.1, used=level.size) for level in stats.levels)
    agreement = tuple(replace(one, by_level=(0.5, 0.4), random_by_level=(0.05, 0.01)) for one in stats.agreement)
    return replace(
        stats,
        collision_rate=0.005,
        largest_bucket=3,
        moved_items=0,
        levels=even,
        reconstruction_error=0.5,
        n_items=10_000,
        similarity_random=0.0,
        similarity_by_level=(0.4, 0.4),
        agreement=agreement,
    )


def test_grades_follow_their_thresholds(measured):
    _, stats = measured
    good = without_weakness(stats)
    even = good.levels
    assert {check.grade for check in checks(good)} == {"good"}
    assert overall(good) == "A good index: no check found a weakness."
    for changed, topic, grade in (
        ({"collision_rate": 0.03}, "collisions", "fair"),
        ({"largest_bucket": 65}, "largest group", "poor"),
        ({"reconstruction_error": 0.7}, "reconstruction error", "fair"),
        ({"similarity_by_level": (0.01, 0.01)}, "likeness under a code", "poor"),
        ({"levels": tuple(replace(level, gini=0.6) for level in even)}, "evenness (Gini)", "fair"),
    ):
        found = {check.topic: check for check in checks(replace(good, **changed))}
        assert found[topic].grade == grade
        assert topic in overall(replace(good, **changed))
    poor = replace(good, similarity_by_level=(0.01, 0.01), collision_rate=0.2)
    assert overall(poor).endswith(
        "ot a good index: its codes say little about the items (collisions and likeness under a code)."
    )
    assert "bought together" not in {check.topic for check in checks(replace(good, agreement=()))}


def test_levels_that_only_number_are_not_judged(shop):
    stats = build(shop[0], {"name": "hierarchical-kmeans", "levels": 3, "codebook_size": 8}).stats()
    assert [level.kind for level in stats.levels[:3]] == ["residual", "residual", "number"]
    assert stats.min_utilisation == min(level.used / 8 for level in stats.levels[:2])


def test_what_moving_costs_is_said(shop):
    settings = {**KMEANS, "codebook_size": 32, "last_level": "uniform"}
    stats = build(shop[0], settings).stats()
    assert stats.collision_rate < stats.nearest_collision_rate
    found = {check.topic: check for check in checks(stats)}["moved items"]
    assert f"{stats.moved_items:,} items were moved from their nearest codes" in found.sentence
    assert f"nearest codes alone: collision rate {stats.nearest_collision_rate:.2%}" in found.sentence
    assert stats.nearest_colliding_items > stats.nearest_collision_rate


@pytest.mark.parametrize(("moved", "grade"), [(0, None), (500, "good"), (1500, "fair"), (4000, "poor")])
def test_the_verdict_sees_items_that_were_moved(measured, moved, grade):
    stats = replace(without_weakness(measured[1]), moved_items=moved)
    found = {check.topic: check.grade for check in checks(stats)}
    assert found.get("moved items") == grade
    assert ("moved items" in overall(stats)) == (grade in ("fair", "poor"))


def test_one_line_tells_what_became_of_equal_codes(shop):
    settings = {**KMEANS, "codebook_size": 32, "last_level": "uniform"}
    index = build(shop[0], settings)
    stats, depth = index.stats(), index.quantizer_levels
    rows = [tuple(row) for row in index.nearest_codes.tolist()]
    shared = sum(rows.count(row) > 1 for row in rows)
    left = [tuple(row) for row in index.codes[:, :depth].tolist()]
    assert collision_line(stats) == (
        f"{shared} of 60 items ({shared / 60:.1%}) share their nearest codes; "
        f"{stats.moved_items} moved to other codes; "
        f"{sum(left.count(row) > 1 for row in left)} ({stats.colliding_items:.1%}) share codes before disambiguation, "
        "none after"
    )


def test_a_check_says_to_which_models_it_matters(measured):
    _, stats = measured
    poor = replace(stats, similarity_by_level=(0.01, 0.01), similarity_random=0.0, agreement=())
    slots = stats.levels[0].kind == "slot"
    assert overall(poor).startswith("For a model that scores all slots at once (RecGPT): ") == slots
    assert ("For one that generates code by code: not a good index" in overall(poor)) == slots
    assert "matters to" in render_report(*measured)
    assert {check.topic for check in checks(stats) if check.matters == "every model"} >= {"collisions", "largest group"}


def test_more_codes_than_items_are_no_unevenness(shop):
    catalog = shop[0]
    stats = build(catalog, {"name": "random", "levels": 1, "codebook_size": 4000}).stats()
    assert stats.levels[0].gini > 0.98
    assert next(check for check in checks(stats) if check.topic.startswith("evenness")).grade == "good"
    alone = build(catalog, {"name": "atomic"}).stats()
    assert overall(alone) == "Not a good index: its codes say little about the items (likeness under a code)."


def test_pages_say_the_same(measured):
    index, stats = measured
    page, html = render_report(index, stats), render_index_html(index, stats, command="genrec index show x")
    assert overall(stats) in page
    for check in checks(stats):
        assert check.sentence in page
    assert "## Bought together" in page
    text = Text()
    text.feed(html)
    assert overall(stats) in text.said
    for check in checks(stats):
        assert check.sentence in text.said
        assert check.rule in text.said
    assert html.count("<svg") == 4
    assert "http" not in html.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    ).replace("https://matplotlib.org", "")
    assert html == render_index_html(index, stats, command="genrec index show x")
    assert "(--interactions)" in render_index_html(index, replace(stats, agreement=()))


def test_without_matplotlib_the_page_names_the_extra(measured, monkeypatch):
    monkeypatch.setattr(drawing, "available", lambda: False)
    html = render_index_html(*measured)
    assert "<svg" not in html
    assert "pip install &#39;genrec[report]&#39;" in html


class Text(HTMLParser):
    """The text of a page."""

    def __init__(self):
        super().__init__()
        self.said = ""

    def handle_data(self, data):
        self.said += data


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_distinct_rows_are_counted_by_their_bytes(dim):
    rows = np.random.default_rng(dim).integers(0, 3, size=(400, dim)).astype(np.float32)
    assert _distinct_rows(rows) == len(np.unique(rows, axis=0))
    assert _distinct_rows(rows[:, ::-1]) == len(np.unique(rows, axis=0))
    assert _distinct_rows(np.array([[0.0], [-0.0], [0.0]], dtype=np.float32)) == 2


def test_nearest_codes_of_a_new_index_are_those_of_a_loaded_one(shop, tmp_path):
    index = build(shop[0], {**KMEANS, "last_level": "uniform"})
    known = index.nearest_codes
    index.save(tmp_path / "index")
    assert np.array_equal(SemanticIndex.load(tmp_path / "index").nearest_codes, known)


def test_levels_without_use_are_not_praised(shop):
    """As many first codes as items: everything below is one code."""
    catalog = shop[0].select(np.arange(6))
    stats = compute_stats(build(catalog, {**KMEANS, "codebook_size": 6}))
    found = {check.topic: check.sentence for check in checks(stats)}
    assert found["codes in use"].startswith("A level uses no more than 16.7% of the codes that it could.")
    assert "as varied as 1 equally frequent code of 6," in found["evenness (Gini)"]


@pytest.mark.parametrize("quantizer", [KMEANS, FSQ], ids=lambda q: q["name"])
@pytest.mark.parametrize("n_items", [1, 2, 9])
def test_of_a_handful_of_items_nothing_is_said(shop, quantizer, n_items):
    stats = build(shop[0].select(np.arange(n_items)), quantizer).stats()
    noun = "1 item" if n_items == 1 else f"{n_items} items"
    assert overall(stats) == f"Nothing can be said of so few items: {noun} would look well with any codes."


def test_no_weakness_is_not_good_where_nothing_tells_what_codes_mean(measured):
    stats = replace(without_weakness(measured[1]), similarity_random=None, agreement=[])
    assert overall(stats).startswith("No check found a weakness; whether the codes say")
