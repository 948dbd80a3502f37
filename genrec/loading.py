"""Saved recommenders of any kind: what a folder holds, and how it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.artifacts import mend, read_json, read_manifest, read_whole
from genrec.artifacts.hub import at_hand
from genrec.artifacts.kinds import INDEX, RECOMMENDER
from genrec.data.naming import ColumnNames
from genrec.errors import ArtifactError
from genrec.importing import without_collection

if TYPE_CHECKING:
    from genrec.index.item_tokenizer import ItemTokenizer
    from genrec.recommender import Recommender


def load(folder: Path | str, *, revision: str | None = None, token: str | None = None, **options: Any) -> Recommender:
    """Load a saved recommender of any kind: a generative one, a pretrained one with an index, or a baseline.

    Args:
        folder: Written by ``save_pretrained``, or by ``genrec train``, ``pretrain`` or ``baseline``; or the id of a
            repository of the hub, such as ``name/repo``. A folder that is there goes before one.
        revision: Branch, tag or commit of the repository.
        token: For private repositories; that of ``hf auth login`` where not given.
        options: Of :meth:`genrec.generative.recommender.GenerativeRecommender.from_pretrained` or
            :func:`genrec.baselines.load_baseline`; both know ``device``. A pretrained recommender needs ``index``.

    Raises:
        ArtifactError: Not a recommender, or a file is missing or damaged; or the hub does not give it.
        ConfigError: A revision of a folder.
    """
    folder = at_hand(folder, "recommender", revision, token)
    kind = saved_kind(folder)
    if kind == "baseline":
        options.pop("trust_remote_code", None)  # a baseline has no code, nor anything of a model
        from genrec.baselines import load_baseline

        return load_baseline(folder, **options)
    if kind == "foundation":
        return _zero_shot(folder, **options)
    with without_collection():
        from genrec.generative.recommender import GenerativeRecommender

        return GenerativeRecommender.from_pretrained(folder, **options)


def _zero_shot(folder: Path | str, *, index: Any = None, device: str | None = None, **options: Any) -> Recommender:
    from genrec.generative.pretrained import FoundationModel

    recommender = FoundationModel.from_pretrained(folder, **options).recommender(index)
    return recommender.to(device) if device else recommender


def moved_checkpoint(folder: Path | str, candidates: Sequence[str]) -> str | None:
    """Where the language model under a recommender's adapter is now, among some places; None where it needs none.

    Args:
        folder: The recommender.
        candidates: Folders or hub ids; the one with the weights that the adapter was trained on is taken.

    Raises:
        ConfigError: A folder does not exist, or holds no model.
    """
    model = Path(folder) / "model"
    if not candidates or not (model / "adapter").is_dir():
        return None
    from genrec.models.llm.source import LanguageSource

    try:
        wanted = read_json(model / "config.json").get("base_fingerprint")
    except (OSError, ValueError, AttributeError):
        wanted = None
    found = (place for place in candidates if LanguageSource(place).fingerprint() == wanted)
    chosen = next(found, candidates[0])
    path = Path(chosen).expanduser()
    return str(path.resolve()) if path.exists() else chosen


def saved_kind(folder: Path | str) -> str | None:
    """Kind of a saved recommender: ``generative``, ``foundation`` or ``baseline``; None where that cannot be read."""
    mend(folder)
    try:
        content = read_json(Path(folder) / RECOMMENDER)
    except (OSError, ValueError):
        return None
    kind = content.get("kind") if isinstance(content, dict) else None
    return kind if isinstance(kind, str) else None


def saved_columns(folder: Path | str) -> ColumnNames:
    """Names of columns that a saved recommender or index remembers, read without loading it; none where it has none."""
    mend(folder)
    for name in (RECOMMENDER, INDEX):
        try:
            content = read_json(Path(folder) / name)
            return ColumnNames(**(content.get("columns") or {}))
        except (OSError, ValueError, TypeError, AttributeError):
            continue
    return ColumnNames()


def read_tokenizer(folder: Path | str) -> ItemTokenizer:
    """The fitted item tokenizer of a pretrained recommender, of any recommender, or of an index.

    Raises:
        ArtifactError: The folder is none of these.
    """
    return read_fitted_tokenizer(folder)[0]


def read_fitted_tokenizer(folder: Path | str) -> tuple[ItemTokenizer, tuple[str, ...]]:
    """As :func:`read_tokenizer`, with what the items were read as.

    Returns:
        The tokenizer, and the fields that held text when it was fitted: other items must be read in the same way.

    Raises:
        ArtifactError: The folder is none of these.
    """
    from genrec.index.fitted_texts import fitted_text_fields
    from genrec.index.item_tokenizer import ItemTokenizer
    from genrec.index.semantic_index import SemanticIndex

    folder = Path(folder)
    mend(folder)
    if (folder / "tokenizer").is_dir():

        def load_frozen() -> ItemTokenizer:
            read_manifest(folder, RECOMMENDER, "recommender")
            return ItemTokenizer.load(folder / "tokenizer")

        frozen = read_whole(folder, "recommender", load_frozen)
        return frozen, fitted_text_fields(frozen)
    for place in (folder, folder / "index"):
        if (place / INDEX).is_file():
            index = SemanticIndex.load(place)
            return index.tokenizer, fitted_text_fields(index.tokenizer, index.catalog)
    raise ArtifactError(
        "There is no fitted quantizer here.", where=folder, expected="a folder of genrec pretrain, train or index build"
    )
