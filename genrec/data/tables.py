"""Tables in and out: csv, tsv, JSON lines (also packed) and parquet, with one clear error for what cannot be read."""

from __future__ import annotations

import codecs
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from genrec.artifacts import atomic_file
from genrec.artifacts.files import with_place
from genrec.data.delimited import Parsed, Quotes, parse_delimited
from genrec.data.encodings import conversion_hint
from genrec.data.file_kinds import content_hint, kind_hint
from genrec.data.formulas import formula_note
from genrec.data.jsonlines import parse_json_lines
from genrec.data.packed import PACKED, byte_chunks, inner_suffix, packing, require_packing, unpacking_hint
from genrec.data.parquet import read_parquet
from genrec.data.report import DataReport, Lines
from genrec.data.signs import without_nul
from genrec.data.unread import require_path
from genrec.errors import DataError

logger = logging.getLogger(__name__)

TEXT_KINDS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_KNOWN = ", ".join([*TEXT_KINDS, ".parquet"]) + f" (text kinds also with {', '.join(PACKED)})"
_MAGIC = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PAR1": "a parquet file",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\x00": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"%PDF": "a PDF file",
    b"\x89PNG": "a PNG image",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"SQLite format 3": "an SQLite database",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_OF_PYTHON = (
    "The lines are Python and no JSON, as in the dumps of Amazon and Steam that genrec data prepare reads. For others: "
    "python3 -c 'import ast, json, sys; [print(json.dumps(ast.literal_eval(x))) for x in sys.stdin]' < FILE > NEW.jsonl"
)
_CHUNK = 1 << 24
_LOOK = 1 << 16
_FIRST_ROWS = 1000
_NUL_SHARE = 0.2
_NO_TEXT = re.compile(rb"[\x01-\x08\x0e-\x1a]")


def read_table(path: Path | str, *, quotes: Quotes = "doubled") -> pl.DataFrame:
    """Read a table by its suffix: ``.csv .tsv .jsonl .ndjson`` (also packed: ``.gz .bz2 .xz .zst``) or ``.parquet``.

    Columns of csv and tsv files all come as String (so that leading zeros survive), empty fields as null. Broken
    rows are left out with a warning; :class:`~genrec.data.catalog.Catalog` and
    :class:`~genrec.data.interactions.Interactions` count them in their report.

    Args:
        path: The file.
        quotes: What ``"`` means in csv and tsv files: see :data:`genrec.data.delimited.Quotes`.

    Raises:
        DataError: The file is missing, a folder, empty, binary, not UTF-8, of an unknown kind, or without any row.
    """
    report = DataReport(str(path))
    frame, _ = read_rows(path, report, quotes=quotes)
    for problem in report.problems:
        logger.warning("%s", problem.line())
    return frame


def read_rows(path: Path | str, report: DataReport, *, quotes: Quotes = "doubled") -> tuple[pl.DataFrame, Lines]:
    """Like :func:`read_table`, with rows and what is wrong counted in ``report``, and the place of every row."""
    path = require_path(path, "the path of a table", report.table)
    kind = table_kind(path)
    if kind == "parquet":
        frame = _read_parquet(path)
        report.read(frame.height)
        return without_nul(frame, report, Lines("row")), Lines("row")
    data = read_text(path)
    may_hold_nul = kind == "jsonl" or b"\x00" in data  # JSON also by an escape
    parsed = _parse(data, kind, path, quotes)
    python = kind == "jsonl" and data[:_LOOK].lstrip().startswith((b"{'", b"{u'"))
    del data
    if not parsed.frame.height:
        found = f" ({parsed.examples[0]})" if parsed.examples else ""
        hint = _OF_PYTHON if python else None
        raise DataError(f"No line can be read{found}.", where=path, expected="one JSON object a line", hint=hint)
    report.read(parsed.frame.height + parsed.broken)
    report.add("broken-rows", parsed.broken, parsed.examples, parsed.advice)
    report.add("replaced-signs", parsed.replaced, parsed.replaced_at)
    report.add("repeated-keys", parsed.repeated, parsed.repeated_at)
    frame = without_nul(parsed.frame, report, parsed.lines) if may_hold_nul else parsed.frame
    return frame, parsed.lines


