"""Tables as shops export them: foreign columns, dates with slashes, returns, kinds of events, nested JSON."""

import json
import shutil
import subprocess

import polars as pl
import pytest

from genrec.data import Catalog, Interactions
from genrec.data.encodings import conversion_hint
from genrec.data.inside import json_file_hint
from genrec.data.likely_columns import nearest_column
from genrec.data.naming import ColumnNames
from genrec.data.slash_dates import without_slashes
from genrec.errors import DataError


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["numero_pedido", "Código Cliente", "codigo_produto", "data_pedido"], (1, 2, 3)),
        (["Bestellnummer", "Kundennummer", "Artikelnummer", "Bestelldatum"], (1, 2, 3)),
        (["codice_cliente", "codice_articolo", "data_ordine", "prezzo"], (0, 1, 2)),
        (["注文番号", "会員ID", "商品コード", "注文日時"], (1, 2, 3)),
        (["订单号", "用户ID", "商品编号", "下单时间"], (1, 2, 3)),
        (["event_time", "event_type", "product_id", "user_id"], (3, 2, 0)),
    ],
)
def test_foreign_columns_are_found(columns, expected):
    found = [nearest_column(columns, name) for name in ("user_id", "item_id", "timestamp")]
    assert found == [columns[place] for place in expected]


SHOPS = {
    "Shopify": ("Name|Email|Paid at|Created at|Lineitem name|Lineitem sku|Id", "Email", "Lineitem sku", "Created at"),
    "Shopify, products": ("Handle|Title|Vendor|Variant SKU|Variant Price|Status", None, "Variant SKU", None),
    "WooCommerce": (
        "Order ID|Order Date|_customer_user|Billing Email|SKU|Quantity",
        "_customer_user",
        "SKU",
        "Order Date",
    ),
    "Stripe": (
        "id|Amount|Customer ID|Customer Email|product_id (metadata)",
        "Customer ID",
        "product_id (metadata)",
        None,
    ),
    "Magento": ("increment_id|created_at|customer_id|customer_email|sku|name", "customer_id", "sku", "created_at"),
    "PrestaShop": ("id_order|reference|id_customer|product_id|date_add|total", "id_customer", "product_id", None),
    "Amazon": ("amazon-order-id|purchase-date|sku|item-price|buyer-email", "buyer-email", "sku", "purchase-date"),
    "Amazon, listings": ("item-name|item-description|listing-id|seller-sku|price", None, "seller-sku", None),
    "GA4": ("event_date|event_timestamp|user_pseudo_id|item_id", "user_pseudo_id", "item_id", "event_timestamp"),
    "Segment": ("anonymousId|event|messageId|timestamp|product_id", "anonymousId", "product_id", "timestamp"),
    "Matomo": ("idvisit|idvisitor|idaction_sku|quantity|idorder", "idvisitor", "idaction_sku", None),
    "Snowplow": ("app_id|event|event_id|domain_userid|ti_orderid|ti_sku|ti_name", "domain_userid", "ti_sku", None),
}


@pytest.mark.parametrize("shop", SHOPS)
def test_columns_of_shops_and_trackers_are_found_and_orders_are_no_users(shop):
    columns, *expected = SHOPS[shop]
    rest = [name for name in columns.split("|") if name.lower() != "id"]
    assert [nearest_column(rest, name) for name in ("user_id", "item_id", "timestamp")] == expected


def test_names_in_messages_are_written_for_a_shell():
    frame = pl.DataFrame({"Lineitem sku": ["a"], "user_id": ["u"], "Created at": [1]})
    with pytest.raises(DataError, match="--item-column 'Lineitem sku'"):
        Interactions.from_frame(frame)
    with pytest.raises(DataError, match="--time-column 'Created at'"):
        Interactions.from_frame(frame, item_column="Lineitem sku")


def test_a_first_line_without_names_is_told():
    frame = pl.DataFrame({"shop": ["x"], "2024-01-01 16:51:28.123": ["y"], "SKU-1": ["z"]})
    with pytest.raises(DataError, match="the first line looks like a row"):
        Interactions.from_frame(frame)


def test_the_number_of_a_row_is_not_the_item_though_items_are_called_so():
    names = ColumnNames(id="id")
    assert names.of_interactions(ColumnNames(), ["id", "user_id", "product_id"]).item == "item_id"
    assert names.of_interactions(ColumnNames(), ["id", "user_id", "when"]).item == "id"


def test_the_number_of_an_order_is_no_item():
    frame = pl.DataFrame({"id": [1, 2], "user_id": ["u", "u"], "timestamp": [1, 2]})
    with pytest.raises(DataError) as raised:
        Interactions.from_frame(frame)
    assert "'id'" not in raised.value.hint
    with pytest.raises(DataError, match="Did you mean 'id'"):
        Catalog.from_frame(pl.DataFrame({"id": [1, 2], "title": ["x", "y"]}))


