"""Reading csv and tsv bytes: broken rows are found by one vectorised pass, the rest goes to polars."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import polars as pl

from genrec.data.records import Records, cut_out, is_even, line_numbers, scan
from genrec.data.report import N_EXAMPLES, Lines
from genrec.errors import ConfigError, DataError
from genrec.wording import count

Quotes = Literal["doubled", "backslash", "none"]
"""What ``"`` means: it encloses fields and is doubled inside them (the rule of csv), or has a backslash before it
inside them, or is a sign like any other (the rule of tsv)."""

_LONGEST_RECORD = 1000
_MAX_FIELD = 1 << 27
_OLD_LINE_END = re.compile(rb"[^\r\n\"]*\r(?!\n)")
_OF_SPREADSHEETS = re.compile(r"(?i)sep=.?")
_ESCAPED = re.compile(rb"\\([\\\"])")


@dataclass(frozen=True)
class Parsed:
    """A table as it was read.

    Attributes:
        frame: The readable rows.
        lines: Where they stand in the file.
        broken: Number of rows left out.
        examples: The first of them, with line numbers.
        advice: What may read more of them, if that is known.
        replaced: Number of values with a sign that no text may hold, which was replaced.
        replaced_at: The first of them.
        repeated: Number of lines with a key that stands twice.
        repeated_at: The first of them.
        header: The line with the names of the columns, of text that has one.
    """

    frame: pl.DataFrame
    lines: Lines
    broken: int = 0
    examples: list[str] = field(default_factory=list)
    advice: str | None = None
    replaced: int = 0
    replaced_at: list[str] = field(default_factory=list)
    repeated: int = 0
    repeated_at: list[str] = field(default_factory=list)
    header: bytes = b""


def parse_delimited(
    data: bytes, separator: str, where: object, *, quotes: Quotes = "doubled", first_line: int = 1, whole: bool = True
) -> Parsed:
    """Read csv or tsv text with a header; every column comes as String, empty fields as null.

    Rows with more or fewer fields than the header are left out. Empty lines mean nothing.

    Args:
        data: UTF-8 text.
        separator: One character. A csv file whose header has none of it but tabs or semicolons is read with those.
        where: The file, for messages.
        quotes: What quotes mean.
        first_line: Number of the first line.
        whole: No readable row is an error.

    Raises:
        DataError: No header, no rows, a column name twice, or no row fits the header.
        ConfigError: Unknown word for ``quotes``.
    """
    if quotes not in get_args(Quotes):
        raise ConfigError(f"quotes is {quotes!r}.", where="quotes", expected=", ".join(get_args(Quotes)))
    if quotes == "backslash":
        return _parse_escaped(data, separator, where, first_line, whole)
    try:
        parsed = _parse(data, separator, where, quotes == "doubled", first_line, whole)
    except DataError as error:
        if quotes != "doubled" or b'"' not in data or (advice := _better_quotes(data, separator, where, 0)) is None:
            raise
        raise DataError(error.what, where=error.where, expected=error.expected, hint=advice) from None
    if not parsed.broken or quotes != "doubled" or b'"' not in data:
        return parsed
    return replace(parsed, advice=_better_quotes(data, separator, where, parsed.frame.height))


def _better_quotes(data: bytes, separator: str, where: object, rows: int) -> str | None:
    """The other meaning of quotes that reads more rows than these, as advice."""
    heights: dict[Quotes, int] = {}
    others: tuple[Quotes, ...] = ("backslash", "none") if b'\\"' in data else ("none",)
    for other in others:
        try:
            found = parse_delimited(data, separator, where, quotes=other)
        except DataError:
            continue
        heights[other] = found.frame.height
    best = max(heights, key=lambda name: heights[name], default=None)
    if best is None or heights[best] <= rows:
        return None
    why = "have a backslash before them" if best == "backslash" else "are signs like any other"
    more = f"{count(heights[best] - rows, 'more row')} can be read"
    return f"If quotes {why}, {more}: --quotes {best} (quotes={best!r} in Python)."


def _parse_escaped(data: bytes, separator: str, where: object, first_line: int, whole: bool) -> Parsed:
    """Text whose quotes have backslashes before them: a sign that the text does not have stands for them meanwhile."""
    stand_in = next(sign for code in range(0xE000, 0xF900) if (sign := chr(code)).encode() not in data)
    plain = _ESCAPED.sub(lambda match: stand_in.encode() if match[1] == b'"' else b"\\", data)
    parsed = _parse(plain, separator, where, True, first_line, whole)
    frame = parsed.frame.select(pl.all().str.replace_all(stand_in, '"', literal=True))
    header = parsed.header.replace(b"\\", b"\\\\").replace(stand_in.encode(), b'\\"')
    return replace(parsed, frame=frame.rename(lambda name: name.replace(stand_in, '"')), header=header)


def _parse(data: bytes, separator: str, where: object, quotes: bool, first_line: int, whole: bool) -> Parsed:
    if _OLD_LINE_END.match(data):
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    separator = _actual_separator(data, separator)
    if is_even(data, separator.encode(), quotes):
        header = data[: data.find(b"\n") + 1]
        frame = _read(data, separator, quotes, _header(header.decode(), separator, where, quotes), where)
        return Parsed(frame, Lines("line", first_line + 1), header=header)
    records = scan(data, ord(separator), quotes)
    if records.irregular:
        return _parse_slowly(data, separator, where, first_line, whole)
    used = np.flatnonzero(~records.blank)
    if not len(used):
        raise DataError("The file is empty.", where=where, expected="a header line and one line for each row")
    starts = np.r_[0, records.stops[:-1]]
    head = int(used[0])
    header = data[starts[head] : records.stops[head]]
    names = _header(header.decode(), separator, where, quotes)
    wrong = used[records.separators[used] != len(names) - 1]
    good = used[records.separators[used] == len(names) - 1][1:]
    numbers = None
    if len(good) + 1 != len(records.stops) or records.quoted or not len(good):
        numbers = line_numbers(data, starts, records.quoted) + first_line - 1
    examples = [] if numbers is None else _wrong_fields(wrong, records, numbers, len(names))
    if not len(good) and whole:
        raise _no_rows(examples, separator, where)
    if numbers is not None:
        data = cut_out(data, starts, records.stops, np.r_[head, good])
    frame = _read(data, separator, quotes, names, where)
    lines = Lines("line", first_line + 1, None if numbers is None else numbers[good])
    return Parsed(frame, lines, len(wrong), examples, header=header)


def _read(data: bytes, separator: str, quotes: bool, names: list[str], where: object) -> pl.DataFrame:
    """The rows of text whose lines all have these fields."""
    try:
        frame = pl.read_csv(data, separator=separator, infer_schema=False, quote_char='"' if quotes else None)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"The file cannot be read as csv: {error}", where=where) from None
    if frame.width != len(names):
        raise DataError(
            f"The first line has {count(len(names), 'column')} in one reading and {frame.width} in another.",
            where=where,
            expected="a first line with the names of the columns, and line feeds at the ends of lines",
            hint="Write the first line anew.",
        )
    frame.columns = names
    return frame


def _wrong_fields(wrong: np.ndarray, records: Records, numbers: np.ndarray, n_fields: int) -> list[str]:
    rows = wrong[:N_EXAMPLES].tolist()
    return [
        f"line {numbers[r]}: {count(records.separators[r] + 1, 'field')} where the header has {n_fields}" for r in rows
    ]


def _actual_separator(data: bytes, separator: str) -> str:
    header = data[: data.find(b"\n") if b"\n" in data else len(data)].decode()
    if separator == "," and "," not in header:
        return next((other for other in ("\t", ";") if other in header), separator)
    return separator


def _header(line: str, separator: str, where: object, quotes: bool) -> list[str]:
    source = io.StringIO(line.rstrip("\r\n"), newline="")
    try:
        fields = next(csv.reader(source, delimiter=separator, quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE))
    except csv.Error as error:
        raise DataError(f"The header cannot be read: {error}.", where=where) from None
    return _unique_names(fields, where)


def _unique_names(fields: list[str], where: object) -> list[str]:
    names = [name.strip() for name in fields]
    if names[:1] and _OF_SPREADSHEETS.fullmatch(names[0]) and not any(names[1:]):
        raise DataError(
            f"The first line, {names[0]!r}, is a note for spreadsheet programs.",
            where=where,
            expected="a first line with the names of the columns",
            hint="Remove this line, such as with: tail -n +2 FILE > NEW.",
        )
    names = [name or f"column_{n + 1}" for n, name in enumerate(names)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"The header has the column '{twice[0]}' twice.", where=where, hint="Rename one of them.")
    return names


def _no_rows(broken: list[str], separator: str, where: object) -> DataError:
    """The error for a file in which no row fits the header."""
    if not broken:
        return DataError("The file has a header but no rows.", where=where, expected="one line for each row")
    return DataError(
        "No row has as many fields as the header.",
        where=f"{where}: {'; '.join(broken)}",
        expected=f"fields separated by {separator!r}",
        hint="Check the header and the separator; quote fields that contain it.",
    )


def _parse_slowly(data: bytes, separator: str, where: object, first_line: int, whole: bool) -> Parsed:
    """Record by record, for files with quotes where none belong: an open quote costs its own line only."""
    csv.field_size_limit(_MAX_FIELD)
    lines = [line + "\n" for line in data.decode().split("\n")]
    quoted = np.flatnonzero(['"' in line for line in lines]).tolist()
    names: list[str] = []
    rows: list[list[str | None]] = []
    numbers: list[int] = []
    broken: list[str] = []
    header = b""
    at = next_quoted = 0
    while at < len(lines):
        while next_quoted < len(quoted) and quoted[next_quoted] <= at:
            next_quoted += 1
        fields, used = _next_record(lines, at, separator, quoted[next_quoted : next_quoted + _LONGEST_RECORD])
        number, at = at + first_line, at + used
        if fields == [] or (not names and fields is None):
            continue
        if fields is not None and not names:
            names = _unique_names(fields, where)
            header = "".join(lines[at - used : at]).encode()
        elif fields is not None and len(fields) == len(names):
            rows.append([value or None for value in fields])
            numbers.append(number)
        else:
            found = "a quote that is not closed" if fields is None else f"{count(len(fields), 'field')}"
            broken.append(f"line {number}: {found} where the header has {count(len(names), 'field')}")
    if broken and not rows and whole:
        raise DataError(f"No row can be read ({broken[0]}).", where=where, hint="Close the quote, or double it inside.")
    if not rows and (whole or not names):
        raise _no_rows([], separator, where)
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    places = Lines("line", 2, np.array(numbers, dtype=np.int64))
    return Parsed(frame, places, len(broken), broken[:N_EXAMPLES], header=header)


def _next_record(lines: list[str], at: int, separator: str, quoted: list[int]) -> tuple[list[str] | None, int]:
    """Fields of the record that begins at a line (None: broken) and the number of lines it takes.

    A record of several lines can end only on one with a quote, of which ``quoted`` holds the next ones.
    """
    for end in [at, *quoted]:
        if end - at >= _LONGEST_RECORD:
            break
        try:
            records = list(csv.reader(lines[at : end + 1], delimiter=separator, strict=True))
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                continue
            return None, 1
        return (records[0] if records else []), end + 1 - at
    return None, 1
