"""What stands after the ``?`` of an address is read or refused, as fields of a body are."""

import pytest

UNKNOWN = {
    "/items?limits=3": ["limits"],
    "/items?limit=3&Limit=4&query=tea": ["Limit"],
    "/items/i001?models=shop": ["models"],
    "/prefix?k=3&beams=2": ["k", "beams"],
    "/prefix/1?k=3": ["k"],
    "/recommend?user=u001&kk=2": ["kk"],
    "/v1/models?model=shop": ["model"],
    "/metrics?model=shop": ["model"],
    "/page/start?user=u001": ["user"],
    "/page/person?usr=u001": ["usr"],
}


@pytest.mark.parametrize("address", UNKNOWN)
def test_unknown_parameters_are_refused_by_name(client, address):
    answer = client.get(address)
    assert answer.status_code == 422
    assert [fault["loc"] for fault in answer.json()["detail"]] == [["query", name] for name in UNKNOWN[address]]
    assert all("Known: " in fault["msg"] for fault in answer.json()["detail"])
    assert client.get(address.partition("?")[0]).status_code in (200, 422)


@pytest.mark.parametrize("address", ["/items?limit=3&limit=4", "/prefix?model=shop&model=popular"])
def test_one_value_is_given_once(client, address):
    answer = client.get(address)
    assert answer.status_code == 422
    assert "2 times" in answer.json()["detail"][0]["msg"]


def test_conditions_may_be_repeated(client):
    asked = "/recommend?user=u001&k=3&where=categories=cup&where=categories=home"
    assert client.get(asked).status_code == 200


@pytest.mark.parametrize("place", ["/recommend", "/events"])
def test_parameters_of_a_post_are_not_ignored_either(client, place):
    body = {"history": ["i001"]} if place == "/recommend" else {"user": "ann", "items": ["i001"]}
    answer = client.post(f"{place}?k=3", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "k"]
    assert "body" in answer.json()["detail"][0]["msg"]


PAGES = ["/", "/docs", "/openapi.json", "/page/page.js", "/page/page.css", "/health", "/ready"]


@pytest.mark.parametrize("address", [f"{place}?utm_source=mail" for place in PAGES])
def test_pages_and_probes_read_nothing(client, address):
    """Mailers, browsers and balancers append what they like to addresses."""
    assert client.get(address).status_code == 200


def test_names_of_any_kind_are_answered(client):
    long = "a" * 5000
    answer = client.get(f"/items?{long}=1&%ed%a0%80=2&%00=3")
    assert answer.status_code == 422
    assert all(len(fault["loc"][1]) <= 200 for fault in answer.json()["detail"])


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"user": "ann", "k": 3, "k": 4}', "k"),
        ('{"user": "ann", "options": {"beams": 1, "beams": 2}}', "beams"),
        ('{"user": "ann", "items": [{"a": 1, "\\u0061": 2}]}', "a"),
    ],
)
@pytest.mark.parametrize("place", ["/recommend", "/recommend?x=1", "/events", "/admin/reload"])
def test_a_key_that_stands_twice_is_refused_by_name(client, place, body, key):
    answer = client.post(place, content=body, headers={"content-type": "application/json; charset=utf-8"})
    assert answer.status_code == 422
    fault = {"loc": ["body", key], "msg": f"The key {key!r} stands twice in one object.", "type": "repeated_key"}
    assert answer.json()["detail"] == [fault]
