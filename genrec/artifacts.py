"""Artefact folders: atomic writes, a manifest with a format version and the SHA-256 of every file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genrec.errors import ArtifactError

FORMAT_VERSION = 1


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def atomic_dir(target: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder beside ``target`` that takes its place when the block ends without an error.

    Args:
        target: Folder to make.
        overwrite: Replace a folder that exists; otherwise that is an error.

    Raises:
        ArtifactError: The target exists and ``overwrite`` is false.
    """
    target = Path(target)
    require_free(target, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.tmp-{os.getpid()}-", dir=target.parent))
    work.chmod(0o755)
    try:
        yield work
        _swap(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def require_free(target: Path | str, *, overwrite: bool = False) -> None:
    """Refuse an output folder that already holds something, before any work is done.

    Raises:
        ArtifactError: The folder exists and is not empty, or the path is a file.
    """
    target = Path(target)
    if target.is_file():
        raise ArtifactError("The output path is a file.", where=target, expected="a folder that does not exist yet")
    if target.is_dir() and any(target.iterdir()) and not overwrite:
        raise ArtifactError(
            "The output folder already exists.", where=target, hint="Choose another --out, or pass --overwrite."
        )


def _sweep(target: Path) -> None:
    """Remove what a killed run left behind (its process no longer exists)."""
    for left in target.parent.glob(f".{target.name}.tmp-*"):
        pid = left.name.removeprefix(f".{target.name}.tmp-").split("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(left, ignore_errors=True)


def _swap(work: Path, target: Path) -> None:
    if target.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.tmp-{os.getpid()}-old-", dir=target.parent))
        target.rename(old / "old")
        work.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        work.rename(target)


def write_atomic(path: Path | str, text: str) -> None:
    """Write a text file so that readers see the old or the new content, never a part."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write_manifest(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Write ``folder/name``: the content, the format version and the SHA-256 of every other file."""
    files = {
        str(path.relative_to(folder)): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != name
    }
    manifest = {"format_version": FORMAT_VERSION, **content, "files": files}
    (folder / name).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_manifest(folder: Path | str, name: str, kind: str) -> dict[str, Any]:
    """Read and check a manifest written by :func:`write_manifest`.

    Raises:
        ArtifactError: No such folder or manifest, a newer format, or a file that is missing or was changed.
    """
    folder = Path(folder)
    path = folder / name
    if not path.is_file():
        raise ArtifactError(f"This is not a genrec {kind}.", where=folder, expected=f"a folder with {name}")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ArtifactError(f"The manifest of this {kind} is damaged.", where=path, expected="valid JSON") from None
    version = manifest.get("format_version")
    if version != FORMAT_VERSION:
        raise ArtifactError(
            f"This {kind} has format version {version}.",
            where=path,
            expected=f"version {FORMAT_VERSION}",
            hint="Use the genrec version that wrote it, or build it again.",
        )
    for relative, digest in manifest.get("files", {}).items():
        file = folder / relative
        if not file.is_file():
            raise ArtifactError(f"A file of this {kind} is missing.", where=file, hint="Copy the whole folder again.")
        if sha256_of(file) != digest:
            raise ArtifactError(
                f"A file of this {kind} was changed or damaged.", where=file, expected=f"SHA-256 {digest}"
            )
    return manifest