@pytest.mark.parametrize(
    ("given", "order", "expected"),
    [
        (["25/06/2024", "01/02/2024"], "day first", ["2024-06-25", "2024-02-01"]),
        (["06/25/2024", "01/02/2024"], "month first", ["2024-06-25", "2024-01-02"]),
        (["25-06-2024 7:05", "1-2-2024 17:05:06"], "day first", ["2024-06-25 07:05", "2024-02-01 17:05:06"]),
        (["6/25/2024 12:05 AM", "1/2/2024 1:05 p.m."], "month first", ["2024-06-25 00:05", "2024-01-02 13:05"]),
        (["01/02/2024", "03/04/2024"], None, None),
        (["25/06/2024", "06/25/2024"], None, None),
        (["25/06/2024", None, "n/a"], "day first", ["2024-06-25", None, "n/a"]),
        (["2024-06-25", "x"], None, None),
    ],
)
def test_slashes_mean_what_the_whole_column_allows(given, order, expected):
    text, found = without_slashes(pl.Series("time", given, dtype=pl.String))
    assert (found.order if found else None) == order
    assert text.to_list() == (expected or given)


def test_dates_with_slashes_are_read_and_told(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("user_id,item_id,timestamp\nu,a,02/01/2024 10:00\nu,b,13/01/2024 09:00\nu,c,03/01/2024 11:00\n")
    read = Interactions.read(path)
    assert read.frame["item_id"].to_list() == ["a", "c", "b"]
    problem = next(one for one in read.report.problems if one.kind == "slash-dates")
    assert (problem.count, problem.examples) == (3, ("day first: '13/01/2024 09:00' can mean nothing else",))
    path.write_text("user_id,item_id,timestamp\nu,a,02/01/2024\nu,b,03/01/2024\n")
    with pytest.raises(DataError, match="Day and month cannot be told apart"):
        Interactions.read(path)


UNDONE = {
    "a negative quantity": ("Menge", ["1", "-1", "2"], 1),
    "a quantity in words of another language": ("数量", ["-3", "-1", "2"], 2),
    "a status": ("Order Status", ["paid", "cancelled", "Refunded"], 2),
    "a German status": ("Status", ["abgeschlossen", "storniert", "retourniert"], 2),
    "a Japanese status": ("ステータス", ["完了", "キャンセル", "返品済み"], 2),
    "a Portuguese status": ("situação", ["concluído", "devolvido", "cancelado"], 2),
    "nothing": ("status", ["paid", "sent", "open"], 0),
    "another column": ("comment", ["please cancel", "-1", "return"], 0),
    "a balance": ("delta", ["-1", "-2", "3"], 0),
}


@pytest.mark.parametrize("case", UNDONE)
def test_returns_and_cancellations_are_told(case):
    name, values, count = UNDONE[case]
    frame = pl.DataFrame({"user_id": ["u"] * 3, "item_id": list("abc"), "timestamp": [1, 2, 3], name: values})
    report = Interactions.from_frame(frame).report
    assert report.count("undone-rows") == count
    assert any("returned or cancelled" in line for line in report.lines()) == (count > 0)
    if frame[name][0].lstrip("-").isdigit():
        numbers = frame.with_columns(pl.col(name).cast(pl.Int64))
        assert Interactions.from_frame(numbers).report.count("undone-rows") == count


def test_kinds_of_events_are_told():
    frame = pl.DataFrame({"user_id": ["u"] * 4, "item_id": list("abcd"), "timestamp": [1, 2, 3, 4]})
    events = frame.with_columns(event_type=pl.Series(["view", "view", "cart", "purchase"]))
    problem = next(one for one in Interactions.from_frame(events).report.problems if one.kind == "kinds-of-rows")
    assert problem.examples[0].startswith("event_type: 2 'view', 1 '")
    one_kind = frame.with_columns(event_type=pl.lit("view"))
    assert not Interactions.from_frame(one_kind).report.count("kinds-of-rows")
    types = frame.with_columns(type=pl.Series(["book", "film", "book", "song"]))
    assert not Interactions.from_frame(types).report.count("kinds-of-rows")


ORDERS = [
    {"id": n, "customer_id": f"c{n % 2}", "created_at": f"2024-01-0{n + 1}T10:00:00Z",
     "line_items": [{"product_id": 7 + n, "quantity": 1}, {"product_id": 8 + n, "quantity": 2}]}
    for n in range(4)
]  # fmt: skip


def run(hint, folder, given, made):
    command = hint[hint.index("jq -c") :].replace("FILE", given).replace("NEW.jsonl", made)
    if shutil.which("jq") is None:
        pytest.skip("jq is not here")
    subprocess.run(["sh", "-c", command], cwd=folder, check=True)


def test_lines_of_orders_are_found_inside_and_the_command_takes_them_out(tmp_path):
    (tmp_path / "orders.jsonl").write_text("\n".join(map(json.dumps, ORDERS)))
    names = {"user_column": "customer_id", "item_column": "product_id", "time_column": "created_at"}
    with pytest.raises(DataError, match="'product_id' in the lists of 'line_items'") as raised:
        Interactions.read(tmp_path / "orders.jsonl", **names)
    run(raised.value.hint, tmp_path, "orders.jsonl", "lines.jsonl")
    read = Interactions.read(tmp_path / "lines.jsonl", **names)
    assert (len(read), len(read.user_ids), len(read.item_ids)) == (8, 2, 5)


EVENTS = {
    "objects": [{"user_id": f"u{n}", "at": n, "properties": {"product_id": f"p{n}"}} for n in range(4)],
    "lists in objects": [
        {"user_id": f"u{n}", "at": n, "properties": {"products": [{"product_id": f"p{n}"}]}} for n in range(4)
    ],
    "lists in lists": [
        {"user_id": f"u{n}", "at": n, "actions": [{"details": [{"itemSKU": f"p{n}"}]}]} for n in range(4)
    ],
    "a list that is called like the column": [
        {"user_id": f"u{n}", "at": n, "items": [{"item_id": f"p{n}", "quantity": 1}]} for n in range(4)
    ],
    "events without items": [
        {"user_id": "u", "at": 0, "properties": {"path": "/"}},
        *({"user_id": "u", "at": n, "properties": {"path": "/", "product_id": f"p{n}"}} for n in range(1, 4)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", EVENTS)
def test_items_are_found_inside_events_and_the_command_takes_them_out(tmp_path, case):
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, EVENTS[case])))
    with pytest.raises(DataError, match="It may be '") as raised:
        Interactions.read(tmp_path / "events.jsonl", time_column="at")
    run(raised.value.hint, tmp_path, "events.jsonl", "lines.jsonl")
    found = raised.value.hint.split("'")[1]
    read = Interactions.read(tmp_path / "lines.jsonl", time_column="at", item_column=found, allow_lost=0.3)
    assert {"p1", "p2", "p3"} <= set(read.item_ids)


def test_json_inside_other_tables_gets_no_command_that_cannot_read_it(tmp_path):
    (tmp_path / "t.csv").write_text('user_id,at,lines\nu,1,"[{""sku"": ""a""}]"\n')
    with pytest.raises(DataError, match="It may be 'sku' in the lists of 'lines'") as raised:
        Interactions.read(tmp_path / "t.csv", time_column="at")
    assert "jq" not in raised.value.hint


@pytest.mark.parametrize("content", [ORDERS, {"orders": ORDERS}, {"Die Liste": ORDERS, "next": None}])
def test_json_files_are_made_lines_by_the_command_of_the_message(tmp_path, content):
    path = tmp_path / "all orders.json"
    path.write_text(json.dumps(content, indent=2))
    with pytest.raises(DataError, match="what kind of table") as raised:
        Interactions.read(path)
    run(raised.value.hint, tmp_path, "", "")
    made = [json.loads(line) for line in (tmp_path / "all orders.jsonl").read_text().splitlines()]
    assert made == ORDERS


def test_lines_under_another_suffix_are_renamed(tmp_path):
    (tmp_path / "a.json").write_text('{"item_id": "a"}\n{"item_id": "b"}\n')
    assert "rename it to a.jsonl" in json_file_hint(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        ("Artikel;Größe\n1;Weiß", "cp1252", "WINDOWS-1252"),
        ("商品コード,商品名,カテゴリ\n1,マグカップ", "cp932", "CP932"),
        ("商品コード,商品名,カテゴリ\n1,マグカップ", "euc_jp", "EUC-JP"),
        ("상품코드,상품명\n1,머그컵", "euc_kr", "EUC-KR"),
        ("商品编号,名称\n1,杯子", "gb18030", "ENCODING"),
        ("Название,Цена\nКружка,5", "cp1251", "ENCODING"),
    ],
)
def test_the_encoding_is_named_where_it_can_be_told(text, codec, name, tmp_path):
    (tmp_path / "t.csv").write_bytes(text.encode(codec))
    with pytest.raises(DataError, match="not UTF-8") as raised:
        Catalog.read(tmp_path / "t.csv")
    assert f"iconv -f {name} -t UTF-8" in raised.value.hint
    assert conversion_hint(text.encode(codec)) == raised.value.hint
