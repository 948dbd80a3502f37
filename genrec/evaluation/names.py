"""Names of what stands side by side in a report: all distinct, and safe as names of files."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from genrec.artifacts.hub import shown_place
from genrec.errors import ConfigError

_UNSAFE = re.compile(r"[^\w.+=-]+")
_LONGEST = 80


def distinct_names(folders: Sequence[Path], taken: Collection[str] = ()) -> list[str]:
    """The last parts of paths, as many as it takes to tell them apart.

    Args:
        folders: Of recommenders.
        taken: Names that others have.

    Raises:
        ConfigError: The same folder twice.

    >>> distinct_names([Path("/x/a/m"), Path("/x/b/m"), Path("/x/counts")], taken=["counts"])
    ['a/m', 'b/m', 'x/counts']
    """
    paths = [folder.resolve() for folder in folders]
    twice = next((path for number, path in enumerate(paths) if path in paths[:number]), None)
    if twice is not None:
        raise ConfigError("The same recommender was given twice.", where=twice, hint="Name every folder once.")
    paths = [shown_place(path) for path in paths]
    parts = [1] * len(paths)
    while True:
        names = ["/".join(path.parts[-count:]) for path, count in zip(paths, parts, strict=True)]
        unclear = [
            number
            for number, name in enumerate(names)
            if (name in taken or names.count(name) > 1) and parts[number] < len(paths[number].parts)
        ]
        if not unclear:
            return names
        for number in unclear:
            parts[number] += 1


def file_names(names: Sequence[str]) -> list[str]:
    """One name of a file for each name, without its suffix: no separators, none hidden, none twice on any system.

    >>> file_names(["a/m", "a-m", "../up", "A/M"])
    ['a-m', 'a-m-2', 'up', 'A-M-3']
    """
    made: list[str] = []
    for name in names:
        stem = _UNSAFE.sub("-", name).strip("-.")[:_LONGEST] or "recommender"
        found, number = stem, 2
        while found.casefold() in {one.casefold() for one in made}:
            found, number = f"{stem}-{number}", number + 1
        made.append(found)
    return made
