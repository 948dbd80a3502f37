"""Item vectors that somebody already made, read from a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from genrec.config import Settings
from genrec.data.catalog import Catalog
from genrec.data.columns import as_strings
from genrec.data.histories import Histories
from genrec.data.parquet import read_parquet
from genrec.encoders.base import ItemEncoder, normalize_rows, shown_ids
from genrec.errors import ConfigError, DataError
from genrec.schema import Columns
from genrec.wording import agree, count


class PrecomputedSettings(Settings):
    """Settings of :class:`PrecomputedEncoder`."""

    name: Literal["precomputed"] = "precomputed"
    path: str = Field(min_length=1, description="A .npy file (rows in catalogue order) or a .parquet file with ids.")
    column: str | None = Field(
        default=None, description="Vector column of a parquet file; None: the only list, or all numbers."
    )
    normalize: bool = Field(default=False, description="Scale rows to unit length.")


class PrecomputedEncoder(ItemEncoder[PrecomputedSettings]):
    """Vectors from a file.

    * ``.npy``: ``(n_items, dim)``, row n for item n of the catalogue; memory-mapped, and bound to that catalogue.
    * ``.parquet``: a column ``item_id`` and either one column of lists or many numeric columns; rows in any order,
      further items allowed. New items are looked up in the same file.

    New items may also come from another file, named with :meth:`read_from`. A recipe that came with a folder names no
    file: vectors become part of an index, and whoever made the folder could ask for any file of whoever uses it.
    """

    name: ClassVar[str] = "precomputed"
    ready_made: bool = True
    settings_type: ClassVar[type[Settings]] = PrecomputedSettings

    _dim: int
    _bound_to: str | None = None
    """Digest of the ids that the rows of a .npy file belong to."""

    def __init__(self, settings: PrecomputedSettings | None = None) -> None:
        super().__init__(PrecomputedSettings(path="vectors.npy") if settings is None else settings)
        self._named: Path | None = Path(self.settings.path).expanduser()

    @property
    def _path(self) -> Path:
        if self._named is None:
            raise DataError(
                "The item vectors came from a file, and what an index or a recommender says about files is not read.",
                where=f"encoder 'precomputed', path {self.settings.path}",
                expected="a file with the vectors of these items, named by you",
                hint="Add --vectors FILE (vectors_from=FILE in Python).",
            )
        return self._named

    def read_from(self, path: Path | str) -> None:
        """Take the vectors of the items encoded from now on from another file of the same kinds."""
        self._named, self._bound_to = Path(path).expanduser(), None

    def forget_file(self) -> None:
        """Read from no file until :meth:`read_from` names one."""
        self._named = None

    def _fit(self, catalog: Catalog, train: Histories | None) -> None:
        self._dim = self._read(catalog).shape[1]
        self._bound_to = _digest(catalog) if self._path.suffix == ".npy" else None

    def _encode(self, catalog: Catalog) -> np.ndarray:
        if self._bound_to is not None and _digest(catalog) != self._bound_to:
            raise DataError(
                "These are not the items that the rows of the file belong to.",
                where=self._path,
                expected="the catalogue that the encoder was fitted on, in the same order",
                hint=f"For new items, give their vectors in a .parquet file with a column {Columns.Item}, "
                "or name a file for them: genrec index add --vectors FILE, or encode_new(..., vectors_from=FILE).",
            )
        vectors = self._read(catalog)
        if vectors.shape[1] != self._dim:
            raise DataError(
                f"The vectors have {count(vectors.shape[1], 'number')} each.",
                where=self._path,
                expected=f"{self._dim}, as before",
            )
        return normalize_rows(vectors) if self.settings.normalize else vectors

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """No arrays: the vectors stay in their file."""
        return {}, {"dim": self._dim, "bound_to": self._bound_to}

    def _load(self, tensors: dict[str, np.ndarray], rest: dict[str, Any]) -> None:
        self._dim, self._bound_to = int(rest["dim"]), rest["bound_to"]

    def _read(self, catalog: Catalog) -> np.ndarray:
        """Vectors of the items, ``(n_items, dim)``, in catalogue order."""
        if not self._path.is_file():
            raise DataError("The file of item vectors does not exist.", where=self._path, hint="Check 'path'.")
        if self._path.suffix == ".npy":
            return self._read_npy(len(catalog))
        if self._path.suffix == ".parquet":
            return self._read_parquet(catalog)
        raise DataError(
            "Item vectors cannot be read from this kind of file.", where=self._path, expected=".npy or .parquet"
        )

    def _read_npy(self, n_items: int) -> np.ndarray:
        try:
            vectors: np.ndarray = np.load(self._path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise DataError(
                f"The file of item vectors cannot be read: {error}",
                where=self._path,
                expected="a .npy array of numbers",
            ) from None
        if vectors.ndim != 2 or len(vectors) != n_items or not vectors.shape[1]:
            raise DataError(
                f"The file of item vectors has shape {vectors.shape}.",
                where=self._path,
                expected=f"({n_items}, dim): one row for every item, in catalogue order",
                hint=f"A .parquet file with a column {Columns.Item} may hold the rows in any order.",
            )
        return vectors

    def _read_parquet(self, catalog: Catalog) -> np.ndarray:
        try:
            frame = read_parquet(self._path)
        except DataError as error:
            raise DataError(
                f"The file of item vectors cannot be read: {error.what}",
                where=self._path,
                expected=error.expected,
                hint=error.hint,
            ) from None
        if Columns.Item not in frame.columns:
            raise DataError(
                "The file of item vectors has no ids.",
                where=self._path,
                expected=f"a column {Columns.Item}; found {', '.join(frame.columns)}",
            )
        wanted = pl.DataFrame({Columns.Item: pl.Series(catalog.item_ids.tolist(), dtype=pl.String)})
        ids = as_strings(frame.get_column(Columns.Item), self._path)
        position = pl.DataFrame({Columns.Item: ids, "row": np.arange(len(ids))})
        if (twice := ids.is_duplicated() & ids.is_in(wanted.get_column(Columns.Item).implode())).any():
            shown = shown_ids(ids.filter(twice).unique(maintain_order=True).to_numpy())
            raise DataError(f"Items have several vectors: {shown}.", where=self._path, expected="one row an item")
        rows = wanted.join(position, on=Columns.Item, how="left", maintain_order="left").get_column("row")
        if rows.null_count():
            missing = catalog.item_ids[rows.is_null().to_numpy()]
            raise DataError(
                f"{count(len(missing), 'item')} {agree(len(missing), 'has', 'have')} no vector: {shown_ids(missing)}.",
                where=self._path,
                expected="a row for every item of the catalogue",
                hint="Add rows for them to the file.",
            )
        return _matrix(frame[rows.to_numpy()], self.settings.column, self._path)


Files = Path | str | Sequence[Path | str]
"""A file of vectors, or several in the order in which a recipe lists its encoders ``precomputed``."""


def read_vectors_from(encoder: ItemEncoder[Any], files: Files) -> None:
    """Let an encoder take the vectors of the items encoded from now on from other files.

    Args:
        encoder: A ``precomputed`` encoder, or one that joins some of them with others.
        files: One for each of them, of the kinds that :class:`PrecomputedEncoder` reads.

    Raises:
        ConfigError: The encoder does not read vectors from files, or from more or fewer.
    """
    found, paths = _precomputed_parts(encoder), [files] if isinstance(files, str | Path) else list(files)
    if len(found) != len(paths):
        reads = f"The item encoder '{encoder.name}' reads {count(len(found), 'file')} of vectors"
        raise ConfigError(
            f"{reads}, {agree(len(paths), 'one was', f'{len(paths)} were')} given."
            if found
            else f"The item encoder '{encoder.name}' makes its own vectors.",
            where=", ".join(map(str, paths)),
            expected=f"{count(len(found), 'file')}, in the order of the recipe"
            if found
            else "an index whose recipe has an encoder 'precomputed'",
            hint="Repeat --vectors FILE for each." if found else "Leave the file of vectors out (--vectors).",
        )
    for part, path in zip(found, paths, strict=True):
        part.read_from(path)


def forget_files(encoder: ItemEncoder[Any]) -> None:
    """Let an encoder read no file until :func:`read_vectors_from` names it: its recipe came with a folder."""
    for part in _precomputed_parts(encoder):
        part.forget_file()


def vector_files(settings: Any) -> list[str]:
    """Files of vectors that the settings of an encoder name, in order."""
    if isinstance(settings, Mapping):
        own = [str(settings.get("path"))] if settings.get("name") == PrecomputedEncoder.name else []
        return own + [path for value in settings.values() for path in vector_files(value)]
    return [path for value in settings for path in vector_files(value)] if isinstance(settings, list | tuple) else []


def _precomputed_parts(encoder: ItemEncoder[Any]) -> list[PrecomputedEncoder]:
    if isinstance(encoder, PrecomputedEncoder):
        return [encoder]
    return [found for part in getattr(encoder, "parts", ()) for found in _precomputed_parts(part)]


def _matrix(frame: pl.DataFrame, column: str | None, path: Path) -> np.ndarray:
    """``(n_rows, dim)`` from one list column or all numeric columns."""
    names = _vector_columns(frame, column, path)
    if not frame.schema[names[0]].is_nested():
        return frame.select(pl.col(names).cast(pl.Float32)).fill_null(float("nan")).to_numpy()
    try:
        vectors = frame.get_column(names[0]).cast(pl.List(pl.Float32))
    except pl.exceptions.PolarsError:
        raise DataError(f"The column '{names[0]}' does not hold lists of numbers.", where=path) from None
    lengths = vectors.list.len()
    if lengths.null_count() or lengths.n_unique() != 1 or not lengths[0]:
        ids = as_strings(frame.get_column(Columns.Item), path)
        usual = int(lengths.drop_nulls().mode().sort()[0]) if lengths.null_count() < len(lengths) else 0
        odd = ids.filter((lengths != usual).fill_null(True) | (lengths == 0).fill_null(True)).to_numpy()
        raise DataError(
            f"The vectors of {count(len(odd), 'item')} have another length: {shown_ids(odd)}.",
            where=path,
            expected=f"{usual or 'some'} numbers in every row",
        )
    flat: np.ndarray = vectors.explode().fill_null(float("nan")).to_numpy()
    return flat.reshape(len(frame), -1)


def _vector_columns(frame: pl.DataFrame, column: str | None, path: Path) -> list[str]:
    others = [name for name in frame.columns if name != Columns.Item]
    if column is not None:
        if column not in others:
            raise DataError(
                f"The file of item vectors has no column '{column}'.",
                where=path,
                expected=f"one of {', '.join(others)}",
            )
        return [column]
    lists = [name for name in others if isinstance(frame.schema[name], pl.List | pl.Array)]
    numbers = [name for name in others if frame.schema[name].is_numeric()]
    if len(lists) == 1:
        return lists
    if not lists and numbers:
        return numbers
    raise DataError(
        "It is not clear which columns hold the item vectors.",
        where=path,
        expected=f"one column of lists, or numeric columns; found {', '.join(others)}",
        hint="Name the column with the setting 'column'.",
    )


def _digest(catalog: Catalog) -> str:
    return hashlib.sha256("\x1f".join(catalog.item_ids.tolist()).encode("utf-8", "surrogatepass")).hexdigest()
