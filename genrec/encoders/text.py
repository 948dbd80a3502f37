"""Items as text: a sandboxed Jinja template over the fields of the catalogue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from pydantic import Field

from genrec.assets import find_asset
from genrec.config import Settings, parse_yaml
from genrec.data.catalog import Catalog
from genrec.errors import ConfigError, DataError, unknown_name
from genrec.templates import EndlessTemplateError, bounded, may_be_long, refuse_large_numbers, require_short

logger = logging.getLogger(__name__)

_INPUTS = ("pairs", "item")
_HINT = "item.<field> exists for the fields of the recipe's text.fields (all text fields when none are named)."
_CHUNK = 100_000
WORD = r"\w+"
"""What counts as a word, as a regular expression."""


class TextTemplate(Settings):
    """How an item becomes text; part of an item tokenizer's recipe.

    A template sees ``pairs``, the ``(field, text)`` of every non-empty field in order, and ``item``, which holds the
    text of every field by name (``item.title``; empty fields are ``""``). Lists are joined with ", ", runs of white
    space become one space, and underscores in the names of ``pairs`` become spaces.
    """

    name: str = Field(default="item-text", description="A template of prompts/, or the path of a .jinja file.")
    fields: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="Fields to use; None: all that hold text."
    )
    max_words: int | None = Field(
        default=None, ge=1, description="Leave out fields with more words on average, where shorter ones are left."
    )
    max_chars: int | None = Field(default=2000, ge=1, description="Longest text; the rest is cut off. None: no limit.")

    def render(self, catalog: Catalog) -> list[str]:
        """The text of every item, in catalogue order.

        Raises:
            ConfigError: The template or a field does not exist, or the template fails.
            DataError: The catalogue has no text field.
        """
        return self.view(catalog).render(catalog)

    def view(self, catalog: Catalog) -> TextView:
        """The template's source and the fields it uses, frozen: new items are read the same way later."""
        path = find_asset("prompts", self.name, ".jinja", "text template")
        _, source = read_template(path)
        return TextView(source, self._fields(catalog), self.max_chars, str(self.name))

    def _fields(self, catalog: Catalog) -> tuple[str, ...]:
        if self.fields is not None:
            for field in self.fields:
                if field not in catalog.fields:
                    raise unknown_name("item field", field, catalog.fields, where="text.fields")
        text = text_fields(catalog) if self.fields is None else self.fields
        if self.max_words is not None:
            text = short_fields(catalog, text, self.max_words)
        if not text:
            raise DataError(
                "No field of the items holds text.",
                where="items",
                expected="at least one text column beside item_id, such as title",
                hint="Give the items a column of text. Or let their codes come from interactions alone: "
                "genrec index build ITEMS --interactions LOG --tokenizer auto --set encoder.name=cooccurrence --out "
                "NEW; or from vectors of your own: genrec index build ITEMS --set encoder.name=precomputed --set "
                "encoder.path=FILE --out NEW.",
            )
        return text


@dataclass(frozen=True)
class TextView:
    """A template frozen together with its fields.

    Attributes:
        source: Jinja text of the template, without front matter.
        fields: Fields of the catalogue that it sees, in order.
        max_chars: Longest text, or None.
        name: What to call the template in an error.
    """

    source: str
    fields: tuple[str, ...]
    max_chars: int | None = None
    name: str = "template"

    def render(self, catalog: Catalog) -> list[str]:
        """The text of every item, in catalogue order; ``""`` for an item whose fields are all empty.

        Raises:
            ConfigError: The template fails, for example because it names a field that does not exist.
            DataError: The catalogue has none of the fields.
        """
        present = [name for name in self.fields if name in catalog.fields]
        if missing := [name for name in self.fields if name not in present]:
            if not present:
                raise DataError(
                    "The items have none of the fields that their text is made of.",
                    where="items",
                    expected=f"columns {', '.join(self.fields)}",
                    hint="Use the same columns as in the table that the index was built from.",
                )
            logger.warning("The items have no column %s: read as empty.", ", ".join(missing))
        texts: list[str] = []
        for start in range(0, len(catalog), _CHUNK):
            texts.extend(self._render_rows(catalog.frame.slice(start, _CHUNK), present))
        return texts

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"source": self.source, "fields": list(self.fields), "max_chars": self.max_chars, "name": self.name}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> TextView:
        """Inverse of :meth:`to_dict`."""
        return cls(content["source"], tuple(content["fields"]), content["max_chars"], content["name"])

    @cached_property
    def _keys(self) -> list[str]:
        return [name.replace("_", " ") for name in self.fields]

    def _render_rows(self, frame: pl.DataFrame, present: list[str]) -> Iterator[str]:
        columns = [field_text(name, frame.schema[name]) if name in present else pl.lit("") for name in self.fields]
        # numbered, not named: a field called "literal" or one given twice must not clash
        table = frame.select(column.alias(str(n)) for n, column in enumerate(columns))
        call, keys, fields = compile_template(self.source, self.name, _INPUTS), self._keys, self.fields
        for values in table.iter_rows():
            pairs = [(key, value) for key, value in zip(keys, values, strict=True) if value]
            if not pairs:
                yield ""
                continue
            try:
                text = call(pairs, dict(zip(fields, values, strict=True))).strip()
            except Exception as error:  # a template is the user's program: whatever it raises is a wrong setting
                raise template_failed(self.name, error, _INPUTS, _HINT) from None
            yield text if self.max_chars is None else text[: self.max_chars].rstrip()


