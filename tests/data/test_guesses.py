import datetime as dt

import polars as pl
import pytest

from genrec.data.guesses import holds_times, likely_time, likely_title, other_spelling
from genrec.data.likely_columns import nearest_column, words_of

SECONDS = [1_600_000_000 + n for n in range(20)]


@pytest.mark.parametrize(
    "name",
    ["bought_at", "event_time", "ts", "date", "purchaseDate", "clicked on", "orderDateTime", "unixReviewTime", "Day"],
)
def test_times_are_known_by_their_names(name):
    frame = pl.DataFrame({"price": [1, 2], name: ["?", "?"]})
    assert likely_time(frame, skip=["price"]) == name


@pytest.mark.parametrize(
    "values",
    [
        SECONDS,
        [n * 1000 for n in SECONDS],
        [str(n * 10**6) for n in SECONDS],
        [float(n) for n in SECONDS],
        ["2021-01-05"] * 20,
        ["03/04/2023 10:00"] * 20,
        ["31.05.2024"] * 20,
        ["2024年5月31日"] * 20,
        [dt.date(2021, 1, 5)] * 20,
        [dt.datetime(2021, 1, 5)] * 20,
    ],
)
def test_times_are_known_by_what_they_hold(values):
    series = pl.Series("x", values)
    assert holds_times(series)
    frame = pl.DataFrame({"user": ["u"] * 20, "stars": [5] * 20}).with_columns(series)
    assert likely_time(frame, skip=["user"]) == "x"
    assert likely_time(frame, skip=["user", "x"]) is None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("order_id", SECONDS),
        ("stars", [1, 2, 3]),
        ("price", SECONDS),
        ("candidate", ["x", "y"]),
        ("update", [1, 2]),
        ("date_of_birth", ["x"]),
        ("empty", [None]),
        ("on", ["x"]),
        ("flag", [True]),
        ("tags", [["2021-01-05"]]),
    ],
)
def test_what_is_no_time(name, values):
    assert likely_time(pl.DataFrame({name: values}), skip=[]) is None


@pytest.mark.parametrize(
    "columns",
    [
        "Kundennummer Artikelnummer Bestelldatum Bezeichnung",
        "client référence date_de_commande libellé",
        "顧客ID 商品コード 購入日 商品名",
        "id_cliente referencia fecha título",
    ],
)
def test_columns_of_other_languages_are_named_in_the_message(columns):
    user, item, time, title = names = columns.split()
    found = [nearest_column(names, name) for name in ("user_id", "item_id", "timestamp")]
    assert found == [user, item, time]
    assert likely_title(pl.DataFrame({title: ["x"], "Warengruppe": ["y"]})) == title


def test_words_of_names():
    assert words_of("eventTime_UTC2") == ["event", "time", "utc", "2"]
    assert words_of("HTTPDate") == ["http", "date"]


TITLES = ["red cup", "blue cup", "green tea", "black tea"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"brand_name": TITLES, "Product Name": TITLES}, "Product Name"),
        ({"store_name": TITLES, "name_en": TITLES}, "name_en"),
        ({"text": ["a long text " * 20 + str(n) for n in range(4)], "what": TITLES}, "what"),
        ({"category": ["cup", "cup", "tea", "tea"], "model": TITLES}, "model"),
        ({"image": [f"http://x/{n}.png" for n in range(4)], "ean": ["400", "401", "402", "403"]}, None),
        ({"tags": [["red"]] * 4, "price": [1, 2, 3, 4]}, None),
        ({"name": [None] * 4, "model": TITLES}, "model"),
    ],
)
def test_the_likeliest_title(columns, expected):
    assert (
        likely_title(pl.DataFrame(columns, schema_overrides={"name": pl.String} if "name" in columns else None))
        == expected
    )


@pytest.mark.parametrize(
    ("unknown", "known", "cause"),
    [
        (["0", "1"], ["000", "001"], "Were leading zeros lost?"),
        (["0012"], ["12"], "Were leading zeros lost?"),
        (["12.0", "13.0"], ["12", "13"], "Were ids turned into decimals?"),
        (["caf\u00e9"], ["cafe\u0301"], "Are accents written in two ways (NFC and NFD of Unicode)?"),
        (["b00a"], ["B00A"], "Do ids differ in upper and lower case?"),
        (["a-1"], ["a_1"], "Do ids differ in blanks or signs?"),
        (["x", "y"], ["000"], None),
        (["--", ""], ["__", "a"], None),
        (["1", *"abcdefgh"], ["001"], None),
    ],
)
def test_ids_in_another_spelling(unknown, known, cause):
    told = other_spelling(pl.Series(unknown), pl.Series(known), "this table")
    points = {"caf\u00e9": " (U+00E9)", "cafe\u0301": " (U+0065 U+0301)"}
    texts = [repr(text) + points.get(text, "") for text in (known[0], unknown[0])]
    expected = cause and f"{cause} The catalogue has {texts[0]} where this table has {texts[1]}."
    assert told == expected
