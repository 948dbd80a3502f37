"""Networks by name: how they are built and loaded, whatever they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.artifacts import saved_content
from genrec.errors import ArtifactError, unknown_name
from genrec.registry import Registry

if TYPE_CHECKING:
    from genrec.models.base import CodeModel

NETWORKS: Registry[type[CodeModel]] = Registry("genrec.networks", package="genrec.models", decorator="network")
"""Networks by the name that ``model.architecture`` has in settings."""

network = NETWORKS.add
"""Stands above the class of a network and gives it its name: ``@network("item-decoder")``."""


def find_network(architecture: str) -> type[CodeModel]:
    """The class of a network.

    Raises:
        ConfigError: There is none of this name; names the nearest.
    """
    check_network(architecture)
    return NETWORKS[architecture]


def check_network(architecture: str) -> None:
    """Refuse a name that no network has; nothing is imported.

    Raises:
        ConfigError: Names the nearest.
    """
    if architecture not in NETWORKS:
        raise unknown_name("architecture", architecture, NETWORKS)


def build_model(architecture: str, codebook_sizes: Sequence[int], **settings: Any) -> CodeModel:
    """A model with random weights.

    Args:
        architecture: A key of :data:`NETWORKS`.
        codebook_sizes: Number of codes of every level of the semantic IDs.
        settings: Fields of the configuration of the network.

    Raises:
        ConfigError: Unknown architecture or setting.
        ModelError: transformers refuses the backbone.
    """
    return find_network(architecture).of(codebook_sizes, **settings)


def load_model(folder: Path | str, *, checkpoint: str | None = None) -> CodeModel:
    """A model saved by ``save_pretrained``, whatever its architecture.

    Args:
        folder: The model.
        checkpoint: Where the base of an adapter is now, if it has moved.

    Raises:
        ArtifactError: The folder holds no model of genrec.
    """
    from genrec.models.saved import read_config

    path = Path(folder) / "config.json"
    if not path.is_file():
        raise ArtifactError("No model here.", where=folder, expected="a folder with config.json")
    kind = str(read_config(path).get("model_type"))
    # A network's name is in its type, so that one alone has to be imported.
    likely = kind.removeprefix("genrec-")
    for name in [*([likely] if likely in NETWORKS else []), *NETWORKS]:
        if NETWORKS[name].config_class.model_type == kind:
            with saved_content("network", folder, settings=False):
                return NETWORKS[name].load(folder, checkpoint=checkpoint)
    raise ArtifactError(
        f"The model type '{kind}' is not one of genrec's.",
        where=path,
        expected=f"one of {', '.join(NETWORKS)}",
        hint="A network of another package is known once that package is installed or imported.",
    )
