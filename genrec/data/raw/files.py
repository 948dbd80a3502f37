"""Finding the files of a public data set, and reading the ones that are not quite JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from genrec.data.delimited import Parsed
from genrec.data.jsonlines import parse_json_lines, parse_records, python_literal
from genrec.data.packed import PACKED
from genrec.data.report import DataReport
from genrec.data.tables import text_blocks
from genrec.errors import DataError
from genrec.schema import Columns

Paths = Path | str | Sequence[Path | str]


@dataclass(frozen=True)
class RawTables:
    """A public data set in canonical columns, before any filter.

    Attributes:
        items: ``item_id`` and fields.
        interactions: ``user_id, item_id, timestamp``.
        report: Broken rows and the like.
        files: What was read.
    """

    items: pl.DataFrame
    interactions: pl.DataFrame
    report: DataReport
    files: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class Role:
    """A kind of file of a data set.

    Attributes:
        pattern: Regular expression for its whole name without ``.gz`` and the like, upper or lower case.
        example: What to call it in a message.
        required: Whether the data set is useless without it.
    """

    pattern: str
    example: str
    required: bool = True


def find_files(paths: Paths, roles: Mapping[str, Role], name: str) -> dict[str, list[Path]]:
    """Tell the files of a data set apart by their names.

    Args:
        paths: The folder that holds them, or the files.
        roles: The kinds of files; the first whose pattern matches is taken.
        name: Name of the data set, for messages.

    Returns:
        The files of every role, sorted by name; several of one role only when they were named one by one.

    Raises:
        DataError: A path does not exist, a file has another name, a role is missing or ambiguous.
    """
    given = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    expected = "; ".join(f"{role}: {r.example}" + ("" if r.required else " (optional)") for role, r in roles.items())
    found: dict[str, list[Path]] = {role: [] for role in roles}
    for path in given:
        if not path.exists():
            raise DataError(f"A path of the {name} data does not exist.", where=path, expected=expected)
        in_folder: dict[str, list[Path]] = {role: [] for role in roles}
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            role = next(
                (r for r, it in roles.items() if re.fullmatch(it.pattern, _unpacked(file), re.IGNORECASE)), None
            )
            if role is not None and file.is_file():
                in_folder[role].append(file)
            elif file == path:
                raise DataError(f"'{path.name}' is not a file of the {name} data.", where=path, expected=expected)
        for role, files in in_folder.items():
            if len(files) > 1:
                names = ", ".join(file.name for file in files)
                hint = "Name the files to read instead of the folder."
                raise DataError(f"The folder has several files of {role}: {names}.", where=path, hint=hint)
            found[role] += files
    missing = [role for role, it in roles.items() if it.required and not found[role]]
    if missing:
        where = ", ".join(str(path) for path in given) or "no path"
        raise DataError(f"The {name} data has no file of {' and '.join(missing)}.", where=where, expected=expected)
    return found


def _unpacked(file: Path) -> str:
    """The name of a file without the suffix that says how it is packed."""
    return file.stem if file.suffix.lower() in PACKED else file.name


def read_json(
    paths: Sequence[Path],
    schema: Mapping[str, Any],
    report: DataReport,
    read: Callable[[str], Any] | None = None,
) -> pl.DataFrame:
    """Some keys of the JSON lines of all files, in the types of the schema.

    Args:
        paths: Files with one JSON object or one Python literal (the older public dumps) a line.
        schema: Wanted keys; a single text where a list is wanted becomes a list.
        report: Broken lines are counted here.
        read: Turns a line into a mapping, for lines that need more; slower.

    Raises:
        DataError: A file has no readable line.
    """
    return pl.concat([_read_file(path, schema, report, read) for path in paths])


def _read_file(
    path: Path, schema: Mapping[str, Any], report: DataReport, read: Callable[[str], Any] | None
) -> pl.DataFrame:
    frames: list[pl.DataFrame] = []
    line = 1
    for block in text_blocks(path):
        if not frames and read is None and not _is_json(block):
            read = read_literal
        if read is None:
            parsed = parse_json_lines(block, path, schema, first_line=line)
        else:
            parsed = parse_records(block, read, fields=schema, first_line=line)
        line += block.count(b"\n")
        frames.append(_conform(note(parsed, path, report), schema))
    table = pl.concat(frames)
    if not table.height:
        raise DataError("No line of the file can be read.", where=path, expected="one JSON object a line")
    return table


def _conform(frame: pl.DataFrame, schema: Mapping[str, Any]) -> pl.DataFrame:
    """The columns of the schema in its types; what does not fit becomes null."""
    columns = []
    for name, wanted in schema.items():
        kind, column = frame.schema[name], pl.col(name)
        is_list, to_list = isinstance(kind, pl.List), isinstance(wanted, pl.List)
        if kind == wanted:
            pass
        elif to_list and not is_list:
            column = _listed(column)
        elif is_list and not to_list:
            column = column.cast(pl.List(pl.String)).list.join(", ")
        else:
            column = column.cast(wanted, strict=False)
        columns.append(column)
    return frame.select(columns)


def _listed(column: pl.Expr) -> pl.Expr:
    """Lists of text, from JSON lists and single texts mixed in one column."""
    text = column.cast(pl.String)
    parsed = text.str.extract_all(r'"(?:[^"\\]|\\.)*"').list.eval(pl.element().str.slice(1).str.head(-1))
    single = pl.when(text.str.strip_chars() != "").then(pl.concat_list(text))
    return pl.when(text.str.starts_with("[")).then(parsed).otherwise(single)


def note(parsed: Parsed, path: Path, report: DataReport) -> pl.DataFrame:
    """The table, with its rows and what is wrong with them counted in the report."""
    own = DataReport(path.name)
    own.read(parsed.frame.height + parsed.broken)
    own.add("broken-rows", parsed.broken, parsed.examples)
    own.add("replaced-signs", parsed.replaced, parsed.replaced_at)
    report.merge(own)
    return parsed.frame


def _is_json(data: bytes) -> bool:
    """Whether the first filled line is JSON."""
    first = data.lstrip().split(b"\n", 1)[0]
    try:
        json.loads(first)
    except ValueError:
        return False
    return True


def read_literal(line: str) -> Any:
    """A line that is a Python literal (never evaluated) or JSON."""
    try:
        return python_literal(line)
    except (ValueError, SyntaxError):
        return json.loads(line)


def clean_text(*names: str) -> list[pl.Expr]:
    """Text columns with single blanks; HTML is left to the catalogue, which counts it."""
    return [_clean(pl.col(name)) for name in names]


def clean_lists(*names: str) -> list[pl.Expr]:
    """List columns with the same done to every entry."""
    return [pl.col(name).list.eval(_clean(pl.element())) for name in names]


def _clean(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(r"\s+", " ").str.strip_chars()


def with_id(items: pl.DataFrame, report: DataReport) -> pl.DataFrame:
    """The items that have an id; the others are counted as missing."""
    filled = pl.col(Columns.Item).str.strip_chars() != ""
    kept = items.filter(filled.fill_null(False))
    own = DataReport("items")
    own.read(items.height - kept.height)
    own.add("missing-ids", items.height - kept.height)
    report.merge(own)
    return kept
