"""The page of a service: its frame, its two files, and what only it asks for."""

import json
import re

import pytest

from genrec.page.assembly import asset


def test_the_page_may_load_its_own_files_and_nothing_else(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name in re.findall(r'(?:src|href)="(page/[^"]+)"', page.text):
        found = client.get(f"/{name}")
        assert found.text == asset(name.removeprefix("page/"))
        assert found.headers["x-content-type-options"] == "nosniff"
    assert client.get("/page/../assembly.py").status_code == 404
    assert client.get("/page/page.html").status_code == 404


def test_start_names_models_catalogues_users_and_filters(client, recommender):
    start = client.get("/page/start").json()
    assert [(one["name"], one["baseline"], one["catalogue"]) for one in start["models"]] == [
        ("shop", False, 0),
        ("popular", True, None),
    ]
    assert start["catalogues"][0]["sizes"] == list(recommender.index.codebook_sizes)
    assert start["catalogues"][0]["model"] == "shop"
    assert {one["field"]: one["kind"] for one in start["filters"]} == {"categories": "choice"}
    assert len(start["users"]) == 80


def test_people_by_name_and_at_random(client, service):
    named = client.get("/page/person", params={"user": "u007"}).json()
    users = service.models["shop"].current.users
    ids = service.models["shop"].current.recommender.item_ids
    assert [card["item_id"] for card in named["history"]] == ids[users.items("u007")].tolist()
    assert named["history"][0]["fields"]["categories"]
    assert client.get("/page/person").json()["user"] in users.rows
    wrong = client.get("/page/person", params={"user": "</script>"})
    assert wrong.status_code == 422
    assert wrong.json()["detail"][0]["loc"] == ["query", "user"]


@pytest.mark.parametrize("more", [{}, {"beams": 7, "k": 3}, {"where": ["categories=cup"]}, {"mmr": 0.5}])
def test_explained_answers_are_the_answers_and_add_up(client, more):
    body = {"history": ["i003", "i009"], **more}
    plain, why = (client.post("/recommend", json={**body, "explain": explain}).json() for explain in (False, True))
    assert "parts" not in plain["items"][0]
    for one, other in zip(plain["items"], why["items"], strict=True):
        assert one["item_id"] == other["item_id"]
        assert sum(other["parts"].values()) == pytest.approx(one["score"], abs=1e-3)
        assert sum(other["levels"]) == pytest.approx(other["parts"]["network"], abs=1e-3)
        assert json.dumps(other)


def test_many_users_and_a_baseline_are_explained(client):
    found = client.post("/recommend", json={"users": ["u001", "u002"], "k": 2, "explain": True, "model": "popular"})
    for result in found.json()["results"]:
        for item in result["items"]:
            assert item["parts"] == {"popularity": pytest.approx(item["score"])}
            assert item["levels"] == []
