"""``/``: the page to look at, and what only it asks for."""

import random
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from genrec.page.assembly import SERVED_POLICY, asset, served_page
from genrec.page.content import Catalogues
from genrec.page.filters import filters_of
from genrec.serving.answering import REFUSALS, answer
from genrec.serving.errors import wrong
from genrec.serving.parameters import reads_nothing
from genrec.serving.service import Service
from genrec.serving.settings import MAX_TEXT
from genrec.serving.users import history_of
from genrec.serving.versions import Version
from genrec.wording import count

if TYPE_CHECKING:
    from fastapi import APIRouter

HEADERS = {
    "Content-Security-Policy": SERVED_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_KINDS = {"page.js": "text/javascript", "page.css": "text/css"}
_USERS, _SHOWN = 200, 50

User = Annotated[str | None, Field(max_length=MAX_TEXT, description="a user; anybody where nothing is said")]


def router(service: Service) -> "APIRouter":
    """The routes. None of them changes anything, or reads what a request names from disk."""
    from fastapi import APIRouter, Response

    made = APIRouter(tags=["page"], include_in_schema=False, responses={422: REFUSALS[422]})

    @made.get("/")
    @reads_nothing
    async def page() -> Response:
        """The page."""
        return Response(served_page(), headers=HEADERS, media_type="text/html")

    def give(name: str) -> Any:
        @reads_nothing
        async def file() -> Response:
            return Response(asset(name), headers=HEADERS, media_type=_KINDS[name])

        return file

    for name in _KINDS:
        made.add_api_route(f"/page/{name}", give(name))

    @made.get("/page/start")
    def start() -> Response:
        """Models, catalogues, some users and the filters."""
        return answer(_start(service))

    @made.get("/page/person")
    def person(user: User = None) -> Response:
        """A user and the newest items of the history; somebody at random where no name is said."""
        return answer(_anybody(service) if user is None else _person(service, user))

    return made


def _start(service: Service) -> dict[str, Any]:
    from genrec import __version__

    versions = {name: model.current for name, model in service.models.items()}
    catalogues = Catalogues({name: version.recommender for name, version in versions.items()})
    first = next(iter(versions.values()))
    known = _with_users(service)
    users: list[str] = [] if known is None or known.users is None else known.users.histories.user_ids.tolist()
    return {
        "version": __version__,
        "about": f"{count(len(first.catalogue), 'item')}, {count(len(users), 'user')}",
        "models": catalogues.models,
        "catalogues": [
            {"name": name, "model": name, "sizes": list(index.codebook_sizes), "n_items": len(index)}
            for name, index in catalogues.indexes
        ],
        "users": users[:_USERS],
        "filters": filters_of(catalogues.catalog),
    }


def _with_users(service: Service) -> Version | None:
    """The current version of the first model that has a table of histories."""
    versions = (model.current for model in service.models.values())
    return next((one for one in versions if one.users is not None and len(one.users.histories)), None)


def _looked_at(service: Service) -> Version:
    """The version whose catalogue knows titles, the first one else."""
    versions = [model.current for model in service.models.values()]
    return next((one for one in versions if one.catalogue.index is not None), versions[0])


def _anybody(service: Service) -> dict[str, Any]:
    version = _with_users(service)
    if version is not None and version.users is not None:
        return _person(service, str(random.choice(version.users.histories.user_ids)))
    catalogue = _looked_at(service).catalogue
    return {"user": "", "history": [catalogue.card(random.randrange(len(catalogue)))]}


def _person(service: Service, user: str) -> dict[str, Any]:
    version = _with_users(service) or _looked_at(service)
    found = history_of(user, version.users, service.events, version.positions, service.settings.max_history)
    if found is None:
        raise wrong("There is no such user.", "query", "user")
    shown = _looked_at(service)
    ids = version.recommender.item_ids[found[0]].tolist()
    places = [shown.catalogue.position(item) for item in ids]
    cards = [shown.catalogue.card(place) for place in places if place is not None]
    return {"user": user, "history": cards[-_SHOWN:], "items": len(cards)}
