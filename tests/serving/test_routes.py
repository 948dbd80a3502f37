"""Items, the tree of codes, events, monitors, the OpenAPI document, and what stands before every request."""

import asyncio
import re

import pytest
from fastapi.testclient import TestClient

from genrec.serving import ServeSettings, build_app
from genrec.serving.catalogue import Words
from genrec.serving.errors import QueueFullError
from genrec.serving.guard import Guard
from genrec.serving.metrics import Metrics
from genrec.serving.schema import FoundItems, OneItem, PrefixAnswer


def ids(answer):
    return [item["item_id"] for item in answer.json()["items"]]


def test_an_item(client, recommender):
    found = OneItem.model_validate(client.get("/items/i007").json())
    assert found.title == recommender.index.catalog.frame["title"][7]
    assert found.semantic_id == recommender.index.codes[7].tolist()
    assert found.fields["categories"] == recommender.index.catalog.frame["categories"][7].to_list()
    for strange in ("nope", "../../etc/passwd", "%00", "a/b"):
        assert client.get(f"/items/{strange}").status_code == 404
    assert client.get("/items/i007", params={"model": "nope"}).json()["detail"][0]["loc"] == ["query", "model"]


def test_items_by_words_and_beginnings(client, recommender):
    titles = recommender.index.catalog.titles()
    red_cups = [f"i{n:03d}" for n, title in enumerate(titles) if title.startswith("red cup")]
    for query in ("red cup", "CUP Red", "re cu", "cu red"):
        assert ids(client.get("/items", params={"query": query, "limit": 100})) == red_cups
    exact = client.get("/items", params={"query": "i00", "limit": 3})
    assert ids(exact) == ["i000", "i001", "i002"]
    assert exact.json()["total"] == 10
    assert ids(client.get("/items", params={"query": "i007"})) == ["i007"]
    assert ids(client.get("/items", params={"query": "zebra"})) == []
    assert ids(client.get("/items?query=%ED%A0%80%00%FF")) == []
    page = client.get("/items", params={"limit": 2, "offset": 5, "fields": True})
    assert ids(page) == ["i005", "i006"]
    assert FoundItems.model_validate(page.json()).items[0].fields["title"] == titles[5]
    assert client.get("/items", params={"limit": 0}).status_code == 422


def test_whole_words_come_before_beginnings():
    words = Words.of(["a lampshade", "a lamp", "Lamp, äöü", "tea", ""])
    found, exact = words.having("lamp")
    assert (found.tolist(), exact.tolist()) == ([0, 1, 2], [1, 2])
    assert words.having("äö")[0].tolist() == [2]
    assert words.having("x")[0].tolist() == []


def test_the_tree_of_codes_can_be_walked(client, recommender):
    root = PrefixAnswer.model_validate(client.get("/prefix").json())
    assert root.total == len(recommender.item_ids)
    assert sum(child.items for child in root.children) == root.total
    seen = []
    for child in root.children:
        below = client.get(f"/prefix/{child.code}", params={"limit": 100}).json()
        assert below["total"] == child.items
        assert all(item["semantic_id"][0] == child.code for item in below["items"])
        seen += [item["item_id"] for item in below["items"]]
    assert sorted(seen) == recommender.item_ids.tolist()
    path = recommender.index.codes[7].tolist()
    leaf = client.get("/prefix/" + "/".join(map(str, path))).json()
    assert [item["item_id"] for item in leaf["items"]] == ["i007"]
    assert leaf["children"] == []
    for wrong, status in {"x": 422, "1/2/3/4/5/6": 422, "-1": 422, "9" * 30: 422, "9" * 19: 404, "²": 422}.items():
        assert client.get(f"/prefix/{wrong}").status_code == status
    assert client.get("/prefix", params={"model": "popular"}).status_code == 422


