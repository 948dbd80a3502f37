"""``/docs``: the OpenAPI document as a page that loads nothing from elsewhere."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.serving.parameters import reads_nothing
from genrec.serving.service import Service

if TYPE_CHECKING:
    from fastapi import APIRouter

TEMPLATE = "docs.html.jinja"
_BOUNDS = {
    "minimum": "from {}",
    "maximum": "to {}",
    "minLength": "at least {} letters",
    "maxLength": "at most {} letters",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "maxProperties": "at most {} entries",
}


def router(service: Service) -> "APIRouter":
    """The route."""
    from fastapi import APIRouter, Request, Response

    made = APIRouter()

    @made.get("/docs", include_in_schema=False)
    @reads_nothing
    def docs(request: Request) -> Response:
        return Response(_page(request.app.openapi), media_type="text/html; charset=utf-8")

    return made


@lru_cache(maxsize=4)
def _page(document_of: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    place = Path(__file__).resolve().parent.parent
    environment = Environment(loader=FileSystemLoader(place), autoescape=True, undefined=StrictUndefined)
    document = document_of()
    context = {**document["info"], "places": list(_places(document))}
    return environment.get_template(TEMPLATE).render({"summary": "", **context})


def _places(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, place in methods.items():
            yield {
                "id": place["operationId"],
                "method": method.upper(),
                "path": path,
                "text": place.get("description") or place.get("summary", ""),
                "fields": [*_parameters(document, place), *_body(document, place)],
                "answers": [
                    {"status": status, "text": answer["description"].lower()}
                    for status, answer in place["responses"].items()
                ],
            }


def _parameters(document: dict[str, Any], place: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in place.get("parameters", ()):
        text = one.get("description") or one["schema"].get("description", "")
        kind = kind_of(document, one["schema"])
        yield {
            "name": one["name"],
            "where": one["in"],
            "required": one.get("required", False),
            "kind": kind,
            "text": text,
        }


def _body(document: dict[str, Any], place: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content = place.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    schema = _resolved(document, content["schema"])
    for name, field in schema.get("properties", {}).items():
        text, kind = field.get("description", ""), kind_of(document, field)
        yield {
            "name": name,
            "where": "body",
            "required": name in schema.get("required", ()),
            "kind": kind,
            "text": text,
        }


def kind_of(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """What a value is, in words.

    >>> kind_of({}, {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 3})
    'list (at most 3 entries) of text (at most 9 letters)'
    """
    schema = _resolved(document, schema)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            kinds = [kind_of(document, one) for one in schema[several] if one.get("type") != "null"]
            return " or ".join(kinds)
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    words = {"string": "text", "array": "list", "object": "mapping", "boolean": "true or false"}
    kind = words.get(schema.get("type", ""), schema.get("type", "anything"))
    bounds = [text.format(f"{schema[name]:,g}") for name, text in _BOUNDS.items() if name in schema]
    kind += f" ({', '.join(bounds)})" if bounds else ""
    inner = schema.get("items") if schema.get("type") == "array" else schema.get("additionalProperties")
    return f"{kind} of {kind_of(document, inner)}" if isinstance(inner, dict) else kind


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = document
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        schema = found
    if len(schema.get("allOf", ())) == 1:
        return _resolved(document, schema["allOf"][0])
    return schema
