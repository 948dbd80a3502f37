"""Parts that are found by name: a file of the package, an installed package, or the caller's own code adds one."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T", bound=type)


class Registry(Mapping[str, T]):
    """Classes of one kind by name, each imported when it is first asked for.

    There are three ways in, and none is a list of somebody else's to be edited:

    * a class among ``classes``, or a file of ``package`` that stands ``@decorator("name")`` above its class; names are
      read from the text of the files, so that listing them imports nothing;
    * an entry point of an installed package, ``name = "module:Class"`` in the group ``group``;
    * ``@registry.add("name")``, in code that has run.

    Nothing that an artefact says adds a name: code runs only from places that the user installed or imported.

    Args:
        group: Of entry points.
        classes: Those of the family itself, each with its ``name``, in the order in which they are listed.
        package: Whose files are looked through, folders below it included.
        decorator: How :meth:`add` is written there, such as ``network`` or ``QUANTIZERS.add``.
    """

    def __init__(
        self, group: str, *, classes: Iterable[Any] = (), package: str | None = None, decorator: str | None = None
    ) -> None:
        self.group, self.package = group, package
        self._mark = re.compile(rf'^@{re.escape(decorator or "")}\("([\w.-]+)"\)', re.MULTILINE)
        self._known: dict[str, T] = {cls.name: cls for cls in classes}
        self._first = tuple(self._known)

    def add(self, name: str) -> Callable[[T], T]:
        """Decorator of a class: it goes by this name from now on, in the place of any that did."""

        def remember(cls: T) -> T:
            self._known[name] = cls
            return cls

        return remember

    @cached_property
    def _modules(self) -> dict[str, str]:
        """Module of every name that the package's own files declare."""
        spec = None if self.package is None else find_spec(self.package)
        folders = list(spec.submodule_search_locations or []) if spec is not None else []
        found = _sources(folders, self.package or "")
        return {name: module for module, text in found for name in self._mark.findall(text)}

    @cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}

    def __getitem__(self, name: str) -> T:
        if name not in self._known:
            if name in self._modules:
                importlib.import_module(self._modules[name])
            elif name in self._entry_points:
                self._known[name] = self._entry_points[name].load()
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        return name in self._known or name in self._modules or name in self._entry_points

    def __iter__(self) -> Iterator[str]:
        rest = sorted({*self._known, *self._modules, *self._entry_points})  # whatever has been imported by now
        return iter(dict.fromkeys([*self._first, *rest]))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _sources(folders: list[str], package: str) -> Iterator[tuple[str, str]]:
    """Name and text of every module in some folders of a package."""
    for found in pkgutil.iter_modules(folders, f"{package}."):
        path = Path(found.module_finder.path, found.name.rpartition(".")[2])  # type: ignore[union-attr]
        if found.ispkg:
            yield from _sources([str(path)], found.name)
        else:
            yield found.name, path.with_suffix(".py").read_text(encoding="utf-8")
