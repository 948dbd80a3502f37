"""Files that are no table which is read: what they probably are, and how a table is made of them."""

from __future__ import annotations

import shlex
import zipfile
from pathlib import Path

from genrec.data.inside import json_file_hint
from genrec.data.packed import PACKED, inner_suffix, packed_start, unpacking_hint

_SHEETS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
_OF_PROGRAMS = (".feather", ".arrow", ".orc", ".avro", ".pkl", ".pickle", ".h5", ".hdf5", ".rds", ".dta")
_DATABASES = (".db", ".sqlite", ".sqlite3", ".duckdb", ".sql", ".dump")
AS_CSV = "Save the sheet as CSV UTF-8 in the spreadsheet program, one file a sheet."
_LOOK = 1 << 16
_PACKED_SIGNS = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\x00": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}
_UNPACKING = {".gz": "gunzip", ".bz2": "bunzip2", ".xz": "unxz", ".zst": "zstd -d"}
_KINDS = {
    ".jsonl": "one JSON object a line",
    ".tsv": "columns separated by tabs",
    ".csv": "columns separated by commas or semicolons",
}


def kind_hint(path: Path) -> str | None:
    """What to do with a file whose suffix is that of no table; None where nobody can tell.

    Args:
        path: An existing file.
    """
    suffix, inner = path.suffix.lower(), inner_suffix(path)
    if inner == ".json":
        return json_file_hint(path)
    if suffix in _SHEETS:
        return AS_CSV
    if suffix in _OF_PROGRAMS or suffix in _DATABASES:
        return "Write the table as .parquet or .csv with the program that made it."
    if inner == ".tar" or suffix == ".tar":
        return f"Unpack it first (tar -xf {shlex.quote(path.name)}), and give the table in it."
    if inner == ".parquet":  # packed once more: it is read from its end, which a stream reaches last
        return f"Unpack it first ({_UNPACKING[suffix]}); Parquet is packed already."
    return unpacking_hint(path) or _text_hint(path)


def content_hint(start: bytes, path: Path) -> str | None:
    """What to do with a file whose content is another one than its suffix says; None where nobody can tell.

    Args:
        start: Its first bytes.
        path: The file.
    """
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return AS_CSV if _is_workbook(path) else f"Unpack it first (unzip {shlex.quote(path.name)})."
    for sign, suffix in _PACKED_SIGNS.items():
        if start.startswith(sign):
            return f"Give it its right suffix: rename it to {path.name}{suffix}."
    return f"Give it its right suffix: rename it to {path.stem}.parquet." if start.startswith(b"PAR1") else None


def _is_workbook(path: Path) -> bool:
    """Whether a file is one of a spreadsheet program and no archive of others."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return True  # an old workbook is no archive
    return any(name.startswith("xl/") or name == "content.xml" for name in names)


def _text_hint(path: Path) -> str | None:
    """How a text file of another suffix is read: by what stands between its columns."""
    start = packed_start(path, _LOOK)
    if not start or b"\x00" in start:
        return None
    packing = path.suffix if path.suffix.lower() in PACKED else ""
    stem = Path(path.stem).stem if packing else path.stem
    first = start.decode(errors="replace").lstrip().splitlines()[:1]
    line = first[0] if first else ""
    if "::" in line:
        return (
            "Its columns are separated by '::', as in MovieLens, which genrec data prepare movielens reads. Of other "
            f"tables make tabs (sed 's/::/\\t/g' FILE > {stem}.tsv), and add a first line with names of columns."
        )
    kind = ".jsonl" if line.startswith("{") else ".tsv" if "\t" in line else ".csv" if set(",;") & set(line) else None
    return None if kind is None else f"It looks like {_KINDS[kind]}: rename it to {stem}{kind}{packing}."
