"""Where a batch result stands: a folder, or a place that every node of a cluster sees (``s3://``, ``gs://``)."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any, Protocol

from genrec.artifacts import atomic_file
from genrec.artifacts.files import sweep_folder
from genrec.errors import ArtifactError, MissingExtraError

_TEMPORARY = re.compile(r"(?P<of>.+)\.\d+\.tmp", re.DOTALL)
"""Names that :class:`ArrowStore` gives to files until they are whole."""


class Store(Protocol):
    """Named files, each whole or not there."""

    where: str
    """The place, for messages."""

    def names(self) -> list[str]:
        """Names of the files and folders; empty where the place does not exist."""

    def read(self, name: str) -> bytes:
        """Content of a file."""

    def write(self, name: str, content: bytes) -> None:
        """Make or replace a file; readers see the old or the new one."""

    def remove(self, name: str) -> None:
        """Remove a file or folder, if it is there."""

    def sweep(self, outputs: re.Pattern[str]) -> None:
        """Remove what killed processes left of files with such names; only while nobody else writes here."""


def open_store(out: Path | str) -> Store:
    """The store of a path or URI.

    Raises:
        ArtifactError: A URI that pyarrow cannot open, or the path is a file.
        MissingExtraError: A URI, without pyarrow.
    """
    if "://" in str(out):
        return ArrowStore(str(out))
    path = Path(out)
    if path.is_file():
        raise ArtifactError("The output path is a file.", where=path, expected="a folder")
    return LocalStore(path)


class LocalStore:
    """A folder of this machine, or one that is mounted on all."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.where = folder, str(folder)

    def names(self) -> list[str]:
        """See :class:`Store`."""
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []

    def read(self, name: str) -> bytes:
        """See :class:`Store`."""
        if (self.folder / name).is_dir():
            raise ArtifactError(
                "A folder stands where a file of this job belongs.", where=self.folder / name, hint="Move it away."
            )
        return (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """See :class:`Store`; the bytes are on the disk before the file gets its name."""
        with atomic_file(self.folder / name) as temporary:
            temporary.write_bytes(content)

    def remove(self, name: str) -> None:
        """See :class:`Store`."""
        path = self.folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def sweep(self, outputs: re.Pattern[str]) -> None:
        """See :class:`Store`; what a living process writes is locked and stays."""
        sweep_folder(self.folder, outputs)


class ArrowStore:
    """A file system that pyarrow knows by URI."""

    def __init__(self, uri: str) -> None:
        try:
            from pyarrow import ArrowInvalid, fs
        except ImportError:
            raise MissingExtraError("pyarrow", "ray") from None
        self.where = uri.rstrip("/")
        try:
            self.system, self.base = fs.FileSystem.from_uri(self.where)
        except (ArrowInvalid, OSError, ValueError) as error:
            raise ArtifactError(f"This place cannot be opened: {error}", where=uri) from None

    def names(self) -> list[str]:
        """See :class:`Store`."""
        from pyarrow import fs

        selector = fs.FileSelector(self.base, allow_not_found=True)
        return sorted(info.base_name for info in self.system.get_file_info(selector))

    def read(self, name: str) -> bytes:
        """See :class:`Store`."""
        with self.system.open_input_stream(f"{self.base}/{name}") as stream:
            return stream.read()  # type: ignore[no-any-return]

    def write(self, name: str, content: bytes) -> None:
        """See :class:`Store`; object stores show a file when it is closed, others by renaming."""
        path = f"{self.base}/{name}"
        whole_on_close = self.system.type_name in ("s3", "gcs", "abfs")
        self.system.create_dir(path.rsplit("/", 1)[0], recursive=True)
        target = path if whole_on_close else f"{path}.{os.getpid()}.tmp"
        with self.system.open_output_stream(target) as stream:
            stream.write(content)
        if not whole_on_close:
            self.system.move(target, path)

    def remove(self, name: str) -> None:
        """See :class:`Store`."""
        from pyarrow import fs

        info = self.system.get_file_info(f"{self.base}/{name}")
        if info.type == fs.FileType.Directory:
            self.system.delete_dir(info.path)
        elif info.type == fs.FileType.File:
            self.system.delete_file(info.path)

    def sweep(self, outputs: re.Pattern[str]) -> None:
        """See :class:`Store`."""
        for name in self.names():
            if (found := _TEMPORARY.fullmatch(name)) and outputs.fullmatch(found["of"]):
                self.remove(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return ArrowStore, (self.where,)
