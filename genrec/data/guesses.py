"""What a table probably means where it does not say it: its time, its titles, ids in another spelling."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from genrec.data.alike import told_apart
from genrec.data.likely_columns import words_of
from genrec.data.time_units import epoch_share

_TIME_WORDS = {"time", "timestamp", "date", "datetime", "ts", "when", "epoch", "day"}
_NO_TIME_WORDS = {"id", "ids", "uuid", "no", "nr", "number", "num", "code", "sku", "ean", "gtin", "isbn", "phone"}
_NO_TIME_WORDS |= {"price", "amount", "cost", "total", "birth", "lifetime", "size", "count"}
_DATE = r"^\s*(?:\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}[/.]\d{4}|\d{4}[/.]\d{1,2}[/.]\d{1,2})(?:\D.*)?$"
_DATE += r"|^\s*\d{4}[年년] ?\d{1,2}[月월]"
_DATE += r"|(?i)^\s*(?:[a-z]{3,9},? )?(?:\d{1,2}[ -])?"
_DATE += r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?[ -].*\d{4}"
_SURE = 0.9
_SAMPLE = 10_000

_TITLE_NAMES = [
    *("title", "name", "producttitle", "productname", "itemtitle", "itemname", "displayname", "fullname"),
    *("titel", "bezeichnung", "titre", "nom", "titulo", "nombre", "headline", "label", "product", "item"),
    *("nomeproduto", "nomedoproduto", "nome", "descrizione", "nomeprodotto", "nombreproducto", "nomproduit"),
    *("productnaam", "naam", "omschrijving", "nazwa", "nazwaproduktu", "商品名称", "产品名称", "상품명", "제품명"),
    *("artikelbezeichnung", "artikelname", "produktname", "libellé", "désignation", "título", "商品名", "品名", "名称"),
]
_NO_TITLE_WORDS = {"brand", "store", "category", "user", "file", "author", "seller", "vendor", "maker", "url", "image"}
_NO_TITLE_WORDS |= {"manufacturer", "supplier", "shop", "first", "last", "host", "link", "path", "id", "sku", "code"}
_LONGEST_TITLE = 25

_ID = pl.col("id")
_SPELLINGS = {
    "Were leading zeros lost?": pl.when(_ID.str.contains(r"^\d+$")).then(_ID.str.strip_chars_start("0")),
    "Were ids turned into decimals?": pl.when(_ID.str.contains(r"^\d+(?:\.0+)?$")).then(_ID.str.replace(r"\.0+$", "")),
    "Are accents written in two ways (NFC and NFD of Unicode)?": _ID.str.normalize("NFC"),
    "Do ids differ in upper and lower case?": _ID.str.to_lowercase(),
    "Do ids differ in blanks or signs?": pl.when(_ID.str.contains(r"[\p{L}\p{N}]")).then(
        _ID.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
    ),
}
_SOME = 0.2


def likely_time(frame: pl.DataFrame, skip: Collection[str]) -> str | None:
    """The column that is probably the time: by its name, else by what it holds.

    Args:
        frame: The table.
        skip: Columns that are something else.
    """
    columns = [name for name in frame.columns if name not in skip]
    for name in columns:
        words = words_of(name)
        at = len(words) > 1 and words[-1] in ("at", "on")
        if at or (_TIME_WORDS & set(words) and not _NO_TIME_WORDS & set(words)):
            return name
    for name in columns:
        if not _NO_TIME_WORDS & set(words_of(name)) and holds_times(frame[name].head(_SAMPLE)):
            return name
    return None


def holds_times(series: pl.Series) -> bool:
    """Whether nearly all values are dates, or epoch numbers of this age."""
    kind, series = series.dtype, series.drop_nulls()
    if not len(series):
        return False
    if kind.is_temporal():
        return kind not in (pl.Time, pl.Duration)
    if kind == pl.String:
        if int(series.str.contains(_DATE).sum()) >= _SURE * len(series):
            return True
        series = series.str.strip_chars().cast(pl.Float64, strict=False).fill_null(0)
    elif not kind.is_numeric():
        return False
    return epoch_share(series.cast(pl.Float64).fill_nan(0).to_numpy()) >= _SURE


def likely_title(frame: pl.DataFrame) -> str | None:
    """The text field that a person would read as the title: by its name, else by what it holds.

    Args:
        frame: The fields of a catalogue.
    """
    texts = [name for name, kind in frame.schema.items() if kind == pl.String and frame[name].drop_nulls().len()]
    plain = {"".join(sign for sign in name.lower() if sign.isalnum()): name for name in reversed(texts)}
    named = next((plain[name] for name in _TITLE_NAMES if name in plain), None)
    if named is None:
        with_word = (name for name in texts if {"title", "name"} & set(words_of(name)))
        named = next((name for name in with_word if not _NO_TITLE_WORDS & set(words_of(name))), None)
    if named is not None:
        return named
    shares = {
        name: _title_share(frame[name].head(_SAMPLE)) for name in texts if not _NO_TITLE_WORDS & set(words_of(name))
    }
    best = max(shares, key=lambda name: shares[name], default=None)
    return best if best is not None and shares[best] > 0.5 else None


def _title_share(series: pl.Series) -> float:
    """How many of the values are distinct short texts; 0 where they are no words."""
    filled = series.drop_nulls().str.strip_chars()
    words = filled.str.count_matches(r"\S+")
    wordy = filled.str.contains(r"\p{L}{2}") & ~filled.str.contains(r"^(?:https?:|www\.|/)\S+$")
    if not len(filled) or (words.median() or 0) > _LONGEST_TITLE or wordy.sum() < _SURE * len(filled):  # type: ignore[operator]
        return 0.0
    return filled.n_unique() / len(series)


def other_spelling(unknown: pl.Series, known: pl.Series, here: str) -> str | None:
    """How ids that a catalogue does not have differ from those that it has, if nearly the same are there.

    Args:
        unknown: Distinct ids, String.
        known: Ids of the catalogue, String.
        here: What holds the unknown ids, such as ``this table``.

    >>> other_spelling(pl.Series(["0", "1"]), pl.Series(["000", "001"]), "this table")
    "Were leading zeros lost? The catalogue has '000' where this table has '0'."
    """
    for cause, canonical in _SPELLINGS.items():
        keys = [ids.to_frame("id").select(canonical.alias("key"), "id").drop_nulls("key") for ids in (unknown, known)]
        pairs = keys[0].join(keys[1].unique("key", keep="first", maintain_order=True), on="key", maintain_order="left")
        if pairs.height and pairs.height >= _SOME * len(unknown):
            first = pairs.row(0, named=True)
            theirs, mine = told_apart(first["id_right"], first["id"])
            return f"{cause} The catalogue has {theirs} where {here} has {mine}."
    return None
