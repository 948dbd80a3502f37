"""Whether a saved recommender and an index belong together."""

from __future__ import annotations

from genrec.artifacts import Manifest
from genrec.errors import ArtifactError
from genrec.generative.config import TrainConfig
from genrec.index.semantic_index import SemanticIndex
from genrec.models import CodeModel, find_network, load_model
from genrec.wording import count


def load_described(manifest: Manifest, config: TrainConfig, checkpoint: str | None = None) -> CodeModel:
    """The network of a saved recommender, which must be the one that manifest and settings speak of.

    Args:
        manifest: Of the recommender.
        config: Its settings.
        checkpoint: Where the language model under an adapter is now, if it has moved.

    Raises:
        ArtifactError: It is another one, or cannot be loaded.
    """
    folder, said = manifest.path.parent, config.model.architecture
    model = load_model(folder / "model", checkpoint=checkpoint)
    if manifest.need("architecture", str) != said or not isinstance(model, find_network(said)):
        raise ArtifactError(
            "Manifest, settings and network of this recommender do not belong together.",
            where=folder,
            expected=f"one network in all three; they say '{manifest.need('architecture', str)}', '{said}' and "
            f"'{model.config.model_type.removeprefix('genrec-')}'",
            hint="Copy the whole folder again, or train anew.",
        )
    return model


def check_index(manifest: Manifest, index: SemanticIndex, config: TrainConfig) -> None:
    """Refuse an index that is neither the one of training nor grown from it, by its codes and, if read, its vectors.

    Args:
        manifest: Of the recommender.
        index: That it shall recommend from.
        config: Its settings.

    Raises:
        ArtifactError: It is another one.
    """
    fingerprint = manifest.need("index_fingerprint", str)
    known = manifest.get("vectors_fingerprint") if config.model.item_vectors else None
    same = fingerprint in index.lineage
    if same and known is not None and index.vectors_fingerprint(manifest.need("n_items", int)) == known:
        return
    if not same or known is not None:
        raise ArtifactError(
            "The recommender was trained on another index."
            if not same
            else "The items of this index have other vectors than those that the recommender was trained on.",
            where=manifest.path.parent,
            expected=f"index {fingerprint} or one grown from it",
            hint=f"This index is {index.fingerprint} ({count(len(index.item_ids), 'item')}). Train on "
            "it, or leave it out.",
        )
