"""Parts of a catalogue by conditions on its fields."""

import polars as pl
import pytest

from genrec.data.catalog import Catalog
from genrec.data.conditions import items_where
from genrec.errors import ConfigError


@pytest.fixture
def shop():
    frame = pl.DataFrame(
        {
            "item_id": ["a", "b", "c", "d"],
            "brand": ["Acme", "Other", None, "Acme"],
            "stock": [0, 3, 5, None],
            "price": ["$9.99", "1,250.00", "free", "-2"],
            "category": ["Beauty > Lips", "Beauty > Eyes", "Lips", "Beauty"],
            "tags": [["red", "new"], ["blue"], [], ["Colour > red"]],
        }
    )
    return Catalog.from_frame(frame)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["brand=Acme"], "ad"),
        (["brand != Acme"], "bc"),
        (["stock>0"], "bc"),
        (["stock=3"], "b"),
        (["stock=3.0"], "b"),
        (["stock<=3"], "ab"),
        (["price<=10"], "ad"),
        (["price>1000"], "b"),
        (["category=Lips"], "ac"),
        (["category=Beauty > Lips"], "a"),
        (["tags=red"], "ad"),
        (["tags=new", "brand=Acme"], "a"),
        ([], "abcd"),
    ],
)
def test_items_that_meet_all_conditions(shop, conditions, expected):
    assert "".join(shop.item_ids[items_where(shop, conditions)]) == expected


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (["brand"], "such as category=Lips"),
        (["brand="], "such as category=Lips"),
        (["brnd=Acme"], "Did you mean 'brand'"),
        (["brand=acme"], "Frequent values: 'Acme'"),
        (["brand=Acme", "stock>0"], "together"),
        (["stock=many"], "'many' is no number"),
        (["stock<1_0"], "'1_0' is no number"),
        (["stock<nan"], "'nan' is no number"),
        (["brand<5"], "(?s)'brand' holds text, such as 'Acme'.*Frequent values: 'Acme'"),
        (["price<cheap"], "no number"),
        (["tags>3"], "holds lists"),
    ],
)
def test_conditions_that_mean_nothing_are_refused(shop, conditions, message):
    with pytest.raises(ConfigError, match=message):
        items_where(shop, conditions)


def test_digits_of_other_scripts_are_no_numbers():
    shop = Catalog.from_frame(pl.DataFrame({"item_id": ["a", "b"], "price": ["٣", "$5"]}))
    assert items_where(shop, ["price>1"]).tolist() == [False, True]


def shop_of(*prices):
    return Catalog.from_frame(pl.DataFrame({"item_id": [str(n) for n in range(len(prices))], "price": prices}))


@pytest.mark.parametrize("condition", ["price<20", "price<€20", "price<=19,99 €", "price!=1299"])
def test_amounts_are_compared_in_their_currency(condition):
    assert items_where(shop_of("12,99 €", "1.299,00 €"), [condition]).tolist() == [True, False]


def test_amounts_in_another_currency_are_not_compared():
    with pytest.raises(ConfigError, match=r"(?s)'\$20' is in another currency.*expected: an amount in EUR"):
        items_where(shop_of("12,99 €", "1.299,00 €"), ["price<$20"])


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        (("12,99 €", "$3"), "several currencies: '12,99 €', '\\$3'"),
        (("$1,299", "$5"), "between thousands: '\\$1,299'"),
        (("$4.99", "$4,99"), "a point stands before decimals in some rows, a comma in others"),
        (("cheap", "dear"), "holds text, such as 'cheap'"),
    ],
)
def test_a_field_without_sure_numbers_says_what_it_holds(prices, message):
    with pytest.raises(ConfigError, match=message):
        items_where(shop_of(*prices), ["price<20"])