def table_start(path: Path | str, *, quotes: Quotes = "doubled") -> pl.DataFrame:
    """The first rows of a table, to see what its columns are; an empty one where they cannot be read."""
    path = Path(path)
    try:
        kind = table_kind(path)
        if kind == "parquet":
            return read_parquet(path, n_rows=_FIRST_ROWS)
        start = next(raw_chunks(path), b"")
        if len(start) > _LOOK:
            start = start[: start.find(b"\n", _LOOK) + 1] or start
        return _parse(start, kind, path, quotes).frame
    except (DataError, OSError, UnicodeDecodeError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return pl.DataFrame()


def table_kind(path: Path, *, to_write: bool = False) -> str:
    """``csv``, ``tsv``, ``jsonl`` or ``parquet``, by suffix.

    Args:
        path: Of the table.
        to_write: It is to be written, so it need not exist.

    Raises:
        DataError: Another suffix, or (unless it is to be written) no file.
    """
    suffix = inner_suffix(path)
    kind = TEXT_KINDS.get(suffix)
    if kind is None and path.suffix.lower() == ".parquet":
        kind = "parquet"
    if kind is None:
        if not to_write:
            require_file(path)
        hint = unpacking_hint(path) if to_write else kind_hint(path)
        raise DataError(f"Cannot tell what kind of table '{path.name}' is.", where=path, expected=_KNOWN, hint=hint)
    if to_write:
        require_packing(path)
    return kind


def _parse(data: bytes, kind: str, path: Path, quotes: Quotes) -> Parsed:
    if kind == "jsonl":
        return parse_json_lines(data, path)
    return parse_delimited(data, "\t" if kind == "tsv" else ",", path, quotes=quotes)


def require_file(path: Path) -> None:
    """Refuse a path that is no file.

    Raises:
        DataError: It is missing, or a folder; names what is there.
    """
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir())[:8]
        raise DataError(
            "This is a folder, not a table.",
            where=path,
            expected=f"a file: {_KNOWN}",
            hint=f"It holds {', '.join(names)}." if names else "It is empty.",
        )
    if not path.is_file():
        near = sorted(entry.name for entry in path.parent.iterdir())[:8] if path.parent.is_dir() else []
        there = f"That folder holds {', '.join(near)}." if near else "That folder does not exist or is empty."
        raise DataError("The file does not exist.", where=path, hint=f"Check the path. {there}")


def read_text(path: Path | str, *encodings: str) -> bytes:
    """The text of a file (unpacked as its suffix says) as UTF-8 bytes without byte-order mark.

    Args:
        path: The file.
        encodings: The first of them in which the whole file can be read is taken; none: UTF-8.

    Raises:
        DataError: The file is missing, a folder, empty, binary, a damaged packed file, or in none of these encodings.
    """
    buffer = io.BytesIO()  # grows in place: joining a list of chunks takes twice the memory
    for chunk in raw_chunks(Path(path)):
        buffer.write(chunk)
    data = buffer.getvalue()
    for encoding in encodings:
        try:
            return data.decode(encoding).encode()
        except UnicodeDecodeError:
            continue
    require_utf8(data, Path(path))
    return data


def text_blocks(path: Path | str, size: int = 1 << 26) -> Iterator[bytes]:
    """Like :func:`read_text`, in blocks of about ``size`` bytes that end with a line: for files larger than memory."""
    rest, line = b"", 1
    for chunk in raw_chunks(Path(path)):
        rest += chunk
        stop = rest.rfind(b"\n") + 1
        if len(rest) >= size and stop:
            block, rest = rest[:stop], rest[stop:]
            require_utf8(block, Path(path), line)
            line += block.count(b"\n")
            yield block
    if rest.strip():
        require_utf8(rest, Path(path), line)
        yield rest


