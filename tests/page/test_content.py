"""What a page in one file holds: plain, safe, and true to the recommenders."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest
from page_support import HOSTILE, hostile_recommender

from genrec.baselines.popularity import Popularity
from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.page.assembly import embedded, served_page, whole_page
from genrec.page.content import page_content, plain
from genrec.page.people import one_item_each, sampled_people

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


@pytest.fixture(scope="module")
def recommenders():
    made = hostile_recommender()
    walks = Histories.from_lists([[n % 60, (n + 1) % 60, n % 7] for n in range(50)])
    other = hostile_recommender(1, "seq2seq", made.index)
    return {"first": made, "<b>other": other, "popular": Popularity().fit(walks, made.item_ids)}


@pytest.fixture(scope="module")
def people(recommenders):
    rng = np.random.default_rng(0)
    walks = Histories.from_lists([rng.permutation(60)[:6] for _ in range(9)], [f"u{n}</script>" for n in range(9)])
    return sampled_people(walks, recommenders["first"].item_ids, users=5, hold_out=1)


def test_lists_are_those_of_the_recommenders_and_parts_add_up(recommenders, people):
    content = page_content(recommenders, people, k=4)
    assert [one["name"] for one in content["models"]] == list(recommenders)
    assert [one["catalogue"] for one in content["models"]] == [0, 0, None]  # both speak the same codes
    assert len(content["items"]) == 60
    assert content["items"]["i000"]["title"] == HOSTILE[0]
    assert content["items"]["i003"]["fields"] == {"categories": ["lamp", "outdoor"], "brand": "<i>Birch</i>"}
    for person, user in zip(people, content["users"], strict=True):
        assert user["history"] == person.history
        assert user["next"] == person.next
        assert len(person.next) == 1
        for (name, one), answer in zip(recommenders.items(), user["answers"], strict=True):
            assert [item["item_id"] for item in answer["items"]] == one.recommend([person.history], 4).item_ids[0]
            for item in answer["items"]:
                assert sum(item["parts"].values()) == pytest.approx(item["score"], abs=1e-3)
                assert set(item["parts"]) == ({"popularity"} if name == "popular" else {"network", "words"})
                codes = content["catalogues"][0]["codes"][item["item_id"]]
                assert item["semantic_id"] == ([] if name == "popular" else codes)


def test_a_page_of_part_of_a_catalogue_counts_all_of_it(recommenders, people):
    one = {"first": recommenders["first"]}
    content = page_content(one, people[:1], k=3, most_items=20)
    tree, index = content["catalogues"][0], recommenders["first"].index
    assert len(content["items"]) == len(tree["codes"]) == 20
    assert tree["n_items"] == 60
    for path, total in tree["totals"].items():
        assert total == len(index.trie.items_under([int(code) for code in path.split("/")]))
    assert {path for path in tree["totals"] if "/" not in path} == {str(codes[0]) for codes in tree["codes"].values()}


def test_the_file_is_safe_and_complete(recommenders, people):
    content = page_content(recommenders, people, k=3)
    text = whole_page(content)
    assert text == whole_page(page_content(recommenders, people, k=3))  # the same input gives the same bytes
    found = DATA.findall(text)
    assert len(found) == 1
    assert not set(found[0]) & set("<>&\u2028\u2029")
    assert json.loads(found[0]) == content
    assert HOSTILE[0] not in text
    assert not re.search(r"""(?:src|href)=["'](?!#)|url\(|@import|https?://""", text)
    for tag in ("script", "style"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in text
    assert "'unsafe-inline'" not in text


def test_the_frame_of_a_service_loads_its_own_files_only():
    assert sorted(re.findall(r'(?:src|href)="([^"#]+)"', served_page())) == ["data:,", "page/page.css", "page/page.js"]
    assert json.loads(DATA.findall(served_page())[0]) == {"live": True}


@pytest.mark.parametrize("text", [*HOSTILE, "\ud800 half", "\x00\x1b[31m"])
def test_embedded_json_means_the_same_and_ends_nothing(text):
    made = embedded({"a": [text]})
    assert not set(made) & set("<>&\u2028\u2029")
    assert json.loads(made)["a"][0] == text.encode("utf-8", "replace").decode()


def test_fields_are_plain():
    assert plain(float("inf")) is None
    assert plain([None, float("nan"), "x"]) == [None, "x"]
    assert plain("  ") is None
    assert len(plain("x" * 1000)) == 300


def test_recommenders_of_other_items_do_not_stand_side_by_side(recommenders, people):
    stranger = Popularity().fit(Histories.from_lists([[0, 1]]), ["a", "b"])
    with pytest.raises(ConfigError, match="same items"):
        page_content({"first": recommenders["first"], "stranger": stranger}, people)


def test_people_are_a_sample_in_the_order_of_the_table():
    walks = Histories.from_lists([[0], [0, 1], [1, 2, 3], [2, 0]], list("abcd"))
    ids = np.array(["w", "x", "y", "z"], dtype=object)
    found = sampled_people(walks, ids, users=10, hold_out=1)
    assert [(one.user, one.history, one.next) for one in found] == [
        ("b", ["w"], ["x"]),
        ("c", ["x", "y"], ["z"]),
        ("d", ["y"], ["w"]),
    ]
    assert len(sampled_people(walks, ids, users=2, seed=1)) == 2
    with pytest.raises(ConfigError, match="more than 3 items"):
        sampled_people(walks, ids, users=2, hold_out=3)
    names = [one.user for one in one_item_each(ids, ["tea", "tea", "cup", "cup"], users=4)]
    assert len(set(names)) == 4
