"""Manifests: what an artefact is, the format version, the SHA-256 of every file and of the manifest itself."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from genrec.artifacts.kinds import wrong_kind
from genrec.errors import ArtifactError

FORMAT_VERSION = 2
"""2: the manifest has a digest of its own. Artefacts of version 1 are read as before."""
MARK = ".genrec.json"
"""Made by :func:`genrec.artifacts.folders.atomic_dir` in folders without a manifest: the names of the files in them."""

_READS = (1, 2)
_MANIFESTS = ("index.json", "recommender.json", "trie.json")
CARD = "README.md"
"""For people; no program reads it, and on the hub it is edited in place. So it may differ from what was written."""
_RESERVED = ("format_version", "files", "sha256")
_FOREIGN = {".DS_Store", "Thumbs.db", "desktop.ini", ".git", ".gitattributes", ".gitignore", ".cache", ".huggingface"}
"""Left by file managers, Git and the hub's client at the top of a folder; nothing ever reads them."""
_DIGEST = re.compile(r"[0-9a-f]{64}")

T = TypeVar("T")


class Manifest(dict[str, Any]):
    """The content of a checked manifest.

    Attributes:
        path: Its file.
    """

    path: Path

    def need(self, key: str, kind: type[T]) -> T:
        """A value that must be there.

        Args:
            key: Its name.
            kind: Its type; an ``int`` is a ``float``, a truth value is no number.

        Raises:
            ArtifactError: It is missing or of another type.
        """
        value = self.get(key)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            found = "missing" if key not in self else kind_in_words(type(value))
            raise ArtifactError(
                f"The manifest's '{key}' is {found}.", where=self.path, expected=kind_in_words(kind), hint=COPY_AGAIN
            )
        return value

    def numbers(self, key: str, *, least: int = 0) -> list[int]:
        """A list of whole numbers that must be there."""
        values = self.need(key, list)
        if not all(type(value) is int and value >= least for value in values):
            raise ArtifactError(f"The manifest's '{key}' holds other things than whole numbers.", where=self.path)
        return values

    def texts(self, key: str) -> list[str]:
        """A list of texts that must be there."""
        values = self.need(key, list)
        if not all(isinstance(value, str) for value in values):
            raise ArtifactError(f"The manifest's '{key}' holds other things than texts.", where=self.path)
        return values


_KINDS: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
    type(None): "null",
}


def kind_in_words(kind: type) -> str:
    """What JSON calls a value of this type.

    >>> kind_in_words(dict), kind_in_words(type(None))
    ('a mapping', 'null')
    """
    return _KINDS.get(kind, kind.__name__)