def test_events_go_on_where_the_table_ended(client, recommender, service):
    known = service.models["shop"].current.users.histories
    user = known.user_ids[9]
    before = recommender.item_ids[known[9]].tolist()
    assert client.post("/events", json={"user": user, "items": ["i033", "i033"]}).json()["remembered"] == 2
    assert client.post("/events", json={"user": user, "items": ["gone", "i035"]}).json()["remembered"] == 4
    answer = client.get("/recommend", params={"user": user, "k": 5})
    assert ids(answer) == recommender.recommend([[*before, "i033", "i035"]], 5).item_ids[0]
    assert answer.json()["notes"][0]["items"] == ["gone"]
    client.post("/events", json={"user": "new one", "items": ["i001"]})
    assert ids(client.get("/recommend", params={"user": "new one"})) == recommender.recommend([["i001"]]).item_ids[0]
    for body in ({"user": "u"}, {"user": "u", "items": []}, {"user": "", "items": ["i001"]}, {"items": ["i001"]}):
        assert client.post("/events", json=body).status_code == 422
    assert client.post("/events", json={"user": "u", "items": ["x"] * 41}).status_code == 422
    plain = client.post("/events", content=b'{"user": "u", "items": ["x"]}', headers={"content-type": "text/plain"})
    assert plain.status_code == 422  # what a page of another site could send without being asked
    assert plain.json()["detail"][0]["loc"] == ["header", "content-type"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "APPLICATION/JSON", None])
def test_who_forgets_the_content_type_hears_of_it(kind, client):
    headers = {} if kind is None else {"content-type": kind}
    for content in (b'{"history": ["i001"]}', b"[1]"):
        found = client.post("/recommend", content=content, headers=headers).json()
        said = [fault["msg"] for fault in found.get("detail", ())]
        told = any("send it with the header content-type: application/json" in one for one in said)
        assert told is (
            kind in ("text/plain", "application/x-www-form-urlencoded") or (kind is None and "items" not in found)
        )


def test_a_full_queue_says_when_to_come_again(client, service, monkeypatch):
    def full(recommender, asks):
        raise QueueFullError(7)

    monkeypatch.setattr(service._decoders["shop"], "submit", full)
    answer = client.post("/recommend", json={"history": []})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json()["detail"][0]["type"] == "queue_full"
    assert client.post("/recommend", json={"history": [], "model": "popular"}).is_success


def test_a_fault_of_the_service_is_not_told_to_strangers(client, service, monkeypatch):
    def broken(*_):
        raise RuntimeError("/secret/place")

    monkeypatch.setattr(service.reader, "read", broken)
    answer = client.post("/recommend", json={"history": []})
    assert answer.status_code == 500
    assert answer.json()["detail"][0]["type"] == "internal_error"
    assert "secret" not in answer.text
    monkeypatch.undo()
    assert client.post("/recommend", json={"history": []}).is_success
    assert 'route="/recommend",status="500"' in client.get("/metrics").text


def test_monitors(client, service):
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}
    models = client.get("/v1/models").json()["data"]
    assert [model["id"] for model in models] == ["shop", "popular"]
    assert models[0]["parts"] == ["cups", "outdoor"]
    client.get("/items/%ED%A0%80")
    client.get("/no/such/place")
    client.request("BREW", "/health")
    assert client.get("/health/", follow_redirects=False).status_code == 404
    text = client.get("/metrics").text
    assert 'genrec_requests_total{method="GET",route="/health",status="200"}' in text
    assert 'route="/items/{item_id:path}"' in text
    assert 'genrec_requests_total{method="GET",route="none",status="404"}' in text
    assert 'method="other"' in text
    assert 'genrec_decoded_users_total{model="shop"}' in text
    assert "no/such" not in text


def test_the_openapi_document_names_every_place_and_bound(client):
    document = client.get("/openapi.json").json()
    places = {"/recommend", "/items", "/items/{item_id}", "/prefix/{codes}", "/events", "/health", "/ready", "/metrics"}
    assert places | {"/v1/models", "/admin/reload", "/admin/rollback"} <= set(document["paths"])
    body = document["components"]["schemas"]["RecommendBody"]["properties"]
    assert body["k"] == {
        "default": 10, "description": "length of a list", "maximum": 1000, "minimum": 1, "title": "K", "type": "integer"
    }  # fmt: skip
    assert set(document["paths"]["/recommend"]["post"]["responses"]) >= {"200", "422", "503"}


