"""Bodies that are read directly get the answers that FastAPI gives."""

import json

import pytest

pytest.importorskip("fastapi")

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.serving.answering import answer, on_invalid
from genrec.serving.direct import add_direct
from genrec.serving.schema import RecommendBody

BODIES = [
    b'{"history": ["a", "b"], "k": 5}',
    b'\xef\xbb\xbf{"user": "ann"}',
    '{"user": "änn"}'.encode("utf-16"),
    b'{"history": ["\\ud800"]}',
    b'{"history": ["a"], "k": 5.0}',
    b'{"history": ["a"], "k": "5"}',
    b'{"history": ["a"], "k": true}',
    b'{"history": ["a"], "prior": {"a": NaN}}',
    b'{"history": ["a"], "prior": {"a": 1e999}}',
    b'{"history": ["a"], "k": 3, "k": 4}',
    b'{"history": "a"}',
    b'{"histories": [["a"], []], "allow_each": [null, ["a"]], "exclude_seen": false}',
    b'{"user": "a", "history": []}',
    b'{"user": "a", "what": 1}',
    b'{"user": "\xff"}',
    b'{"user": ',
    b"",
    b"[]",
    b"null",
    b"[" * 5000,
    b'{"user": "a"}' + b" " * 100,
]
KINDS = ["application/json", "application/json; charset=utf-8", "application/problem+json", "text/plain", "", None]


def app(direct):
    """One place that says what it has understood."""
    router = APIRouter()

    async def understood(body: RecommendBody):
        return answer(body.model_dump())

    if direct:
        add_direct(router, "/", RecommendBody)(understood)
    else:
        router.add_api_route("/", understood, methods=["POST"])
    made = FastAPI()
    made.include_router(router)
    made.add_exception_handler(RequestValidationError, on_invalid)
    return TestClient(made)


DIRECT, USUAL = app(True), app(False)


def both(body, kind="application/json"):
    headers = {} if kind is None else {"content-type": kind}
    asked = [one.post("/", content=body, headers=headers) for one in (DIRECT, USUAL)]
    return [(found.status_code, found.content) for found in asked]


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_of_fastapi(kind):
    for body in BODIES:
        found, expected = both(body, kind)
        assert found == expected, body[:60]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(RecommendBody.model_fields)), VALUES, max_size=4))
def test_whatever_is_asked(body):
    found, expected = both(json.dumps(body).encode())
    assert found == expected


def test_it_is_described_as_before():
    documents = [one.get("/openapi.json").json()["paths"] for one in (DIRECT, USUAL)]
    assert documents[0] == documents[1]
