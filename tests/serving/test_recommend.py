"""Answers are those of ``recommend()``, whatever is asked for; what is wrong is named with its field."""

import json

import numpy as np
import pytest

from genrec.serving.schema import ManyLists, OneList

HISTORY = ["i000", "i006", "i012"]


def ids(items):
    return [item["item_id"] for item in items]


def expected(recommender, history, k=10, **more):
    found = recommender.recommend([history], k, **more)
    return found.item_ids[0], found.scores[0][found.items[0] >= 0]


ASKED = {
    "nothing more": ({}, {}),
    "k": ({"k": 3}, {}),
    "k above the beams": ({"k": 25}, {}),
    "seen items": ({"exclude_seen": False}, {}),
    "allow": ({"allow": ["i001", "i002", "i018", "i000"]}, {}),
    "deny": ({"deny": ["i018", "i024", "i030"]}, {}),
    "deny and allow": ({"allow": ["i018", "i024", "i030"], "deny": ["i024"]}, {}),
    "where": ({"where": ["categories=tea"]}, {"allow": lambda i: i % 6 == 1}),
    "two conditions": (
        {"where": ["categories=tea", "categories=outdoor"]},
        {"allow": lambda i: i % 6 == 1 and i % 3 == 0},
    ),
    "within": ({"within": "cups"}, {"allow": lambda i: i % 6 == 0}),
    "prior": ({"prior": {"i001": 9.5, "i002": -3.0}}, {}),
    "prior with a weight": ({"prior": {"i001": 9.5, "i018": -3.0}, "prior_weight": 0.5}, {}),
    "beams": ({"beams": 60}, {}),
    "exact": ({"exact": True}, {}),
    "groups": ({"groups": 2, "diversity_penalty": 1.0}, {}),
    "limit of a prefix": ({"max_per_prefix": 2, "prefix_length": 1}, {}),
    "re-ranking": ({"mmr": 0.5}, {}),
    "children": ({"normalize": "children"}, {}),
    "words": ({"words": 3.0}, {}),
}
OPTIONS = (
    "beams",
    "groups",
    "diversity_penalty",
    "max_per_prefix",
    "prefix_length",
    "mmr",
    "normalize",
    "words",
    "exact",
)


@pytest.mark.parametrize("case", ASKED)
def test_answers_are_those_of_the_recommender(client, recommender, case):
    asked, changed = ASKED[case]
    more = {name: value for name, value in asked.items() if name in ("k", "exclude_seen", "allow", "deny", "prior")}
    if "allow" in changed:
        more["allow"] = [item for n, item in enumerate(recommender.item_ids) if changed["allow"](n)]
    options = {name: asked[name] for name in (*OPTIONS, "prior_weight") if name in asked}
    items, scores = expected(recommender, HISTORY, **more, options=options or None)
    answer = client.post("/recommend", json={"history": HISTORY, **asked})
    assert answer.status_code == 200, answer.text
    found = OneList.model_validate(answer.json())
    assert [item.item_id for item in found.items] == items
    np.testing.assert_allclose([item.score for item in found.items], scores, atol=1e-5)
    assert [item.rank for item in found.items] == list(range(1, len(items) + 1))
    assert found.version == 1
    assert recommender.index.fingerprint.startswith(found.index_version)
    assert len(found.items) == asked.get("k", 10) or [note.code for note in found.notes] == ["fewer_than_k"]


NO_EFFECT = {
    "nothing said": ({}, {}),
    "a penalty without groups": ({"diversity_penalty": 2.0}, {"diversity_penalty": "groups is 1"}),
    "a penalty of groups": ({"diversity_penalty": 2.0, "groups": 2}, {}),
    "a length without a limit": ({"prefix_length": 2}, {"prefix_length": "max_per_prefix is not set"}),
    "beams of an exact ranking": ({"exact": True, "beams": 9}, {"beams": "exact ranks all items"}),
    "a weight without a prior": ({"prior_weight": 2.0}, {"prior_weight": "there is no prior beside the request"}),
    "a weight of a prior": ({"prior_weight": 2.0, "prior": {"i001": 1.0}}, {}),
}


