"""Random tables as bytes, which ``fuzz_tables.py`` reads.

A table is made of a seed alone. Its rows are counted as they are written, so that a reader's own count can be checked.
"""

import contextlib
import csv
import gzip
import io
import json
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from fuzz_values import HOSTILE

FORMATS = ("csv", "tsv", "semicolon", "jsonl", "parquet")
_NAMES = [
    "price",
    "brand",
    "category",
    "tags",
    "description",
    "name",
    "stock",
    "url",
    "made_on",
    "spec",
    "größe",
    "a b",
    "",
]
_TIME_NAMES = ["timestamp", "bought_at", "ts", "date", "when", "event_time", "x"]


@dataclass
class Table:
    """A table as bytes.

    Attributes:
        name: File name.
        content: Bytes.
        rows: Rows that were written, those that cannot be read included; None: nobody can tell (bytes were damaged).
        columns: Names of the columns by role: ``user, item, time``, where the table has them.
        notes: What was done to it, for people.
    """

    name: str
    content: bytes
    rows: int | None
    columns: dict[str, str]
    notes: list[str] = field(default_factory=list)


def make_table(maker, role, n_items=30):
    """A random table of ``items``, ``interactions``, ``list`` or ``scores``."""
    names, makers = _columns(maker, role, n_items)
    n = int(maker.pick([1, 2, 5, 20, 60]))
    rows = [[make() for make in makers] for _ in range(n)]
    if role == "items" and maker.chance(0.7):  # distinct ids, as most catalogues have
        ids = maker.pick([lambda k: f"i{k}", lambda k: f"{k:04d}", lambda k: k, lambda k: HOSTILE[k % 60] + str(k)])
        for k, row in enumerate(rows):
            row[0] = ids(k)
    order = maker.rng.permutation(len(names)) if maker.chance(0.3) else np.arange(len(names))
    header = [names[at] for at in order]
    rows = [[row[at] for at in order] for row in rows]
    columns = {"user": None, "item": None, "time": None}
    columns |= dict(zip(["item"] if role != "interactions" else ["user", "item", "time"], names, strict=False))
    kind = maker.pick(FORMATS)
    table = _parquet(maker, header, rows) if kind == "parquet" else _text(maker, kind, header, rows)
    table.columns.update({role: name for role, name in columns.items() if name is not None})
    return table


def _columns(maker, role, n_items):
    canonical = maker.chance(0.7)
    item = "item_id" if canonical else maker.pick(["sku", "ASIN", "item id", "Product", "[item]"])
    if role == "interactions":
        user = "user_id" if canonical else maker.pick(["customer", "uid", "größe"])
        names, makers = [user, item], [maker.ids(8), maker.ids(n_items)]
        if maker.chance(0.8):
            names.append("timestamp" if canonical else maker.pick(_TIME_NAMES))
            makers.append(maker.times())
        wanted = int(maker.rng.integers(0, 3))
    else:
        names, makers = [item], [maker.ids(n_items)]
        if role == "scores":
            names.append("score" if canonical else maker.pick(["score", "points"]))
            bad = maker.pick([0.0, 0.0, 0.2])
            makers.append(
                lambda: maker.pick(["high", None, "nan", "inf"]) if maker.chance(bad) else float(maker.rng.normal())
            )
        wanted = int(maker.rng.integers(0, 6)) if role == "items" else int(maker.rng.integers(0, 2))
        if role == "items" and maker.chance(0.6):
            names.append("title")
            makers.append(maker.text)
    kinds = [
        "text",
        "number",
        "integer",
        "numbers as text",
        "list",
        "lists",
        "object",
        "objects",
        "bool",
        "empty",
        "mixed",
    ]
    for name in maker.rng.permutation(_NAMES)[:wanted].tolist():
        kind = maker.pick(kinds)
        names.append(name)
        makers.append(lambda kind=kind: maker.value(kind))
    if maker.chance(0.01):
        names[-1] = names[0]  # a column twice
    return names, makers


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    return (
        json.dumps(value, ensure_ascii=False) if not isinstance(value, int) or isinstance(value, bool) else str(value)
    )


