"""Text out of web pages: HTML entities become their signs, HTML tags go."""

from __future__ import annotations

import html
import re
from html.entities import html5

import polars as pl

_ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
_INLINE = "a|abbr|b|big|cite|code|em|font|i|kbd|mark|s|small|span|strike|strong|sub|sup|tt|u"
_BLOCK = "blockquote|center|dd|div|dl|dt|h[1-6]|li|ol|p|pre|section|table|tbody|td|th|thead|tr|ul"
_ALONE = "br|hr|img|wbr"
_UNSEEN = "script|style"
_PAIRED = f"{_INLINE}|{_BLOCK}|{_UNSEEN}"
_REST = r"(?:\s[^<>]*)?/?>"
_MAY_CHANGE = rf"(?i){_ENTITY}|</?(?:{_PAIRED}|{_ALONE}){_REST}"
_OPENED = re.compile(rf"(?i)<({_PAIRED}){_REST}")
_CLOSED = re.compile(rf"(?i)</({_PAIRED})\s*>")
_SINGLE = re.compile(rf"(?i)<(?:{_ALONE}){_REST}|<(?:p|li)>")
_HIDDEN = re.compile(rf"(?is)<!--.{{0,5000}}?-->|<({_UNSEEN}){_REST}.{{0,5000}}?</\1\s*>")
_WITHIN = re.compile(rf"(?i)</?(?:{_INLINE}|wbr){_REST}")
_AROUND = re.compile(rf"(?i)</?(?:{_BLOCK}|{_UNSEEN}|{_ALONE}){_REST}")
_WHOLE_ENTITY = re.compile(_ENTITY)
_ROUNDS = 3  # text that was escaped more than once: &amp;quot;


def plain_text(text: str) -> str:
    """Text without HTML entities and tags.

    Entities are those of HTML 5 with their semicolon, also escaped twice. Tags go only from text that plainly is HTML:
    that closes a tag, or breaks a line; ``The <div> tag`` and ``a < b`` stay.

    >>> plain_text("Caf&eacute; &amp;quot;XL&amp;quot;<br/><b>red</b> cup &lt; 3")
    'Café "XL" red cup < 3'
    """
    plain = _without_tags(text)
    for _ in range(_ROUNDS):
        before = plain
        if _WHOLE_ENTITY.search(plain):
            plain = _WHOLE_ENTITY.sub(_sign, plain)
        plain = _without_tags(plain)
        if plain == before:
            break
    return " ".join(plain.split()) if plain != text else text


def plain_field(series: pl.Series) -> tuple[pl.Series, pl.Series]:
    """A field (String or List(String)) without HTML.

    Returns:
        The field, and which rows changed (Boolean).
    """
    entries = series if series.dtype == pl.String else series.explode()
    texts = entries.filter(entries.str.contains(_MAY_CHANGE).fill_null(False)).unique(maintain_order=True)
    if not len(texts):
        return series, pl.repeat(False, len(series), eager=True)
    plain = pl.Series([plain_text(text) for text in texts.to_list()], dtype=pl.String)
    texts, plain = texts.filter(texts != plain), plain.filter(texts != plain)
    if series.dtype == pl.String:
        return series.replace(texts, plain), series.is_in(texts.implode()).fill_null(False)
    changed = series.list.eval(pl.element().is_in(texts.implode())).list.any().fill_null(False)
    return series.list.eval(pl.element().replace(texts, plain)), changed


def _without_tags(text: str) -> str:
    if "<" not in text or not (_SINGLE.search(text) or _closes_a_tag(text)):
        return text
    return _AROUND.sub(" ", _WITHIN.sub("", _HIDDEN.sub(" ", text)))


def _closes_a_tag(text: str) -> bool:
    """Whether a tag is opened and later closed."""
    closed = {match[1].lower(): match.start() for match in _CLOSED.finditer(text)}
    return any(match.start() < closed.get(match[1].lower(), -1) for match in _OPENED.finditer(text))


def _sign(match: re.Match[str]) -> str:
    """The sign of an entity; what HTML does not know stays."""
    name = match[0][1:]
    sign = html.unescape(match[0]) if name.startswith("#") else html5.get(name, match[0])
    return " " if sign == "\xa0" else sign
