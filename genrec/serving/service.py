"""All that a service has, without any HTTP: models by name, their decoders, histories, events, numbers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from genrec.data.interactions import Interactions
from genrec.errors import GenRecError
from genrec.serving.asks import Found
from genrec.serving.batching import Decoder
from genrec.serving.errors import QueueFullError, Refusal, of_error, wrong
from genrec.serving.metrics import Metrics
from genrec.serving.reading import Read, Reader, short
from genrec.serving.schema import RecommendBody
from genrec.serving.settings import ServeSettings
from genrec.serving.users import Events
from genrec.serving.versions import ServedModel, Source, Version

logger = logging.getLogger(__name__)


class Service:
    """Models that are loaded and ready.

    Args:
        sources: Where every model comes from, by name; the first one answers where no model is named.
        settings: Of the service.
        tables: Interactions of all users by name of a model; under ``None`` those of all others.
        token: What administrators must say; None: nobody can administrate.
        threads: Cores for one batch; None: as torch does.

    Raises:
        GenRecError: A model cannot be loaded, or a table does not fit it.
        MissingExtraError: The extra ``serve`` is not installed.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        settings: ServeSettings | None = None,
        *,
        tables: Mapping[str | None, Interactions] | None = None,
        token: str | None = None,
        threads: int | None = None,
    ) -> None:
        self.settings, self.token = settings or ServeSettings(), token
        self.metrics = Metrics()
        self.events = Events(self.settings.remember_users, self.settings.remember_items)
        self.reader = Reader(self.settings, self.events)
        self.models: dict[str, ServedModel] = {}
        self._decoders: dict[str, Decoder] = {}
        self.ready = True
        tables = tables or {}
        for name, source in sources.items():
            table = tables.get(name, tables.get(None))
            self.models[name] = ServedModel(name, source, table, self.settings.keep_versions)
        for name in self.models:
            self._decoders[name] = decoder = Decoder(
                name, window=self.settings.window_ms / 1000, room=self.settings.queue_users, threads=threads
            )
            decoder.watcher = self.metrics.watch(name, partial(getattr, decoder, "waiting"))
            self._note_version(name)

    def model(self, name: str | None, *place: str) -> ServedModel:
        """A model by its name, the first one for None.

        Raises:
            Refusal: There is none of this name.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise wrong(f"Unknown model '{name[:200]}'. Served: {', '.join(self.models)}.", *place, "model")
        return self.models[name]

    async def recommend(self, body: RecommendBody, place: str = "body") -> dict[str, Any]:
        """Answer a request.

        Raises:
            Refusal: It is wrong, too many wait, or the model cannot answer.
        """
        began = time.monotonic()
        model = self.model(body.model, place)
        version = model.current  # all of this request, whatever is swapped meanwhile
        if body.where:  # which may look at every item
            read = await asyncio.to_thread(self.reader.read, body, version, place)
        else:
            read = self.reader.read(body, version, place)
        found = await self._decoded(model.name, read)
        return self._answer(body, model, read, found, began)

    async def _decoded(self, name: str, read: Read) -> list[Found]:
        try:
            future = self._decoders[name].submit(read.version.recommender, read.asks)
        except QueueFullError as full:
            headers = {"Retry-After": str(full.retry_s)}
            raise Refusal(503, "Too many users wait. Try again later.", kind="queue_full", headers=headers) from None
        try:
            return await asyncio.wrap_future(future)
        except GenRecError as error:
            raise of_error(error) from None

    def _answer(
        self, body: RecommendBody, model: ServedModel, read: Read, found: list[Found], began: float
    ) -> dict[str, Any]:
        lists = [self._list(read.version, one, body.fields) for one in found]
        for items, notes in zip(lists, read.of_users, strict=True):
            if len(items) < read.k:
                notes.append(short(len(items), read.k))
        head = {"model": model.name, **_version_of(read.version)}
        head["took_ms"] = round(1000 * (time.monotonic() - began), 3)
        if body.users is None and body.histories is None:
            return {"items": lists[0], **head, "notes": read.notes + read.of_users[0]}
        parts = zip(read.users, lists, read.of_users, strict=True)
        results = [{"user": user, "items": items, "notes": notes} for user, items, notes in parts]
        return {"results": results, **head, "notes": read.notes}

    def _list(self, version: Version, found: Found, fields: bool) -> list[dict[str, Any]]:
        catalogue = version.catalogue
        listed = [
            {"item_id": card.pop("item_id"), "rank": rank, "score": score, **card}
            for rank, (item, score) in enumerate(zip(found.items.tolist(), found.scores.tolist(), strict=True), start=1)
            for card in [catalogue.card(item, fields=fields)]
        ]
        for one, why in zip(listed, found.why or (), strict=False):
            one |= {"parts": dict(why.parts), "levels": list(why.levels)}
        return listed

    def reload(self, name: str | None) -> dict[str, Any]:
        """Load what has changed at the source of a model, beside what is current, and swap.

        Raises:
            Refusal: It cannot be loaded; the current version stays.
        """
        began, model = time.monotonic(), self.model(name, "body")
        try:
            version = model.reload()
        except GenRecError as error:
            self.metrics.reloaded(model.name, "failed")
            logger.warning(
                "The reload of '%s' has failed, and version %d stays. %s", model.name, model.current.number, error
            )
            raise Refusal(409, f"{of_error(error)} The current version stays.", kind="reload_failed") from None
        return self._administrated(model, "unchanged" if version is None else "swapped", began)

    def roll_back(self, name: str | None, number: int | None) -> dict[str, Any]:
        """Make an older version the current one again.

        Raises:
            Refusal: It is not kept.
        """
        began, model = time.monotonic(), self.model(name, "body")
        try:
            model.roll_back(number)
        except GenRecError as error:
            raise Refusal(409, str(of_error(error)), ("body", "version"), "no_such_version") from None
        return self._administrated(model, "rolled-back", began)

    def stop(self) -> None:
        """Answer what waits, then end the threads."""
        self.ready = False
        for decoder in self._decoders.values():
            decoder.stop(self.settings.stop_s)

    def _administrated(self, model: ServedModel, result: str, began: float) -> dict[str, Any]:
        self.metrics.reloaded(model.name, result)
        self._note_version(model.name)
        version = model.current
        took = round(1000 * (time.monotonic() - began), 3)
        made = {"model": model.name, "result": result, **_version_of(version)}
        return {**made, "items": len(version.catalogue), "took_ms": took}

    def _note_version(self, name: str) -> None:
        version = self.models[name].current
        self.metrics.version(name, version.number, len(version.catalogue))


def _version_of(version: Version) -> dict[str, Any]:
    return {"version": version.number, "index_version": version.index_version}
