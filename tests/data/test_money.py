"""Amounts of money in items: numbers where a column leaves no doubt, told in a line; else text, told as well."""

import polars as pl
import pytest

from genrec.data.catalog import Catalog
from genrec.data.money import numbers_of, read_amounts
from genrec.errors import DataError


def shop_of(*prices, column="price"):
    return Catalog.from_frame(pl.DataFrame({"item_id": [str(n) for n in range(len(prices))], column: prices}))


@pytest.mark.parametrize(
    ("texts", "numbers", "currency"),
    [
        (["$1,299.00", "$5", None], [1299.0, 5.0, None], "$"),
        (["12,99 €", "1.299,00 €", "-5 €", "5,- €"], [12.99, 1299.0, -5.0, 5.0], "EUR"),
        (["USD 5", "$6", "7 US$"], [5, 6, 7], "USD"),
        (["$5.00 CAD", "$.99"], [5.0, 0.99], "CAD"),
        (["£3.00", "£1,299"], [3.0, 1299.0], "GBP"),
        (["£1,299,000"], [1299000], "GBP"),
        (["₹1,29,999.00"], [129999.0], "INR"),
        (["1,299円", "80円"], [1299, 80], "JPY"),
        (["1\u202f299,00 €", "3\u00a0€"], [1299.0, 3.0], "EUR"),
        (["1'299.50 CHF"], [1299.5], "CHF"),
        (["5 eur", "6 Euro", "7€"], [5, 6, 7], "EUR"),
        (["12,99 &euro;", "null", ""], [12.99, None, None], "EUR"),
    ],
)
def test_amounts_of_one_currency_are_numbers(texts, numbers, currency):
    shop = shop_of(*texts)
    assert shop.frame["price"].to_list() == numbers
    assert shop.currencies == {"price": currency}
    [line] = [line for line in shop.report.lines() if "amounts" in line]
    assert f"in {currency})" in line
    assert "field 'price': " in line


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["12,99 €", "$3"], "it holds several currencies: '12,99 €', '$3'"),
        (["$5", "USD 6", "CAD 7"], "it holds several currencies: '$5', 'CAD 7'"),
        (["$1,299", "$5"], "no row shows whether a mark stands before decimals or between thousands: '$1,299'"),
        (["¥1,299"], "no row shows"),
        (["$4.99", "$4,99"], "a point stands before decimals in some rows, a comma in others: '$4.99', '$4,99'"),
        (["$4.99", "$5", "sold out"], "1 row is no amount, such as 'sold out'"),
    ],
)
def test_amounts_in_doubt_stay_text_and_are_told(texts, why):
    shop = shop_of(*texts)
    assert shop.frame["price"].to_list() == texts
    assert not shop.currencies
    [line] = [line for line in shop.report.lines() if "amounts-as-text" in line]
    assert f"field 'price': {why}" in line


@pytest.mark.parametrize(
    "text", ["50 GEL", "$007", "30 sek", "1,2,3", "4.5 stars", "١€", "$" + "9" * 17, "192.168.0.1"]
)
def test_other_texts_are_no_amounts(text):
    shop = shop_of(text)
    assert shop.frame["price"].to_list() == [text]
    assert not [line for line in shop.report.lines() if "amounts" in line]


def test_titles_stay_text():
    assert shop_of("$5", "$10", column="title").titles() == ["$5", "$10"]


def test_a_csv_with_commas_between_thousands_has_numbers(tmp_path):
    table = tmp_path / "items.csv"
    table.write_text('item_id,price,size\n1,"1,299.50","1,299"\n2,3.25,3\n', encoding="utf-8")
    shop = Catalog.read(table)
    assert shop.frame["price"].to_list() == [1299.5, 3.25]
    assert shop.frame["size"].to_list() == ["1,299", "3"]
    lines = "\n".join(shop.report.lines())
    assert "field 'price': '1,299.50' is 1299.5" in lines
    assert "field 'size': no row shows" in lines


def test_new_items_in_another_currency_are_refused():
    euros = shop_of("12,99 €")
    more = Catalog.from_frame(pl.DataFrame({"item_id": ["x"], "price": ["$5.00"]}))
    with pytest.raises(DataError, match=r"'price' of the new items is in \$, and in the catalogue in EUR"):
        euros.concat(more)


def test_new_items_of_one_dollar_and_the_currency_stay_together():
    dollars = shop_of("$5.00").concat(Catalog.from_frame(pl.DataFrame({"item_id": ["x"], "price": ["6.50 USD"]})))
    assert dollars.frame["price"].to_list() == [5.0, 6.5]
    assert dollars.select([1]).currencies == {"price": "$"}


def test_fields_of_an_older_index_stay_text(tmp_path):
    table = tmp_path / "items.jsonl"
    table.write_text('{"item_id": "1", "price": "$5.00"}\n', encoding="utf-8")
    assert Catalog.read(table, as_text=["price"]).frame["price"].to_list() == ["$5.00"]


def test_numbers_of_any_field():
    assert numbers_of(pl.Series(["$5", "x"])).to_list() == [5.0, None]
    assert numbers_of(pl.Series([1, None])).to_list() == [1.0, None]
    assert numbers_of(pl.Series(["a"])) is None
    assert numbers_of(pl.Series([["1"]])) is None


def test_a_first_row_that_is_no_amount_is_shown_as_such():
    found = read_amounts(pl.Series(["free", "$5", "$6"]))
    assert (found.found, found.filled, found.complete, found.mostly) == (2, 3, False, True)
