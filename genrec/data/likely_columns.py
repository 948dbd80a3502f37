"""Which column of somebody's table is probably the users, the items or the times, by its name."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Sequence

from genrec.schema import Columns

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
USUAL = {"user_column": "user_id", "item_column": "item_id", "id_column": "item_id", "time_column": "timestamp"}
"""The usual name of a column, by the option that names another one."""
_ALIASES = {
    "item_id": (
        *("asin", "parent_asin", "product_id", "business_id", "movie_id", "sku", "id", "item", "product"),
        *("artikelnummer", "artikelnr", "artikel_id", "artikel", "produktnummer", "produkt_id", "référence"),
        *("reference", "référence_produit", "id_produit", "article", "id_producto", "referencia"),
        *("商品コード", "商品ID", "商品番号", "品番", "商品编号", "商品编码", "상품코드", "상품번호"),
        *("codigo_produto", "cod_produto", "id_produto", "produto", "codice_articolo", "codice_prodotto"),
        *("id_prodotto", "codigo_articulo", "productnummer", "artikelcode", "kod_produktu", "id_produktu"),
        *("product_code", "product_number", "article_id", "article_number", "variant_id", "content_id"),
    ),
    "user_id": (
        *("reviewer_id", "customer_id", "username", "user", "uid", "customer", "client", "client_id"),
        *("kundennummer", "kundennr", "kunden_id", "kunde", "nutzer_id", "numéro_client", "id_client", "cliente"),
        *("id_cliente", "utilisateur", "顧客ID", "顧客番号", "顧客コード", "会員ID", "会員番号", "ユーザーID"),
        *("codigo_cliente", "cod_cliente", "codice_cliente", "usuario", "id_usuario", "utente", "klantnummer"),
        *("klant_id", "id_klienta", "用户ID", "会员编号", "客户编号", "고객번호", "회원번호", "buyer_id"),
        *("account_id", "member_id", "visitor_id", "customer_number", "customer_email", "id_customer"),
        *("customer_user", "user_pseudo_id", "anonymous_id", "id_visitor", "domain_userid", "network_userid"),
        *("email", "billing_email", "buyer_email", "user_email", "email_address", "fullvisitorid", "session_id"),
    ),
    "timestamp": (
        *("unix_review_time", "time", "date", "datetime", "ts", "created_at", "posted"),
        *("datum", "zeitpunkt", "bestelldatum", "kaufdatum", "date_de_commande", "date_commande", "fecha"),
        *("購入日", "購入日時", "注文日", "注文日時", "日付", "日時", "下单时间", "订单时间", "주문일", "주문일시"),
        *("data_pedido", "data_do_pedido", "data_compra", "data_ordine", "data_acquisto", "fecha_pedido"),
        *("fecha_compra", "besteldatum", "data_zamowienia", "data", "event_time", "order_date", "ordered_at"),
        *("purchase_date", "purchased_at", "event_timestamp"),
    ),
}
_PHRASES = {
    "item_id": (("sku",), ("asin",), ("product", "id"), ("item", "id"), ("variant", "id"), ("book", "id"), ("isbn",)),
    "user_id": (("customer", "id"), ("user", "id"), ("visitor", "id"), ("customer", "email"), ("customer",)),
}
"""Words that follow each other in longer names, such as ``Lineitem sku`` and ``product_id (metadata)``."""
_ABOUT_ROWS = {"order", "orders", "invoice", "transaction", "event", "review", "session", "receipt", "message"}
_ABOUT_ITEMS = {"item", "items", "lineitem", "product", "products", "sku", "asin", "article", "books", "book"}
_ABOUT_USERS = {"user", "customer", "buyer", "client", "visitor", "reviewer", "anonymous", "email"}
_NO_IDS = {"name", "title", "price", "description", "quantity", "qty", "count", "type", "category", "brand", "date"}
_NO_IDS |= {"group", "status", "city", "country", "phone", "note", "notes", "image", "amount", "total", "agent", "url"}
_NOT = {
    "item_id": _ABOUT_ROWS | _ABOUT_USERS | _NO_IDS,
    "user_id": _ABOUT_ROWS | _ABOUT_ITEMS | _NO_IDS,
}
"""Words of columns that are something else: ``Order ID`` looks like ``user_id`` and makes each order a user."""


def nearest_column(columns: Sequence[str], name: str) -> str | None:
    """The column that was probably meant.

    In this order: the same but for case and signs, a usual other name, a longer name that holds one, similar letters.

    >>> nearest_column(["Order ID", "Email", "Lineitem sku"], "user_id")
    'Email'
    """
    plain = {plain_name(column): column for column in reversed(columns)}
    for candidate in (name, *_ALIASES.get(name, ())):
        if plain_name(candidate) in plain:
            return plain[plain_name(candidate)]
    rest = [column for column in columns if not _NOT.get(name, set()) & set(words_of(column))]
    for phrase in _PHRASES.get(name, ()):
        if found := next((column for column in rest if _holds(words_of(column), phrase)), None):
            return found
    plain = {plain_name(column): column for column in reversed(rest)}
    near = difflib.get_close_matches(plain_name(name), list(plain), n=1, cutoff=0.6)
    return plain[near[0]] if near else None


def is_of_rows(name: str, columns: Collection[str]) -> bool:
    """Whether a column of interactions is the number of the row, and another one is probably the items.

    >>> is_of_rows("id", ["id", "product_id"]), is_of_rows("id", ["id", "user"]), is_of_rows("sku", ["sku", "item"])
    (True, False, False)
    """
    if plain_name(name) != "id":
        return False
    return nearest_column([column for column in columns if plain_name(column) != "id"], Columns.Item) is not None


def words_of(name: str) -> list[str]:
    """The words of a column's name, lower case.

    >>> words_of("eventTime_UTC2")
    ['event', 'time', 'utc', '2']
    """
    return [word.lower() for word in _WORDS.findall(name)]


def plain_name(name: str) -> str:
    """Letters and digits alone, small and without accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", name.lower()) if sign.isalnum())


def _holds(words: Sequence[str], phrase: tuple[str, ...]) -> bool:
    """Whether words stand in a name, one after the other."""
    return any(tuple(words[at : at + len(phrase)]) == phrase for at in range(len(words)))
