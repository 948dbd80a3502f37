"""Settings: frozen pydantic models read from YAML, with unknown keys refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from genrec.errors import ConfigError, unknown_name
from genrec.schema import LARGEST_SEED

Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
_LARGEST_INTEGER = 2**63 - 1

MOST_ROUNDS = 10_000
"""Times that something is gone through: epochs, iterations, rounds."""
MOST_STEPS = 10_000_000
"""Steps of a training that has a number of them."""
LARGEST_WIDTH = 65_536
"""Of vectors, layers, heads, items drawn beside one: what takes memory times the rows that are worked on."""
MOST_ROWS = 100_000_000
"""Rows that are made, not only taken of what there is."""
MOST_PROCESSES = 1024
"""Of one machine, beside each other."""
Width = Annotated[int, Field(ge=1, le=LARGEST_WIDTH)]
Widths = Annotated[tuple[Width, ...], Field(max_length=64)]
"""Of layers, one behind the other."""


class Settings(BaseModel):
    """Base of every configuration object: immutable, no unknown keys, and numbers that can be counted with.

    A number is neither infinite nor without a value, and ``true`` is no 1: YAML reads ``on`` and ``yes`` as ``true``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers(cls, value: Any, info: ValidationInfo) -> Any:
        kinds = _numbers_of(cls, str(info.field_name))
        for one in (value if isinstance(value, list | tuple) else (value,)) if kinds else ():
            if isinstance(one, bool):
                raise ValueError("Input should be a number, not true or false")
            if float not in kinds and isinstance(one, int | float) and abs(one) > _LARGEST_INTEGER:
                raise ValueError(f"Input should be at most {_LARGEST_INTEGER} and at least -{_LARGEST_INTEGER}")
        return value


@cache
def _numbers_of(cls: type[Settings], name: str) -> frozenset[type]:
    """Kinds of numbers that a field takes, alone or in a list; none where it also takes truth values or anything."""
    types = set(_types(cls.model_fields[name].annotation))
    return frozenset() if types & {bool, dict, Any} else frozenset(types & {int, float})


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)


S = TypeVar("S", bound=Settings)


_DEEPEST = 50
_LARGEST = 1_000_000
"""Most characters and values, aliases counted as what they stand for."""
_LONGEST_NUMBER = 100


class _Loader(yaml.SafeLoader):
    """Reads ``2e-3`` as a number, which PyYAML's YAML 1.1 takes for a string, and nothing that grows while it is read.

    Aliases of aliases and merged mappings would be far larger than their text; so would lists that hold themselves.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = self._size = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node; of an alias, the one that it stands for."""
        is_alias, before = self.check_event(yaml.AliasEvent), self._size
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.YAMLError(f"it is more than {_DEEPEST} levels deep")
        node: Any = super().compose_node(parent, index)
        self._depth -= 1
        if is_alias and node not in self._sizes:
            raise yaml.YAMLError("it holds itself")
        self._size += self._sizes[node] if is_alias else 1
        if isinstance(node, yaml.ScalarNode) and not is_alias:
            self._size += len(node.value)
            if len(node.value) > _LONGEST_NUMBER and node.tag in _NUMBERS:
                raise yaml.YAMLError(f"it holds a number of more than {_LONGEST_NUMBER} digits")
        if self._size > _LARGEST:
            raise yaml.YAMLError(f"it is larger than {_LARGEST:,} characters, with what its aliases stand for")
        if not is_alias:
            self._sizes[node] = self._size - before
        return node

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """The tag of a node; a plain word is looked at for numbers and dates only where it is short."""
        if kind is yaml.ScalarNode and implicit[0] and len(value) > _LONGEST_NUMBER:
            return self.DEFAULT_SCALAR_TAG
        return super().resolve(kind, value, implicit)


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class _Dumper(yaml.SafeDumper):
    """Quotes the strings that :class:`_Loader` would read as numbers."""


for _cls in (_Loader, _Dumper):
    _cls.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$"),
        list("-+.0123456789"),
    )


def parse_yaml(text: str) -> Any:
    """Plain values from YAML; a float may have an exponent without a point, as in YAML 1.2.

    Raises:
        yaml.YAMLError: It is no YAML.

    >>> parse_yaml("2e-3"), parse_yaml("'2e-3'"), parse_yaml("e3")
    (0.002, '2e-3', 'e3')
    """
    if len(text) > _LARGEST:
        raise yaml.YAMLError(f"it is larger than {_LARGEST:,} characters")
    return deepcopy(_remembered(text)) if len(text) <= _USUAL else _read(text)


_USUAL = 20_000
"""Most characters of a text that is remembered; presets, recipes and templates are shorter."""


@lru_cache(maxsize=256)
def _remembered(text: str) -> Any:
    """Templates, recipes and presets are read many times in one training; PyYAML takes milliseconds for each."""
    return _read(text)