COPY_AGAIN = "Copy the whole folder again, or make it anew."


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON in UTF-8, or nested too deep.
    """
    return parse_json(path.read_text(encoding="utf-8"))


def parse_json(content: str | bytes) -> Any:
    """What JSON text holds.

    Raises:
        ValueError: It is no JSON, or nested too deep.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in chunks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_manifest(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Write ``folder/name``: the content, the format version, the SHA-256 of every other file and its own.

    Args:
        folder: With all other files in it.
        name: Of the manifest.
        content: What JSON can hold.
    """
    kept = {key: value for key, value in content.items() if key not in _RESERVED}
    files = {path: sha256_of(folder / path) for path in _files(folder) if path != name}
    manifest = {"format_version": FORMAT_VERSION, **kept, "files": files}
    manifest = json.loads(json.dumps(manifest))
    manifest["sha256"] = _own_digest(manifest)
    (folder / name).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_manifest(folder: Path | str, name: str, kind: str) -> Manifest:
    """Read and check a manifest written by :func:`write_manifest`.

    Raises:
        ArtifactError: No such folder or manifest; a newer format; the manifest or a file is damaged, was changed or is
            missing; or there is a file that the manifest does not know.
    """
    folder = Path(folder)
    path = folder / name
    if not path.is_file():
        raise wrong_kind(folder, name, kind)
    manifest = _parsed(path, kind)
    version = manifest.get("format_version")
    if type(version) is not int or version not in _READS:
        raise ArtifactError(
            f"This {kind} has format version {version}.",
            where=path,
            expected=f"version {FORMAT_VERSION}",
            hint="Use the genrec version that wrote it, or build it again.",
        )
    if (version > 1 or "sha256" in manifest) and manifest.get("sha256") != _own_digest(manifest):
        raise ArtifactError(f"The manifest of this {kind} was changed or damaged.", where=path, hint=COPY_AGAIN)
    _check_files(folder, name, manifest, kind)
    return manifest


def _parsed(path: Path, kind: str) -> Manifest:
    try:
        content = read_json(path)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ArtifactError(f"The manifest of this {kind} is damaged.", where=path, expected="valid JSON")
    manifest = Manifest(content)
    manifest.path = path
    return manifest


def _own_digest(manifest: dict[str, Any]) -> str:
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _check_files(folder: Path, name: str, manifest: Manifest, kind: str) -> None:
    """Every listed file is there, unchanged, and every file is listed."""
    files = manifest.need("files", dict)
    for relative, digest in files.items():
        if not _plain(relative) or not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ArtifactError(
                f"The manifest of this {kind} lists the file {relative!r} in a way that cannot be.", where=manifest.path
            )
        file = folder / relative
        if relative == CARD and (not file.exists() or _stays_inside(file, folder)):
            continue
        if not file.is_file():
            raise ArtifactError(f"A file of this {kind} is missing.", where=file, hint="Copy the whole folder again.")
        if not _stays_inside(file, folder):
            raise ArtifactError(f"A file of this {kind} is a link that leads out of its folder.", where=file)
        if sha256_of(file) != digest:
            raise ArtifactError(
                f"A file of this {kind} was changed or damaged.", where=file, expected=f"SHA-256 {digest}"
            )
    known = {name, CARD, *files}
    if manifest["format_version"] == 1:  # which left out nested manifests of the same name
        known |= {path for path in _files(folder) if PurePosixPath(path).name == name}
    unknown = [path for path in _files(folder) if path not in known]
    if unknown or not files:
        what = f"a file that its manifest does not know: {unknown[0]}" if unknown else "no file besides its manifest"
        raise ArtifactError(
            f"This {kind} holds {what}.", where=folder, expected="the files of its manifest", hint="Move it elsewhere."
        )


def _plain(relative: str) -> bool:
    """Whether a path is relative and stays below where it starts, on every system."""
    parts = relative.split("/")
    return bool(relative) and not any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts)


def _stays_inside(file: Path, folder: Path) -> bool:
    """Whether a file is really in a folder, or where the hub's cache keeps the files of this one."""
    real, home = file.resolve(), folder.resolve()
    if real.is_relative_to(home):
        return True
    for place in (home, *home.parents):  # an artefact may be part of another one
        if place.parent.name == "snapshots":
            return real.parent == place.parent.parent / "blobs"
    return False


def _files(folder: Path) -> list[str]:
    """Files below a folder as relative paths, sorted; links to folders are listed, not followed."""
    found = []
    for place, folders, names in os.walk(folder):
        if Path(place) == folder:
            folders[:] = [name for name in folders if name not in _FOREIGN]
            names = [name for name in names if name not in _FOREIGN]
        names += [name for name in folders if Path(place, name).is_symlink()]
        found += [Path(place, name).relative_to(folder).as_posix() for name in names]
    return sorted(found)


def mark(folder: Path) -> None:
    """Leave a note of what genrec wrote into a folder, where no manifest says it."""
    if not any((folder / name).is_file() for name in _MANIFESTS):
        content = {"made_by": "genrec", "files": _files(folder)}
        (folder / MARK).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def strangers(folder: Path) -> list[str]:
    """Files of a folder that genrec did not make, by its manifest or mark; all of them where there is neither."""
    known: set[str] = set()
    for name in (*_MANIFESTS, MARK):
        path = folder / name
        try:
            listed = read_json(path)["files"]
            known |= {name, *listed}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
    if not known:
        return _files(folder)
    nested = {path for path in _files(folder) if PurePosixPath(path).name in known & set(_MANIFESTS)}
    return [path for path in _files(folder) if path not in known | nested]


def refuse_inside(target: Path) -> None:
    """Refuse an output inside an artefact.

    Raises:
        ArtifactError: The manifest around it would not know it, and the artefact could no longer be loaded.
    """
    for folder in target.absolute().parents:
        for name in _MANIFESTS:
            try:
                whole = (folder / name).is_file() and {"format_version", "files"} <= _parsed(folder / name, "").keys()
            except (ArtifactError, OSError):
                continue
            if whole:
                raise ArtifactError(
                    "The output path is inside an artefact, whose manifest does not know it.",
                    where=target,
                    hint=f"Choose a path outside {folder}.",
                )
