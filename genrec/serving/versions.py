"""A served model and the versions of its catalogue: loaded beside each other, swapped, rolled back."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from genrec.artifacts.kinds import wrong_kind
from genrec.config import parse
from genrec.data.conditions import items_where
from genrec.data.interactions import Interactions
from genrec.decoding.options import DecodingOptions
from genrec.errors import ArtifactError, ConfigError, unknown_name
from genrec.loading import load, saved_kind
from genrec.recommender import MANIFEST, Recommender
from genrec.serving.asks import Part
from genrec.serving.catalogue import CatalogueView
from genrec.serving.users import KnownUsers
from genrec.trust import trusting

logger = logging.getLogger(__name__)

_REMEMBERED = 64  # parts and options that are made once


@dataclass(frozen=True)
class Source:
    """Where a model comes from; only who starts the service says so, never a request.

    Attributes:
        folder: Of the recommender.
        index: Folder of an index that replaces the recommender's own, and that may grow.
        device: Where to compute.
        checkpoint: Where the language model under an adapter is.
        changes: ``key=value`` of decoding settings.
        parts: Conditions of every named part of the catalogue.
        trust_remote_code: Whether code that models bring may run.
    """

    folder: Path
    index: Path | None = None
    device: str | None = None
    checkpoint: str | None = None
    changes: tuple[str, ...] = ()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))  # a text will do
        object.__setattr__(self, "index", None if self.index is None else Path(self.index))

    def state(self) -> tuple[str, str | None]:
        """Digests of the manifests of recommender and index: what is there now."""
        own = _digest(self.folder, MANIFEST, "recommender")
        return own, None if self.index is None else _digest(self.index, "index.json", "index")

    def load(self) -> Recommender:
        """The recommender as it is there now.

        Raises:
            GenRecError: It cannot be loaded, or its settings are wrong.
        """
        with trusting(self.trust_remote_code):
            if saved_kind(self.folder) == "baseline":
                if self.index is not None or self.changes or self.parts:
                    raise ConfigError("A baseline has no index, no decoding settings and no parts.", where=self.folder)
                return load(self.folder, device=self.device)
            from genrec.generative.changes import change_decoding

            index = None if self.index is None else self.load_index()
            loaded: Any = load(self.folder, index=index, device=self.device, **self._moved())
        change_decoding(loaded, self.changes)
        return loaded

    def load_index(self) -> Any:
        """The index beside it, as it is there now."""
        from genrec.index.semantic_index import SemanticIndex

        with trusting(self.trust_remote_code):
            return SemanticIndex.load(str(self.index))

    def _moved(self) -> dict[str, Any]:
        return {} if self.checkpoint is None else {"checkpoint": self.checkpoint}


class Version:
    """One version of a served model: recommender, catalogue, histories. Nothing in it changes.

    Args:
        number: From 1.
        recommender: What answers.
        source: Where it comes from.
        state: Of the source when it was loaded.
        table: Interactions of all users, or None.

    Raises:
        GenRecError: A named part or the table does not fit the catalogue.
    """

    def __init__(
        self,
        number: int,
        recommender: Recommender,
        source: Source,
        state: tuple[str, str | None],
        table: Interactions | None,
    ) -> None:
        self.number, self.recommender, self.state = number, recommender, state
        self.loaded = datetime.now(UTC).isoformat(timespec="seconds")
        self.catalogue = CatalogueView(recommender)
        self.users = None if table is None else KnownUsers.of(table, recommender.item_ids)
        self.options: DecodingOptions | None = getattr(recommender, "options", None)
        self.parts = tuple(source.parts)
        for name, conditions in source.parts.items():
            searching: Any = recommender
            mask = items_where(searching.index.catalog, conditions, needed=False)
            searching.define(name, recommender.item_ids[mask])
        self._made: OrderedDict[tuple[str, Any], Any] = OrderedDict()
        self._turn = threading.Lock()

    @property
    def positions(self) -> Mapping[str, int]:
        """Catalogue position of every item id."""
        return self.recommender.positions

    @property
    def scores_all(self) -> bool:
        """Whether it scores every item anyway."""
        return self.options is not None and self.options.exact

    @property
    def levels(self) -> int | None:
        """Codes of a semantic ID; None: there is no index."""
        return None if self.catalogue.index is None else self.catalogue.index.n_levels

    @property
    def index_version(self) -> str:
        """The start of the fingerprint of its index, or of the item ids where there is none."""
        if self.catalogue.index is not None:
            return self.catalogue.index.fingerprint[:12]
        return self.remembered("ids", None, lambda: _digest_of(self.recommender.item_ids))

    def part(self, conditions: tuple[str, ...]) -> Part:
        """Items that meet conditions.

        Raises:
            ConfigError: A condition cannot be read, or names a field that is not there.
        """
        index = self.catalogue.index
        if index is None:
            raise ConfigError("This model knows no fields of items.", hint="Leave conditions out.")

        def make() -> Part:
            return Part(conditions, items_where(index.catalog, conditions, needed=False))

        return self.remembered("part", conditions, make)

    def changed_options(self, changes: tuple[tuple[str, Any], ...]) -> DecodingOptions:
        """The recommender's way of decoding with some settings changed; the same object for the same changes.

        Raises:
            ConfigError: They do not go together, or the recommender does not search.
        """
        if self.options is None:
            raise ConfigError("This model does not search, so it has no such settings.")
        if not changes:
            return self.options
        before = self.options.model_dump()
        return self.remembered(
            "options", changes, lambda: parse(DecodingOptions, {**before, **dict(changes)}, where="options")
        )

    def without_effect(self, options: DecodingOptions, *, prior: bool) -> dict[str, str]:
        """Settings of a request that change no list, each with why.

        Args:
            options: Made by :meth:`changed_options`.
            prior: Whether the request brings a prior.
        """
        if options is self.options:
            return {}
        from genrec.generative.changes import without_effect

        searching: Any = self.recommender
        return without_effect(searching, options, prior=prior)

    def remembered(self, kind: str, key: Any, make: Callable[[], Any]) -> Any:
        """What was made lately, or is made now."""
        with self._turn:
            if (kind, key) in self._made:
                self._made.move_to_end((kind, key))
                return self._made[kind, key]
        made = make()
        with self._turn:
            made = self._made.setdefault((kind, key), made)
            while len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)
            return made

    def warm(self) -> None:
        """Do once what the first request would wait for."""
        self.catalogue.prepare()
        first = self.recommender.item_ids[:1].tolist()
        for _ in range(2):
            self.recommender.recommend([first], 10)

    def described(self) -> dict[str, Any]:
        """For people and monitors."""
        return {
            "version": self.number,
            "index_version": self.index_version,
            "items": len(self.catalogue),
            "loaded": self.loaded,
        }


class ServedModel:
    """A model by name, and its versions.

    Args:
        name: Under which it is asked for.
        source: Where it comes from.
        table: Interactions of all users, or None.
        keep: Versions that are kept.

    Raises:
        GenRecError: It cannot be loaded.
    """

    def __init__(self, name: str, source: Source, table: Interactions | None = None, keep: int = 2) -> None:
        self.name, self.source, self.table, self.keep = name, source, table, keep
        self._turn = threading.Lock()
        state = source.state()
        self.current = self._made(1, source.load(), state)
        self.versions = [self.current]
        self._newest = 1

    def reload(self) -> Version | None:
        """Load what is at the source now beside the current version, and swap; None: nothing has changed there.

        An index that has grown is loaded alone and shares the network with the version before.

        Raises:
            ConfigError: Another reload goes on.
            GenRecError: What is there cannot be loaded; the current version stays.
        """
        if not self._turn.acquire(blocking=False):
            raise ConfigError("Another reload of this model goes on.", hint="Try again when it has ended.")
        try:
            state = self.source.state()
            if state == self.current.state:
                return None
            version = self._made(self._newest + 1, self._newer(state), state)
            self._newest += 1
            self.versions = [*self.versions, version][-self.keep :]
            self.current = version
            return version
        finally:
            self._turn.release()

    def roll_back(self, number: int | None = None) -> Version:
        """Make an older version the current one again.

        Args:
            number: Of the version; None: the one before the current one.

        Raises:
            ConfigError: It is not kept.
        """
        with self._turn:
            kept = {str(one.number): one for one in self.versions}
            if number is not None and str(number) not in kept:
                raise unknown_name("version", str(number), kept)
            older = [one for one in self.versions if one.number < self.current.number]
            if number is None and not older:
                raise ConfigError("There is no older version.")
            self.current = older[-1] if number is None else kept[str(number)]
            return self.current

    def described(self) -> dict[str, Any]:
        """For people and monitors."""
        recommender: Any = self.current.recommender
        made = {
            "id": self.name,
            "object": "model",
            "owned_by": "genrec",
            "kind": recommender.kind,
            **self.current.described(),
            "parts": list(self.current.parts),
            "users": 0 if self.current.users is None else len(self.current.users.rows),
            "versions": [one.described() for one in self.versions],
        }
        if self.current.options is not None:
            made["network"] = recommender.config.model.architecture
            made["levels"] = list(recommender.index.codebook_sizes)
            made["options"] = self.current.options.model_dump(exclude={"prior", "batch_users"})
        return made

    def _newer(self, state: tuple[str, str | None]) -> Recommender:
        from genrec.generative.growth import with_index
        from genrec.generative.recommender import GenerativeRecommender

        current = self.current.recommender
        if state[0] == self.current.state[0] and isinstance(current, GenerativeRecommender):
            return with_index(current, self.source.load_index())
        return self.source.load()

    def _made(self, number: int, recommender: Recommender, state: tuple[str, str | None]) -> Version:
        version = Version(number, recommender, self.source, state, self.table)
        version.warm()
        return version


def _digest(folder: Path, name: str, kind: str) -> str:
    try:
        return hashlib.sha256((folder / name).read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        raise wrong_kind(folder, name, kind) from None
    except OSError as error:
        raise ArtifactError(f"This {kind} cannot be read: {error.strerror}.", where=folder / name) from None


def _digest_of(item_ids: np.ndarray) -> str:
    return hashlib.sha256("\x00".join(item_ids.tolist()).encode("utf-8", "surrogatepass")).hexdigest()[:12]