def read_template(path: Path | str) -> tuple[dict[str, Any], str]:
    """Read a template of ``prompts/``: YAML front matter between ``---`` lines, then the Jinja text.

    Returns:
        The front matter (empty when there is none) and the text.

    Raises:
        ConfigError: The front matter is not a YAML mapping or is not closed.
    """
    path = Path(path)
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The template cannot be read: {error}", where=path, expected="a UTF-8 text file") from None
    if not content.startswith("---\n"):
        return {}, content
    head, closed, body = content[4:].partition("\n---\n")
    if not closed:
        raise ConfigError("The front matter of the template is not closed.", where=path, expected="a line of ---")
    try:
        front = parse_yaml(head)
    except yaml.YAMLError as error:
        raise ConfigError(f"The front matter of the template is not YAML: {error}", where=path) from None
    if not isinstance(front, dict):
        raise ConfigError(
            "The front matter must hold key: value pairs.", where=path, expected="name, description, inputs"
        )
    return front, body


def text_fields(catalog: Catalog) -> tuple[str, ...]:
    """Names of the fields that hold text, or lists of it, in order."""
    return tuple(name for name in catalog.fields if _is_text(catalog.frame.schema[name]))


def short_fields(catalog: Catalog, fields: Sequence[str], most: int) -> tuple[str, ...]:
    """Of some fields those with at most ``most`` words on average where they are filled, if these are enough.

    All fields where one of ten items would be left without any text.

    >>> frame = pl.DataFrame({"item_id": ["a", "b"], "title": ["red shoe", "hat"], "text": ["a b c d", "e f g"]})
    >>> short_fields(Catalog(frame), ["title", "text"], 2)
    ('title',)
    """
    frame, short = catalog.frame, []
    some = some_short = pl.repeat(False, len(frame), eager=True)
    for name in fields:
        words = frame.select(field_text(name, frame.schema[name]).str.count_matches(WORD)).to_series()
        some |= words > 0
        if (words.filter(words > 0).mean() or 0) <= most:  # type: ignore[operator]
            short.append(name)
            some_short |= words > 0
    return tuple(short) if int(some_short.sum()) > 0.9 * int(some.sum()) else tuple(fields)


def _is_text(dtype: pl.DataType) -> bool:
    return dtype == pl.String or (isinstance(dtype, pl.List) and dtype.inner == pl.String)


def field_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A field as text: lists joined with ", ", runs of white space as one space, ``""`` where empty."""
    column = pl.col(name)
    if isinstance(dtype, pl.List):
        column = column.cast(pl.List(pl.String)).list.eval(pl.element().filter(pl.element().str.strip_chars() != ""))
        column = column.list.join(", ", ignore_nulls=True)
    return column.cast(pl.String).fill_null("").str.replace_all(r"\s+", " ").str.strip_chars(" ")


@lru_cache(maxsize=64)
def compile_template(
    source: str, name: str, inputs: tuple[str, ...], finalize: Callable[[Any], str] | None = None
) -> Callable[..., str]:
    """A template as a function of its inputs, in a sandbox that refuses unknown names.

    A macro call is several times cheaper than building a context for each text.

    Args:
        source: Jinja text.
        name: What to call it in an error.
        inputs: Names of the arguments, in order.
        finalize: What is done with every value that the template prints.

    Raises:
        ConfigError: It is not a Jinja template.
    """
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, finalize=finalize
    )
    try:
        refuse_large_numbers(source)
        macro = f"{{% macro render({', '.join(inputs)}) -%}}{source}{{%- endmacro %}}"
        watched = may_be_long(environment.parse(macro))
        with bounded():
            call: Any = environment.from_string(macro).module.render  # type: ignore[attr-defined]
    except (TemplateError, EndlessTemplateError) as error:
        raise template_failed(name, error, inputs) from None
    return _watched(call) if watched else call


def _watched(call: Any) -> Any:
    """A template whose every text is bounded."""

    def render(*values: Any) -> Any:
        with bounded():
            text = call(*values)
        require_short(text)
        return text

    return render


def template_failed(name: str, error: Exception, inputs: tuple[str, ...], hint: str | None = None) -> ConfigError:
    """The error for a template that cannot be read or rendered."""
    return ConfigError(
        f"The text template '{name}' failed: {error}",
        where=f"template '{name}'",
        expected="a Jinja template over " + " and ".join(f"'{word}'" for word in inputs),
        hint=hint,
    )