@pytest.mark.parametrize("case", NO_EFFECT)
def test_fields_that_change_nothing_are_noted(client, case):
    asked, expected = NO_EFFECT[case]
    notes = client.post("/recommend", json={"history": HISTORY, "k": 3, **asked}).json()["notes"]
    assert {note["where"]: note["code"] for note in notes} == dict.fromkeys(expected, "no_effect")
    for note in notes:
        assert note["message"] == f"'{note['where']}' changes nothing here, since {expected[note['where']]}."
    many = client.post("/recommend", json={"histories": [HISTORY, []], "k": 3, **asked}).json()
    assert [note["where"] for note in many["notes"]] == [note["where"] for note in notes]


def test_an_item_is_shown_as_the_catalogue_has_it(client, recommender):
    item = client.post("/recommend", json={"history": HISTORY, "fields": True, "k": 1}).json()["items"][0]
    position = recommender.positions[item["item_id"]]
    assert item["semantic_id"] == recommender.index.codes[position].tolist()
    assert item["title"] == item["fields"]["title"] == recommender.index.catalog.frame["title"][position]
    assert item["fields"]["categories"] == recommender.index.catalog.frame["categories"][position].to_list()


def test_many_users_and_histories_in_one_request(client, recommender, service):
    known = service.models["shop"].current.users.histories
    users = known.user_ids[:3].tolist()
    answer = client.post("/recommend", json={"users": [*users, "nobody"], "k": 4})
    found = ManyLists.model_validate(answer.json())
    alone = recommender.recommend(known.select(np.arange(3)), 4)
    assert [[item.item_id for item in one.items] for one in found.results[:3]] == alone.item_ids
    assert [one.user for one in found.results] == [*users, "nobody"]
    assert [note.code for note in found.results[3].notes] == ["unknown_user"]
    body = {
        "histories": [["i000"], [], ["i007", "i001"]],
        "k": 5,
        "allow_each": [None, None, ["i003", "i009"]],
        "deny_each": [["i006"], None, ["i009"]],
        "within": ["cups", None, None],
    }
    results = client.post("/recommend", json=body).json()["results"]
    cups = [item for n, item in enumerate(recommender.item_ids) if n % 6 == 0]
    assert ids(results[0]["items"]) == expected(recommender, ["i000"], 5, allow=cups, deny=["i006"])[0]
    assert ids(results[1]["items"]) == expected(recommender, [], 5)[0]
    assert ids(results[2]["items"]) == ["i003"]
    assert [one["user"] for one in results] == [None] * 3


def test_a_user_by_name(client, recommender, service):
    known = service.models["shop"].current.users.histories
    user = known.user_ids[5]
    answer = client.get("/recommend", params={"user": user, "k": 3, "where": ["categories=tea"], "beams": 20})
    teas = [item for n, item in enumerate(recommender.item_ids) if n % 6 == 1]
    found = recommender.recommend(known.select(np.array([5])), 3, allow=teas, options={"beams": 20})
    assert ids(answer.json()["items"]) == found.item_ids[0]
    assert (
        ids(client.post("/recommend", json={"user": user, "k": 3}).json()["items"])
        == (recommender.recommend(known.select(np.array([5])), 3).item_ids[0])
    )


def test_what_was_left_out_is_noted(client, recommender):
    body = {"history": ["i000", "gone", "i006", "gone"], "deny": ["nope"], "prior": {"i001": 1.0, "not": 2.0}, "k": 3}
    answer = client.post("/recommend", json=body).json()
    assert ids(answer["items"]) == expected(recommender, ["i000", "i006"], 3, prior={"i001": 1.0})[0]
    notes = {(note["code"], note["where"]): note["items"] for note in answer["notes"]}
    assert notes == {
        ("unknown_items", "history"): ["gone"],
        ("unknown_items", "deny"): ["nope"],
        ("unknown_items", "prior"): ["not"],
    }
    nothing = client.post("/recommend", json={"history": ["gone"], "k": 2}).json()
    assert {note["code"] for note in nothing["notes"]} == {"unknown_items", "empty_history"}
    assert len(nothing["items"]) == 2
    none = client.post("/recommend", json={"history": HISTORY, "where": ["title=no such thing"]}).json()
    assert none["items"] == []
    assert none["notes"][0]["message"].startswith("0 of 10 items")
    assert client.post("/recommend", json={"history": HISTORY, "allow": []}).json()["items"] == []


