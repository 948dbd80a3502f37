"""What a path holds where somebody meant another: an artefact of another kind, a folder around one, or nothing."""

from __future__ import annotations

import json
from pathlib import Path

from genrec.errors import ArtifactError

KINDS = {
    "recommender": "a recommender",
    "baseline": "a baseline",
    "pretrained": "a pretrained recommender",
    "index": "a semantic index",
    "shards": "lists that genrec generate made, in shards",
    "trie": "a saved trie",
    "results": "the results of an evaluation",
    "audit": "an audit of data",
    "tables": "tables that genrec data prepare made",
    "plain": "a model of transformers",
}
"""What a folder can hold, in words."""
INDEX, RECOMMENDER, _SHARDS, _RUN = "index.json", "recommender.json", "generate.json", "run.json"
_SAVED = {"baseline": "baseline", "foundation": "pretrained"}
_FILES = {
    INDEX: "index",
    _SHARDS: "shards",
    "trie.json": "trie",
    "metrics.json": "results",
    "audit.json": "audit",
    "interactions.csv": "tables",
    "config.json": "plain",
}
_OTHER = "Name a folder that genrec made."
PERMISSION = "Choose another place (--out), or pass --overwrite (overwrite=True in Python)."
_UNFINISHED = "The same genrec train command as before goes on with it; what it makes is then at {}."


def wrong_kind(folder: Path, name: str, kind: str) -> ArtifactError:
    """The error of a path without the manifest of an artefact: says what is there, and which path or command is meant.

    Args:
        folder: The path that was given.
        name: Of the manifest.
        kind: What was expected, such as ``index``.
    """
    found, hint = _what(folder, name)
    said = f"This is not a genrec {kind}{f': {found}' if found else ''}."
    hint = _inside(folder, name) or hint or _OTHER
    return ArtifactError(said, where=folder, expected=f"a folder with {name}", hint=hint)


def _what(folder: Path, name: str) -> tuple[str, str | None]:
    """What is there, in words, and what to do; no words where nobody knows."""
    if not folder.exists():
        unfinished = folder.with_name(f"{folder.name}.training")
        if (unfinished / _RUN).is_file():
            return f"training has not finished, see {unfinished}", _UNFINISHED.format(folder)
        return "nothing of this name exists", "Check the path."
    if folder.is_file():
        return "it is a file", _OTHER
    if (folder / _RUN).is_file():
        done = str(folder).removesuffix(".training")
        return "it is the working folder of a training that has not finished", _UNFINISHED.format(done)
    if (folder / RECOMMENDER).is_file():
        return _recommender(folder)
    if (folder / INDEX).is_file():
        hint = f"Train a recommender on it: genrec train {folder} INTERACTIONS --out FOLDER."
        return "it is a semantic index", hint if name == RECOMMENDER else None
    if (folder / _SHARDS).is_file():
        return "it holds lists that genrec generate made, in shards", "Name the recommender that made them."
    if (folder / "trie.json").is_file():
        return "it is a saved trie", None
    if (folder / "metrics.json").is_file():
        return "it holds the results of an evaluation", "Name what was evaluated; its page is report.html."
    if (folder / "config.json").is_file():
        return "it is a model of transformers", "Settings name it: genrec train … --set model.checkpoint=FOLDER."
    return "", None


def kind_of(folder: Path) -> str | None:
    """What a folder holds, a key of :data:`KINDS`; None where nobody knows."""
    if (folder / RECOMMENDER).is_file():
        return _SAVED.get(_saved_kind(folder) or "", "recommender")
    return next((kind for name, kind in _FILES.items() if (folder / name).is_file()), None)


def require_kind(folder: Path, makes: str | None) -> None:
    """Refuse to replace a folder of one kind by one of another.

    Args:
        folder: What is to be replaced.
        makes: What takes its place, a key of :data:`KINDS`; None: nobody knows.

    Raises:
        ArtifactError: It holds something else.
    """
    held = kind_of(folder)
    if None not in (held, makes) and held != makes:
        raise ArtifactError(
            f"The output folder holds {KINDS[held or '']}.",
            where=folder,
            expected=f"nothing, or {KINDS[makes or '']}: only what is of the same kind is ever replaced",
            hint="Choose another place (--out), or remove the folder yourself.",
        )


def _saved_kind(folder: Path) -> str | None:
    try:
        kind = json.loads((folder / RECOMMENDER).read_text(encoding="utf-8")).get("kind")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return kind if isinstance(kind, str) else None


def _recommender(folder: Path) -> tuple[str, str | None]:
    kind = _saved_kind(folder)
    if kind == "baseline":
        return "it is a baseline, which has no index", "Name an index that genrec index build made."
    if kind == "foundation":
        what = "it is a pretrained recommender, which has no index of its own"
        return what, f"Build one with its tokenizer: genrec index build ITEMS --quantizer {folder} --out FOLDER."
    return "it is a recommender", None


def _inside(folder: Path, name: str) -> str | None:
    """Where in the folder the artefact is that was meant; None where there is none, or they are many."""
    if not folder.is_dir():
        return None
    places = sorted(path.parent for path in folder.glob(f"*/{name}"))
    if not places or len(places) > 3:
        return None
    return f"Did you mean {' or '.join(str(place) for place in places)}?"
