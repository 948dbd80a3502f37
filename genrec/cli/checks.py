"""What a command checks first: paths, names and settings, so that a slip is answered at once, before heavy imports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genrec.decoding.options import DecodingOptions
    from genrec.recommender import Recommender


def check_tables(*paths: Path | None) -> None:
    """Refuse tables that are not there.

    Raises:
        DataError: One is missing, or a folder.
    """
    for path in paths:
        if path is not None and not path.is_file():
            from genrec.data.tables import require_file

            require_file(path)


def check_index(folder: Path | None) -> None:
    """Refuse a folder that is no index; what is in it is checked when it is loaded.

    Raises:
        ArtifactError: It is missing, or something else.
    """
    from genrec.artifacts import mend, read_manifest
    from genrec.artifacts.kinds import INDEX

    if folder is not None:
        mend(folder)
        if not (folder / INDEX).is_file():
            read_manifest(folder, INDEX, "index")


def check_recommender(folder: Path, changes: Sequence[str] = ()) -> DecodingOptions | None:
    """Refuse a folder that is no recommender, and decoding settings that it cannot have.

    Args:
        folder: Of a recommender of any kind.
        changes: ``key=value`` of its decoding settings.

    Returns:
        How it will decode; None where it does not search.

    Raises:
        ArtifactError: The folder is missing, or something else.
        ConfigError: An unknown setting, or a wrong value.
    """
    from genrec.artifacts import read_manifest
    from genrec.artifacts.kinds import RECOMMENDER
    from genrec.loading import saved_kind

    kind = saved_kind(folder)
    if kind is None:
        read_manifest(folder, RECOMMENDER, "recommender")
    settings = folder / "config.yaml"
    if kind == "baseline" or not settings.is_file():
        return None
    from genrec.config import parse, read_yaml
    from genrec.generative.config import TrainConfig  # a wrong path is told without it

    return parse(TrainConfig, read_yaml(settings), where=settings).generation.changed(changes)


def refuse_for_baselines(recommenders: Iterable[Recommender], given: Sequence[str]) -> None:
    """Refuse decoding settings where only baselines are asked, which have none.

    Args:
        recommenders: All that the command asks.
        given: ``key=value`` of the settings.

    Raises:
        ConfigError: There is nothing that they could change.
    """
    from genrec.errors import ConfigError

    if given and all(one.kind == "baseline" for one in recommenders):
        raise ConfigError("A baseline has no decoding settings.", where=", ".join(given), hint="Leave them out.")


def check_baselines(names: Sequence[str]) -> None:
    """Refuse names that no baseline has.

    Raises:
        ConfigError: Names the nearest.
    """
    from genrec.baselines.registry import CLASSES
    from genrec.errors import unknown_name

    for name in names:
        if name not in CLASSES:
            raise unknown_name("baseline", name, CLASSES)
