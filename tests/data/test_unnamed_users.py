"""Rows whose user nobody named: blank below the first row of an order, guests, another column that knows."""

import polars as pl
import pytest

from genrec.data import Interactions
from genrec.errors import DataError

ORDERS = pl.DataFrame(
    {
        "Name": ["#1", "#1", "#1", "#2", "#2", "#3"],
        "Email": ["a@x", None, None, "b@x", None, "a@x"],
        "Currency": ["USD"] * 6,
        "sku": list("pqrpqr"),
        "at": [1, 2, 3, 4, 5, 6],
    }
)
NAMES = {"user_column": "Email", "item_column": "sku", "time_column": "at"}


def refusal(frame, **names):
    with pytest.raises(DataError) as raised:
        Interactions.from_frame(frame, **{**NAMES, **names})
    return raised.value


def test_rows_below_the_first_one_of_an_order_are_told():
    assert "Only the first row of each 'Name' names the user" in refusal(ORDERS).hint
    assert "Fill the ids in" in refusal(ORDERS.with_columns(Name=pl.Series(list("abcdef")))).hint


def test_another_column_that_knows_the_user_is_named():
    events = ORDERS.with_columns(anonymousId=pl.Series(list("uvwxyz")))
    assert "'anonymousId' has an id in 3 of these rows: name it with --user-column anonymousId" in refusal(events).hint
    nobody = events.with_columns(Email=pl.lit(None, pl.String))
    assert "--user-column anonymousId" in refusal(nobody).hint
    one = ORDERS.head(1).with_columns(Email=pl.lit(None, pl.String))
    assert refusal(one).hint is None


def guests(ids):
    rows = pl.DataFrame({"user_id": ids, "item_id": [f"i{n}" for n in range(len(ids))], "timestamp": range(len(ids))})
    found = [one for one in Interactions.from_frame(rows).report.problems if one.kind == "guests"]
    return (found[0].count, found[0].examples) if found else None


def test_ids_of_all_guests_are_told():
    people = [f"c{n}" for n in range(10)]
    assert guests([*people, "Guest", "guest", "(not set)"]) == (
        3,
        ("user 'Guest': 1 row", "user 'guest': 1 row", "user '(not set)': 1 row"),
    )
    assert guests([*people, *["0"] * 30]) == (30, ("user '0': 30 rows",))


def test_numbers_of_people_are_no_guests():
    assert guests([str(n % 5) for n in range(20)]) is None
    assert guests(["a", "b"]) is None