def test_a_baseline_is_served_beside_it(client, service):
    popular = service.models["popular"].current.recommender
    body = {"model": "popular", "history": HISTORY, "k": 4, "deny": ["i007"], "exclude_seen": False}
    answer = client.post("/recommend", json=body).json()
    assert answer["model"] == "popular"
    assert ids(answer["items"]) == popular.recommend([HISTORY], 4, deny=["i007"], exclude_seen=False).item_ids[0]
    allowed = client.post("/recommend", json={"model": "popular", "history": [], "allow": ["i007", "i003"]}).json()
    assert sorted(ids(allowed["items"])) == ["i003", "i007"]
    for name, value in {"beams": 3, "within": "cups", "prior": {"i001": 1.0}, "where": ["title=x"]}.items():
        refused = client.post("/recommend", json={"model": "popular", "history": [], name: value})
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["loc"] == ["body", name]


WRONG = {
    "nobody": ({}, ["body"]),
    "two at once": ({"user": "u", "history": []}, ["body"]),
    "k": ({"history": [], "k": 0}, ["body", "k"]),
    "k as text": ({"history": [], "k": "5"}, ["body", "k"]),
    "k above the service's": ({"history": [], "k": 51}, ["body", "k"]),
    "k above all": ({"history": [], "k": 10**30}, ["body", "k"]),
    "beams": ({"history": [], "beams": 81}, ["body", "beams"]),
    "a number as item": ({"history": [7]}, ["body", "history", 0]),
    "a long history": ({"history": ["i000"] * 41}, ["body", "history"]),
    "many users": ({"users": ["u"] * 21}, ["body", "users"]),
    "a long list": ({"history": [], "deny": ["i000"] * 101}, ["body", "deny"]),
    "lists": ({"histories": [[], []], "deny_each": [None]}, ["body", "deny_each"]),
    "an unknown field": ({"history": [], "kk": 5}, ["body", "kk"]),
    "an unknown model": ({"history": [], "model": "../shop"}, ["body", "model"]),
    "an unknown part": ({"history": [], "within": "cup"}, ["body", "within"]),
    "a condition": ({"history": [], "where": ["colour=red"]}, ["body", "where"]),
    "half a condition": ({"history": [], "where": ["="]}, ["body", "where"]),
    "an allow list of strangers": ({"history": [], "allow": ["x"]}, ["body", "allow"]),
    "settings that do not go together": ({"history": [], "groups": 2, "max_per_prefix": 1}, ["body", "groups"]),
    "a prefix as long as a path": (
        {"history": [], "max_per_prefix": 1, "prefix_length": 9},
        ["body", "prefix_length"],
    ),
    "a prior": ({"history": [], "prior": {"i000": 1e30}}, ["body", "prior", "i000"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_field(client, case):
    body, place = WRONG[case]
    answer = client.post("/recommend", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"] == place


RAW = {
    "no JSON": b"{",
    "another text": b"\xff\xfe",
    "a huge number": b'{"history": [], "k": ' + b"9" * 5000 + b"}",
    "no number": b'{"history": [], "prior": {"i000": NaN}}',
    "infinite": b'{"history": [], "mmr": 1e999}',
    "deep": b'{"history": ' + b"[" * 40_000 + b"]" * 40_000 + b"}",
    "half a sign": b'{"history": ["\\ud800"], "\\udfff": 1}',
    "a list": b"[]",
    "null": b"null",
    "nothing": b"",
}


@pytest.mark.parametrize("case", RAW)
def test_raw_bodies_get_answers_not_failures(client, case):
    answer = client.post("/recommend", content=RAW[case], headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"][0]["msg"]


def test_strange_names_come_back_whole(client):
    strange = "\x00<b>\u202e\U0001f600"
    body = json.dumps({"history": [strange], "k": 1})
    answer = client.post("/recommend", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert json.loads(answer.content)["notes"][0]["items"] == [strange]
    query = client.get("/recommend", params={"user": "u000", "kk": "1"})
    assert query.status_code == 422
    assert query.json()["detail"][0]["loc"] == ["query", "kk"]
