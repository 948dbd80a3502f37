"""``/items`` and ``/prefix``: the catalogue, by ids, by words, and as a tree of codes."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from genrec.serving.answering import REFUSALS, answer
from genrec.serving.errors import Refusal, wrong
from genrec.serving.schema import FoundItems, OneItem, PrefixAnswer
from genrec.serving.service import Service
from genrec.serving.settings import MAX_TEXT
from genrec.serving.versions import Version
from genrec.wording import count

if TYPE_CHECKING:
    from fastapi import APIRouter

Limit = Annotated[int, Field(ge=1, le=100, description="items of the answer")]
Offset = Annotated[int, Field(ge=0, le=1_000_000, description="items that are left out before")]
Model = Annotated[str | None, Field(max_length=MAX_TEXT, description="name of a served model")]
Query = Annotated[str, Field(max_length=MAX_TEXT, description="words of a title, or the beginning of an id")]
_LONGEST = 20  # digits of a code


def router(service: Service) -> "APIRouter":
    """The routes; they work in threads, for a large catalogue takes a while."""
    from fastapi import APIRouter, Response

    made = APIRouter(tags=["catalogue"], responses={422: REFUSALS[422]})

    @made.get("/items", response_model=FoundItems)
    def find(
        query: Query = "", limit: Limit = 20, offset: Offset = 0, fields: bool = False, model: Model = None
    ) -> Response:
        """Items by words and beginnings of words, or by the beginning of an id; without a query, all in order."""
        return answer(_found(service, query, limit, offset, fields, model))

    @made.get("/items/{item_id:path}", response_model=OneItem, responses={404: REFUSALS[422]})
    def item(item_id: str, model: Model = None) -> Response:
        """One item with all its fields."""
        served = service.model(model, "query")
        version = served.current
        position = version.catalogue.position(item_id)
        if position is None:
            raise Refusal(404, "The catalogue has no such item.", ("path", "item_id"), "no_such_item")
        return answer({**version.catalogue.card(position), **_head(served.name, version)})

    @made.get("/prefix", response_model=PrefixAnswer)
    @made.get("/prefix/{codes:path}", response_model=PrefixAnswer, responses={404: REFUSALS[422]})
    def prefix(
        codes: str = "", limit: Limit = 20, offset: Offset = 0, fields: bool = False, model: Model = None
    ) -> Response:
        """What is below a prefix of codes, such as `/prefix/12/7`."""
        return answer(_below(service, codes, limit, offset, fields, model))

    return made


def _head(model: str, version: Version) -> dict[str, Any]:
    return {"model": model, "index_version": version.index_version}


def _found(service: Service, query: str, limit: int, offset: int, fields: bool, model: str | None) -> dict[str, Any]:
    served = service.model(model, "query")
    version = served.current
    catalogue = version.catalogue
    if query.strip():
        items, total = catalogue.search(query, limit, offset)
    else:
        total = len(catalogue)
        items = list(range(min(offset, total), min(offset + limit, total)))
    cards = [catalogue.card(item, fields=fields) for item in items]
    return {"items": cards, "total": total, **_head(served.name, version)}


def _below(service: Service, codes: str, limit: int, offset: int, fields: bool, model: str | None) -> dict[str, Any]:
    served = service.model(model, "query")
    version = served.current
    catalogue, prefix = version.catalogue, _codes(codes)
    if version.levels is None:
        raise wrong("This model has no codes.", "query", "model")
    if len(prefix) > version.levels:
        raise wrong(f"An item has {count(version.levels, 'code')}.", "path", "codes")
    items = catalogue.under(prefix)
    if items is None or not len(items):
        raise Refusal(404, "No item begins with these codes.", ("path", "codes"), "no_such_prefix")
    children = []
    if len(prefix) < version.levels:
        for code, below, first in catalogue.children(prefix, items):
            children.append({"code": code, "items": below, "example": catalogue.titles[first]})
    cards = [catalogue.card(item, fields=fields) for item in items[offset : offset + limit].tolist()]
    made = {"prefix": prefix, "total": len(items), "children": children, "items": cards}
    return {**made, **_head(served.name, version)}


def _codes(text: str) -> list[int]:
    """Numbers between slashes.

    Raises:
        Refusal: Something else is there.
    """
    parts = [part for part in text.split("/") if part]
    if any(not (part.isascii() and part.isdigit() and len(part) <= _LONGEST) for part in parts):
        raise wrong("Codes are numbers between slashes, such as 12/7.", "path", "codes")
    return [int(part) for part in parts]
