"""The one interface of everything that changes training histories."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from genrec.config import Settings

if TYPE_CHECKING:
    from genrec.data.histories import Histories
    from genrec.index.semantic_index import SemanticIndex


class TransformSettings(Settings):
    """Settings of a transform that has none."""


class SequenceTransform(ABC):
    """Training histories in, training histories out; what is recommended from later is not touched.

    Args:
        settings: Of the class's ``Config``.
    """

    Config: ClassVar[type[Settings]] = TransformSettings
    """Settings of the transform: the keys of an entry of ``transforms`` beside ``name``."""

    def __init__(self, settings: Any = None) -> None:
        self.settings = self.Config() if settings is None else settings

    def check(self) -> None:  # noqa: B027 - most need nothing
        """Refuse settings that cannot be worked with, before any history is read.

        Raises:
            ConfigError: Names what is missing.
        """

    @abstractmethod
    def __call__(self, histories: Histories, index: SemanticIndex, seed: int) -> Histories:
        """The same users with other items.

        Args:
            histories: The training part only.
            index: Of the catalogue.
            seed: Same seed, same result: a stopped run is continued with what this gives again.
        """
