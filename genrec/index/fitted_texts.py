"""Which fields of the items were text when a tokenizer was fitted: other items must be read in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from genrec.data.money import amounts_were_text
from genrec.encoders.text import text_fields

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.index.recipe import TokenizerRecipe


class Fitted(Protocol):
    """What is needed of a fitted tokenizer."""

    recipe: TokenizerRecipe
    rests: dict[str, Mapping[str, Any]]


def fitted_text_fields(tokenizer: Fitted, catalog: Catalog | None = None) -> tuple[str, ...]:
    """Fields that held text.

    Args:
        tokenizer: A fitted one.
        catalog: The items that it was fitted to, where they are known; else what the encoder remembers is told, which
            is nothing where its recipe names the fields of its texts: those may be numbers.
    """
    if catalog is not None:
        return text_fields(catalog)
    if _names_fields(tokenizer.recipe.encoder_settings()):
        return ()
    return tuple(dict.fromkeys(_read_fields(tokenizer.rests["encoder"])))


def require_texts_as_fitted(tokenizer: Fitted, catalog: Catalog) -> None:
    """Refuse amounts that were read as numbers where the tokenizer was fitted to them as text.

    Raises:
        DataError: Names the field, and how it is read as text.
    """
    for name in fitted_text_fields(tokenizer):
        if name in catalog.currencies:
            raise amounts_were_text(name, "items", "when the tokenizer was fitted")


def _names_fields(settings: Mapping[str, Any]) -> bool:
    """Whether a recipe says of which fields its texts are made, in any of its encoders."""
    text, inside = settings.get("text"), [settings.get("encoder"), *_listed(settings.get("encoders"))]
    named = isinstance(text, Mapping) and text.get("fields") is not None
    return named or any(_names_fields(part) for part in inside if isinstance(part, Mapping))


def _read_fields(state: Mapping[str, Any]) -> list[str]:
    """Fields that the text encoders of a state, also those inside others, make texts of."""
    text, inside = state.get("text"), [state.get("inner"), *_listed(state.get("parts"))]
    own = text.get("fields") if isinstance(text, Mapping) else None
    found = [name for name in _listed(own) if isinstance(name, str)]
    return found + [name for part in inside if isinstance(part, Mapping) for name in _read_fields(part)]


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else list(value) if isinstance(value, tuple) else []