def _read(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with one more rule
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise yaml.YAMLError(str(error) or type(error).__name__) from None  # such as !!int of a word


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        ConfigError: The file is missing, is not YAML, or is not a mapping.
    """
    path = Path(path)
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("The settings file does not exist.", where=path, hint="Check the path.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The settings file is not valid YAML: {error}", where=path) from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise ConfigError("The settings file must hold key: value pairs.", where=path, expected="a YAML mapping")
    return content


def write_yaml(path: Path | str, settings: Settings | Mapping[str, Any]) -> None:
    """Write settings as YAML, keys in the order of their definition."""
    content = settings.model_dump(mode="json") if isinstance(settings, Settings) else dict(settings)
    Path(path).write_text(yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True), encoding="utf-8")


def apply_overrides(content: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Apply ``key.sub=value`` strings (values are YAML) to nested settings; the input is not changed.

    >>> apply_overrides({"quantizer": {"levels": 3}}, ["quantizer.levels=4"])
    {'quantizer': {'levels': 4}}
    >>> apply_overrides({}, ["trainer.learning_rate=2e-3"])
    {'trainer': {'learning_rate': 0.002}}

    Raises:
        ConfigError: An override is not ``key=value``, its value is not YAML, or its key does not fit the settings.
    """
    result: dict[str, Any] = {k: _copy(v) for k, v in content.items()}
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"Cannot read the setting '{override}'.", expected="key.sub=value")
        node: Any = result
        *parents, last = key.split(".")
        for depth, part in enumerate(parents):
            if isinstance(node, list):
                node = _list_item(node, part, override)
                continue
            if node.get(part) is None:  # a null is a group that nothing is said of yet
                node[part] = {}
            node = node[part]
            if not isinstance(node, dict | list):
                raise ConfigError(
                    f"Cannot set '{key}': '{'.'.join(parents[: depth + 1])}' is a value, not a group.", where=override
                )
        if isinstance(node, list):
            _list_item(node, last, override)
        node[int(last) if isinstance(node, list) else last] = override_value(text, override)
    return result


def override_value(text: str, override: str) -> Any:
    """The value of an override.

    Raises:
        ConfigError: It is no YAML.
    """
    try:
        return parse_yaml(text)
    except yaml.YAMLError:
        raise ConfigError(
            f"The value '{text}' is not YAML.",
            where=override,
            expected="a number, a word, a quoted text, [a, list] or {a: mapping}",
        ) from None


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _copy(v) for k, v in value.items()}
    return [_copy(v) for v in value] if isinstance(value, list) else value


def _list_item(node: list[Any], part: str, override: str) -> Any:
    if not part.isdigit() or int(part) >= len(node):
        raise ConfigError(f"'{part}' is not a position in a list of {len(node)}.", where=override)
    return node[int(part)]


def parse(cls: type[S], content: Mapping[str, Any], where: object = None) -> S:
    """Validate a mapping into settings.

    Raises:
        ConfigError: One readable line per wrong key, with the nearest known key for unknown ones.
    """
    try:
        return cls.model_validate(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            owner = _owner(cls, first["loc"][:-1])
            raise unknown_name("setting", str(first["loc"][-1]), owner, where=where or key) from None
        others = error.error_count() - 1
        more = f" (and {others} more)" if others else ""
        what = f"The setting '{key}' is wrong" if key else "Settings do not go together"
        raise ConfigError(
            f"{what}: {_message(first)}{more}.",
            where=": ".join(str(part) for part in (where, key) if part) or None,
            expected=_describe(first),
        ) from None


def differences(settings: Settings, others: Settings) -> frozenset[str]:
    """Dotted names of the settings in which one object differs from another of its class.

    >>> class Part(Settings):
    ...     size: int = 1
    >>> class Whole(Settings):
    ...     part: Part = Part()
    ...     name: str = ""
    >>> differences(Whole(part=Part(size=2)), Whole())
    frozenset({'part.size'})
    """
    found: set[str] = set()
    for name in type(settings).model_fields:
        value, other = getattr(settings, name), getattr(others, name)
        if isinstance(value, Settings) and type(value) is type(other):
            found |= {f"{name}.{below}" for below in differences(value, other)}
        elif value != other:
            found.add(name)
    return frozenset(found)


def _owner(cls: type[BaseModel], path: Iterable[Any]) -> list[str]:
    current: Any = cls
    for part in path:
        field = getattr(current, "model_fields", {}).get(part)
        if field is None:
            continue
        current = field.annotation
        for option in getattr(current, "__args__", ()):
            if isinstance(option, type) and issubclass(option, BaseModel):
                current = option
    return list(getattr(current, "model_fields", {})) or list(cls.model_fields)


def _message(error: Any) -> str:
    """What is wrong with a value, without the names of classes."""
    if error["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f"{error['input']!r:.40} is no mapping of settings"
    return str(error["msg"]).removeprefix("Value error, ")


def _describe(error: Any) -> str | None:
    context = error.get("ctx") or {}
    return str(context["expected"]) if "expected" in context else None