def test_the_page_of_requests_loads_nothing_from_elsewhere(client):
    page = client.get("/docs").text
    assert "POST /recommend" in page
    assert "k</code></td><td>body</td><td>integer (from 1, to 1,000): length of a list" in page
    assert "list (at most 20 entries) of text (at least 1 letters, at most 1,000 letters): conditions" in page
    assert not re.search(r"(src|href)=\"?(https?:)?//|<script", page)


def test_other_sites_get_nothing_unless_named(service, client):
    origin = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in client.options("/recommend", headers=origin).headers
    assert "access-control-allow-origin" not in client.get("/health", headers=origin).headers
    named = TestClient(build_app(service, origins=["https://shop.example"], hosts=["testserver"]))
    assert named.options("/recommend", headers=origin).headers["access-control-allow-origin"] == origin["origin"]
    assert "access-control-allow-origin" not in named.get("/health", headers={"origin": "https://evil.example"}).headers
    assert named.get("/health", headers={"host": "TestServer:80"}).status_code == 200
    for host in ("evil.example", "testserver.evil.example", "[::1]", ""):
        assert named.get("/health", headers={"host": host}).status_code == 421


def test_bodies_have_bounds(client):
    assert client.post("/recommend", content=b" " * 100_001).status_code == 413
    pieces = (b" " * 30_000 for _ in range(4))
    answer = client.post("/recommend", content=pieces, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["detail"][0]["type"] == "too_large"
    small = (b'{"history": []', b', "k": 1}')
    assert client.post("/recommend", content=iter(small), headers={"content-type": "application/json"}).is_success


def exchange(app, incoming, path="/", **settings):
    """Statuses that an application sends behind a guard."""
    sent = []

    async def receive():
        message = incoming.pop(0) if incoming else None
        if message is None:
            await asyncio.sleep(60)
        return message

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    asyncio.run(Guard(app, ServeSettings(**settings), Metrics())(scope, receive, send))
    return [message["status"] for message in sent if "status" in message]


async def never(scope, receive, send):
    await receive()
    await asyncio.sleep(60)


async def slow(scope, receive, send):
    await asyncio.sleep(0.1)
    await send({"type": "http.response.start", "status": 200, "headers": []})


def test_time_is_limited():
    whole = {"type": "http.request", "body": b"", "more_body": False}
    half = {"type": "http.request", "body": b"{", "more_body": True}
    assert exchange(never, [whole], timeout_s=0.05) == [504]
    assert exchange(never, [half], timeout_s=0.05) == [408]
    assert exchange(slow, [whole], "/admin/reload", timeout_s=0.05) == [200]
    assert exchange(never, [half, {"type": "http.disconnect"}], timeout_s=5) == []


@pytest.mark.parametrize("body", [b"x" * 11, b"x" * 6])
def test_what_a_client_says_of_its_body_binds_nobody(body):
    parts = [{"type": "http.request", "body": body, "more_body": True} for _ in range(2)]
    assert exchange(never, parts, max_body=10, timeout_s=5) == [413]


@pytest.mark.parametrize("place", ["/", "/health", "/metrics", "/items/i001", "/items/none"])
def test_head_gets_the_headers_of_get(client, place):
    asked, answer = client.get(place), client.head(place)
    assert answer.status_code == asked.status_code
    assert answer.headers["content-type"] == asked.headers["content-type"]
    assert answer.content == b""
    assert client.head("/events").status_code == 405


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b'{"user": "\xff"}', 400, "no_text"),
        (b"[" * 100_000, 400, "too_deep"),
        (b'{"k": ' + b"9" * 5000 + b"}", 400, "too_long"),
        (b'{"k": 1', 422, "json_invalid"),
    ],
)
def test_what_cannot_be_read_is_named(client, body, status, kind):
    answer = client.post("/recommend", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (status, kind)


@pytest.mark.parametrize("packed", ["gzip", "br", "deflate, gzip"])
def test_packed_bodies_are_refused_as_such(client, packed):
    headers = {"content-type": "application/json", "content-encoding": packed}
    answer = client.post("/recommend", content=b'{"history": []}', headers=headers)
    assert answer.status_code == 415
    assert answer.json()["detail"][0]["loc"] == ["header", "content-encoding"]
    assert client.post("/recommend", json={"history": []}, headers={"content-encoding": "identity"}).is_success