def raw_chunks(path: Path) -> Iterator[bytes]:
    """The unpacked bytes of a text file, after a look at the first ones.

    Raises:
        DataError: The file is missing, empty, binary, or a damaged packed file.
    """
    require_file(path)
    filled = False
    try:
        for chunk in byte_chunks(path):
            if not filled:
                _require_text(chunk, path)
                chunk = chunk.removeprefix(codecs.BOM_UTF8)
            filled = filled or bool(chunk.strip())
            yield chunk
    except OSError as error:
        raise DataError(f"The file cannot be read: {error.strerror}.", where=path) from None
    if not filled:
        raise DataError("The file is empty.", where=path, expected="a header and rows, or one JSON object a line")


def _require_text(start: bytes, path: Path) -> None:
    magic = next((name for sign, name in _MAGIC.items() if start.startswith(sign)), None)
    if magic is None and not _is_binary(start[:_LOOK]):
        return
    found = magic or "a binary file"
    hint = content_hint(start, path) or "Export the table, or give the file its right suffix."
    hint = "Save it as UTF-8 text." if found == "UTF-16 text" else hint
    raise DataError(f"This is {found}, not a text table.", where=path, expected=_KNOWN, hint=hint)


def _is_binary(start: bytes) -> bool:
    """Whether bytes are no text: many are NUL, or some are and others are signs that no text has."""
    nul = start.count(b"\x00")
    return bool(nul) and (nul > _NUL_SHARE * len(start) or bool(_NO_TEXT.search(start)))


def require_utf8(data: bytes, path: Path, first_line: int = 1) -> None:
    """Refuse text that is not UTF-8.

    Args:
        data: Some lines of a file.
        path: The file, for messages.
        first_line: Number of the first of these lines.

    Raises:
        DataError: Names the line.
    """
    if data.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _CHUNK):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(data[start : start + _CHUNK], final=start + _CHUNK >= len(data))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, max(start - pending + error.start, 0)) + first_line
            raise DataError(
                "The file is not UTF-8 text.",
                where=f"{path}, line {line}",
                expected="UTF-8",
                hint=conversion_hint(data),
            ) from None


def _read_parquet(path: Path) -> pl.DataFrame:
    require_file(path)
    if not path.stat().st_size:
        raise DataError("The file is empty.", where=path, expected="a parquet file")
    frame = read_parquet(path)
    if frame.height == 0:
        raise DataError("The table has no rows.", where=path, expected="one row for each item or interaction")
    return frame


def write_table(frame: pl.DataFrame, path: Path | str) -> None:
    """Write a table by suffix (as :func:`read_table` reads it); readers see the old or the new file, never a part.

    Lists become JSON text in csv and tsv files. Texts that a spreadsheet program would run as formulas are told, and
    stay as they are.

    Raises:
        DataError: Unknown suffix, or ``.zst``, which is only read.
    """
    path = Path(path)
    kind = table_kind(path, to_write=True)
    with atomic_file(path) as temporary:
        try:
            _write(frame, temporary, kind, path.suffix.lower())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise with_place(error, path) from None
    note = formula_note(frame) if kind in ("csv", "tsv") else None
    if note is not None:
        logger.warning("%s: %s Import such columns as text there, or write .parquet or .jsonl.", path, note)


def _write(frame: pl.DataFrame, path: Path, kind: str, suffix: str) -> None:
    if kind == "parquet":
        with path.open("wb") as file:
            frame.write_parquet(file)
        return
    if kind != "jsonl":
        frame = frame.with_columns(_json_text(frame[name]) for name, t in frame.schema.items() if t.is_nested())
    with path.open("wb") as raw, packing(raw, suffix) as stream:
        if kind == "jsonl":
            frame.write_ndjson(stream)
        else:
            frame.write_csv(stream, separator="\t" if kind == "tsv" else ",")


def _json_text(series: pl.Series) -> pl.Series:
    """A list or struct column as JSON text; null stays null."""
    lines = series.to_frame("x").write_ndjson().split("\n")[: len(series)]
    texts = pl.Series(series.name, lines, dtype=pl.String).str.slice(5).str.head(-1)
    return texts.set(series.is_null(), None)