def _text(maker, kind, header, rows):
    notes, broken = [kind], maker.pick([0.0, 0.0, 0.0, 0.03, 0.4])
    suffix = {"csv": ".csv", "semicolon": ".csv", "tsv": ".tsv", "jsonl": maker.pick([".jsonl", ".ndjson"])}[kind]
    told = True
    if kind == "jsonl":
        lines = [_json_line(maker, dict(zip(header, row, strict=True)), broken) for row in rows]
        text, n_rows = "\n".join(lines) + maker.pick(["", "\n", "\n\n"]), len(lines)
    else:
        separator = {"csv": ",", "semicolon": ";", "tsv": "\t"}[kind]
        text, n_rows, told = _delimited(maker, separator, header, rows, broken, notes)
    if maker.chance(0.1):
        text = text.replace("\n", "\r\n") if kind == "jsonl" else text
    encoding = maker.pick(["utf-8"] * 16 + ["utf-8-sig", "utf-8-sig", "latin-1", "utf-16"])
    data = text.encode(encoding, "surrogatepass" if "16" in encoding else "replace")
    if encoding not in ("utf-8", "utf-8-sig"):
        told = False
        notes.append(encoding)
    if maker.chance(0.05):
        data, told = _damaged(maker, data), False
        notes.append("damaged")
    if maker.chance(0.1):
        data, suffix = gzip.compress(data, mtime=0), suffix + ".gz"
        if maker.chance(0.1):
            data, told = data[: len(data) // 2], False
    return Table("table" + suffix, data, n_rows if told else None, {}, notes)


def _json_line(maker, record, broken):
    record = {key: value for key, value in record.items() if value is not None or maker.chance(0.5)}
    line = json.dumps(record, ensure_ascii=maker.chance(0.5))
    if maker.chance(0.03):
        line = line.replace(
            '": "', '": "' + maker.pick(["\\ud83d", "\\udc00", "\\u0000", "\\ud83d\\ude00", "\\\\ud83d"]), 1
        )
    if not maker.chance(broken):
        return line
    deep = "[" * int(maker.pick([150, 5000]))
    return maker.pick(
        [
            line[:-1],
            line[: len(line) // 2] + "x",
            "[1]",
            "null",
            '"x"',
            line + line,
            f'{{"a": {deep}',
            "NaN",
            line + ",",
        ]
    )


def _delimited(maker, separator, header, rows, broken, notes):
    """Text, number of rows, and whether every reader must count as many."""
    style = maker.pick(["minimal"] * 4 + ["all", "backslash", "none"])
    options = {
        "minimal": {"quoting": csv.QUOTE_MINIMAL},
        "all": {"quoting": csv.QUOTE_ALL},
        "backslash": {"quoting": csv.QUOTE_ALL, "doublequote": False, "escapechar": "\\"},
        "none": {"quoting": csv.QUOTE_MINIMAL},
    }[style]
    end = maker.pick(["\n"] * 8 + ["\r\n", "\r\n", "\r"])
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator=end, **options)
    told = style in ("minimal", "all") and end != "\r"
    table = [header, *([_cell(value) for value in row] for row in rows)]
    if style == "none":  # separators and line ends cannot be written; quotes stay as they are
        for row in table:
            clean = [cell.replace(separator, " ").replace("\n", " ").replace("\r", " ") for cell in row]
            stream.write(separator.join(clean) + end)
    else:
        for number, row in enumerate(table):
            wrong = number and maker.chance(broken) and len(header) > 1
            writer.writerow([*row, "more"] if wrong and maker.chance(0.5) else row[:-1] if wrong else row)
    text = stream.getvalue()
    if maker.chance(0.05):
        text = text.replace(end, end + end, 1)  # an empty line after the header
    if maker.chance(0.05):
        at = text.find(end) + len(end)
        text, told = text[:at] + '"open' + separator + "x" + end + text[at:], False
        notes.append("open quote")
    notes.append(style)
    return text, len(rows), told


def _damaged(maker, data):
    if not data:
        return data
    data = bytearray(data)
    for _ in range(int(maker.rng.integers(1, 8))):
        at = int(maker.rng.integers(len(data)))
        how = maker.pick(["flip", "cut", "double", "nul"])
        if how == "flip":
            data[at] = int(maker.rng.integers(256))
        elif how == "cut":
            del data[at : at + int(maker.rng.integers(1, 40))]
        elif how == "double":
            data[at:at] = data[at : at + 30]
        else:
            data[at:at] = b"\x00"
        if not data:
            break
    return bytes(data)


def _parquet(maker, header, rows):
    columns = []
    for at, name in enumerate(header):
        values = [row[at] for row in rows]
        series = pl.Series(name, values, strict=False) if not maker.chance(0.3) else _as_text(name, values)
        kinds = [pl.Float32, pl.Int8, pl.UInt64, pl.Int128, pl.Categorical, pl.Binary, pl.Date, pl.Time, pl.Duration]
        kinds += [pl.Datetime("ns", "Europe/Paris"), pl.Datetime("us"), pl.Decimal(20, 2)]
        if maker.chance(0.15):
            with contextlib.suppress(pl.exceptions.PolarsError, pl.exceptions.PanicException):
                series = series.cast(maker.pick(kinds), strict=False)
        columns.append(series)
    try:
        frame = pl.DataFrame(columns)
        stream = io.BytesIO()
        frame.write_parquet(stream)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):  # polars writes no such table: as text, then
        names = [f"{name}{n}" if name in header[:n] else name for n, name in enumerate(header)]
        frame = pl.DataFrame([_as_text(name, [row[at] for row in rows]) for at, name in enumerate(names)])
        stream = io.BytesIO()
        frame.write_parquet(stream)
    data, n_rows = stream.getvalue(), len(rows)
    if maker.chance(0.03):
        return Table("table.parquet", _damaged(maker, data), None, {}, ["parquet", "damaged"])
    return Table("table.parquet", data, n_rows, {}, ["parquet"])


def _as_text(name, values):
    return pl.Series(name, [None if value is None else _cell(value) for value in values], dtype=pl.String)
