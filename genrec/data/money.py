"""Amounts of money in text, such as ``$1,299.00`` or ``12,99 €``: read as numbers where a column leaves no doubt."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from genrec.data.rules import MISSING
from genrec.errors import DataError
from genrec.wording import agree, count

_DOLLARS = ("USD", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD", "MXN", "ARS", "CLP", "COP")
_SIGNS: dict[str, tuple[str, ...]] = {
    "$": _DOLLARS,
    **{"US$": ("USD",), "U$": ("USD",), "CA$": ("CAD",), "C$": ("CAD",), "A$": ("AUD",), "AU$": ("AUD",)},
    **{"NZ$": ("NZD",), "HK$": ("HKD",), "S$": ("SGD",), "NT$": ("TWD",), "MX$": ("MXN",), "R$": ("BRL",)},
    **{"€": ("EUR",), "EURO": ("EUR",), "£": ("GBP",), "¥": ("JPY", "CNY"), "￥": ("JPY", "CNY"), "円": ("JPY",)},
    **{"元": ("CNY",), "₩": ("KRW",), "원": ("KRW",), "₹": ("INR",), "RS": ("INR", "PKR", "LKR", "NPR")},
    **{"₽": ("RUB",), "РУБ": ("RUB",), "₺": ("TRY",), "TL": ("TRY",), "₫": ("VND",), "฿": ("THB",), "₪": ("ILS",)},
    **{"₴": ("UAH",), "₦": ("NGN",), "₱": ("PHP",), "ZŁ": ("PLN",), "KČ": ("CZK",), "LEI": ("RON",)},
    "KR": ("SEK", "NOK", "DKK", "ISK"),
}
"""Which currencies a sign can mean."""
_CODES = (
    *_DOLLARS,
    *("EUR", "GBP", "CHF", "JPY", "CNY", "KRW", "INR", "PKR", "LKR", "NPR", "BRL", "RUB", "TRY", "VND", "THB", "ILS"),
    *("UAH", "NGN", "PHP", "PLN", "CZK", "RON", "SEK", "NOK", "DKK", "ISK", "HUF", "BGN", "RSD", "ZAR", "AED", "SAR"),
    *("QAR", "KWD", "BHD", "OMR", "JOD", "EGP", "MAD", "TND", "KES", "GHS", "IDR", "MYR", "KZT"),
)
"""Codes of ISO 4217, without those that are also words of packages: PEN, GEL, CUP, TOP, ALL."""
_WHOLE = frozenset(("JPY", "KRW", "VND", "CLP", "ISK"))
"""Currencies without a smaller unit: a mark in their amounts stands between thousands."""
_NAMED = "|".join(sorted(map(re.escape, (sign for sign in _SIGNS if not sign.isascii() or "$" in sign)), key=len)[::-1])
_SIGN = rf"{_NAMED}|zł|Kč|руб\.?|Rs\.?|kr\.?|TL|lei|LEI|(?i:euros?|eur|usd|gbp)|{'|'.join(_CODES)}"
_FORM = (
    rf"^(?<minus>[-−])? ?(?<before>{_SIGN})? ?(?<less>[-−])? ?"
    rf"(?<body>(?:[0-9][0-9.,'’ ]*)?[0-9]|[.,][0-9]+)(?:[.,](?:[-–—]|00?)?)? ?(?<after>{_SIGN})?$"
)
_BLANKS = r"[\s\x{a0}\x{2007}\x{2009}\x{202f}]+"
_SPACED = r"^[1-9][0-9]{0,2}(?:[ '’][0-9]{3})+(?:[.,][0-9]+)?$"
_PLAIN = r"^(?:0|[1-9][0-9]*)$"
_UNSURE = r"^[1-9][0-9]{0,2}[.,][0-9]{3}$"
_DECIMAL = {
    ".": r"^(?:(?:0|[1-9][0-9]*)?\.[0-9]+|[1-9][0-9]{0,2}(?:,[0-9]{3})+\.[0-9]+"
    r"|[1-9][0-9]{0,2}(?:,[0-9]{3}){2,}|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?)$",
    ",": r"^(?:(?:0|[1-9][0-9]*)?,[0-9]+|[1-9][0-9]{0,2}(?:\.[0-9]{3})+,[0-9]+|[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,})$",
}
"""Numbers that show which mark stands before the decimals."""
_LONGEST, _MOST_DIGITS = 40, 15
_SAMPLE = 4000


@dataclass(frozen=True)
class Amounts:
    """What a column of text says in numbers.

    Attributes:
        numbers: ``(n_rows,)`` Int64 or Float64, null where there is no amount; None where none is read.
        filled: Rows that hold anything.
        currency: Code such as ``EUR``, or the sign where it can mean several; None: there is no sign.
        doubt: Why amounts are not read as numbers; None: there is no doubt.
        marked: Some of them have a sign of a currency or a mark between digits.
    """

    numbers: pl.Series | None
    filled: int
    currency: str | None = None
    doubt: str | None = None
    marked: bool = False

    @property
    def found(self) -> int:
        """How many rows are amounts."""
        return 0 if self.numbers is None else len(self.numbers) - self.numbers.null_count()

    @property
    def complete(self) -> bool:
        """Whether every row that holds anything is an amount."""
        return 0 < self.found == self.filled

    @property
    def mostly(self) -> bool:
        """Whether half of the rows that hold anything are amounts."""
        return 0 < self.filled <= 2 * self.found


def read_amounts(column: pl.Series) -> Amounts:
    """Amounts of a column of text, in one currency and with one decimal mark.

    ``1,299`` alone may be thousands or decimals: another row must show which, unless the currency has no smaller unit.

    Args:
        column: String.

    >>> found = read_amounts(pl.Series(["$1,299.00", "$5", None]))
    >>> found.numbers.to_list(), found.currency
    ([1299.0, 5.0, None], '$')
    >>> read_amounts(pl.Series(["12,99 €", "$3"])).doubt
    "it holds several currencies: '12,99 €', '$3'"
    """
    if not _likely(_tidied(column.drop_nulls().head(_SAMPLE)).drop_nulls()):
        return Amounts(None, len(column) - column.null_count())
    text = _tidied(column)
    filled = len(text) - text.null_count()
    parts = text.str.extract_groups(_FORM).struct.unnest()
    body = parts["body"]
    body = body.set(body.str.contains(_SPACED).fill_null(False), None).fill_null(body.str.replace_all("[ '’]", ""))
    body = body.set(~_readable(body), None)
    if not body.is_not_null().any():
        return Amounts(None, filled)
    text = text.set(body.is_null(), None)
    told, doubt = _currency(parts.select("before", "after").filter(body.is_not_null()), text.drop_nulls())
    decimal, unsure = _decimal_mark(body, told)
    doubt = doubt or (unsure and f"{unsure}: {_shown(text, body)}")
    if doubt:
        return Amounts(None, filled, doubt=doubt)
    minus = (parts["minus"].is_not_null() | parts["less"].is_not_null()).fill_null(False)
    return Amounts(_numbers(body, minus, decimal).alias(column.name), filled, told[0], marked=_marked(body, told))


def numbers_of(column: pl.Series) -> pl.Series | None:
    """A field as Float64, null where it has no number; None where it is no field of numbers.

    Args:
        column: Of a catalogue: numbers, text or lists.
    """
    if column.dtype.is_numeric():
        return column.cast(pl.Float64)
    if column.dtype != pl.String:
        return None
    found = read_amounts(column)
    return found.numbers.cast(pl.Float64) if found.numbers is not None and found.mostly else None


def _tidied(text: pl.Series) -> pl.Series:
    """Texts with plain blanks, null where they mean that there is nothing."""
    text = text.str.replace_all(_BLANKS, " ").str.strip_chars(" ")
    return text.set(text.is_in(MISSING), None)


def _likely(sample: pl.Series) -> bool:
    """Whether half of some texts look like amounts: a field of descriptions is not read to its end."""
    short = sample.filter(sample.str.len_chars() <= _LONGEST)
    return 0 < len(sample) <= 2 * int(short.str.contains(_FORM).sum())


def _readable(body: pl.Series) -> pl.Series:
    forms = "|".join((_PLAIN, *_DECIMAL.values()))
    digits = body.str.count_matches("[0-9]") <= _MOST_DIGITS
    return (body.str.contains(forms) & digits).fill_null(False)


def _currency(signs: pl.DataFrame, texts: pl.Series) -> tuple[tuple[str | None, frozenset[str]], str | None]:
    """The name of the one currency with the codes that it may be, and what is in doubt.

    Args:
        signs: Signs before and after each amount.
        texts: The amounts.
    """
    possible: frozenset[str] = frozenset()
    name, first = None, ""
    for before, after in signs.unique(maintain_order=True).iter_rows():
        for sign in (before, after):
            if sign is None:
                continue
            meant = frozenset(_meanings(sign))
            here = texts.filter(signs["before"].eq_missing(before) & signs["after"].eq_missing(after))[0]
            both = meant & possible if possible else meant
            if not both:
                return (None, frozenset()), f"it holds several currencies: {first!r}, {here!r}"
            if not possible or len(both) < len(possible):
                name = next(iter(both)) if len(both) == 1 else sign
            possible, first = both, first or here
    return (name, possible), None


def same_currency(first: str, second: str) -> bool:
    """Whether two signs or codes can mean one currency.

    >>> same_currency("$", "CAD"), same_currency("EUR", "$")
    (True, False)
    """
    return bool(set(_meanings(first)) & set(_meanings(second)))


def _meanings(sign: str) -> tuple[str, ...]:
    plain = sign.upper().rstrip(".").replace("EUROS", "EURO")
    return _SIGNS.get(plain) or (plain,)


def _decimal_mark(body: pl.Series, told: tuple[str | None, frozenset[str]]) -> tuple[str | None, str | None]:
    """The mark before decimals (None: no amount has one), and what is in doubt."""
    unsure = body.str.contains(_UNSURE).fill_null(False)
    shown = [mark for mark, form in _DECIMAL.items() if (body.str.contains(form) & ~unsure).any()]
    if len(shown) > 1:
        return None, "a point stands before decimals in some rows, a comma in others"
    if shown or not unsure.any():
        return (shown[0] if shown else None), None
    marks = [mark for mark in _DECIMAL if body.filter(unsure).str.contains(mark, literal=True).any()]
    if told[1] and told[1] <= _WHOLE and len(marks) == 1:
        return "," if marks == ["."] else ".", None
    return None, "no row shows whether a mark stands before decimals or between thousands"


def _shown(text: pl.Series, body: pl.Series) -> str:
    """Amounts that make the doubt, one for each mark."""
    marked = [text.filter(body.str.contains(rf"[{mark}][0-9]+$").fill_null(False)).head(1) for mark in _DECIMAL]
    return ", ".join(repr(one[0]) for one in marked if len(one))


def _numbers(body: pl.Series, minus: pl.Series, decimal: str | None) -> pl.Series:
    thousands = "," if decimal == "." else "."
    digits = body.str.replace_all(thousands, "", literal=True).str.replace(decimal or ".", ".", literal=True)
    signed = pl.select(pl.when(minus).then("-" + digits).otherwise(digits)).to_series()
    kind = pl.Float64 if digits.str.contains(".", literal=True).any() else pl.Int64
    return signed.cast(kind)  # type: ignore[arg-type]


def _marked(body: pl.Series, told: tuple[str | None, frozenset[str]]) -> bool:
    return told[0] is not None or bool(body.str.contains(r"[0-9][.,][0-9]{3}(?:[.,]|$)").any())


def read_money(field: pl.Series) -> tuple[pl.Series, str | None, str | None]:
    """A field of a catalogue with its amounts of money as numbers, where all of it are amounts of one currency.

    Args:
        field: String.

    Returns:
        The field, the currency where it was read, and else why amounts stay text.
    """
    found = read_amounts(field)
    if found.doubt is not None:
        return field, None, found.doubt
    if found.numbers is None or found.currency is None:
        return field, None, None
    if found.complete:
        return found.numbers, found.currency, None
    others = field.filter(found.numbers.is_null() & ~field.str.strip_chars().is_in(MISSING).fill_null(True))
    less = found.filled - found.found
    rest = f"{count(less, 'row')} {agree(less, 'is', 'are')} no amount, such as {others[0][:_LONGEST]!r}"
    return field, None, rest if found.mostly else None


def amounts_were_text(name: str, where: str, before: str) -> DataError:
    """What is said where a field of amounts was text before, and is numbers now."""
    return DataError(
        f"The field '{name}' holds amounts that were read as numbers; {before} it was text.",
        where=where,
        expected="the same kind in both, so that texts of items are made in the same way",
        hint=f"In Python: Catalog.read(path, as_text=['{name}']). Commands read it as text by themselves.",
    )
