"""The words of the demo shop, read from ``words.yaml``: departments, brands, product types, colours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

try:  # ten times faster where libyaml is there, the same result where it is not
    from yaml import CSafeLoader as Loader
except ImportError:
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

TIERS = ("value", "mid", "premium")
ITEMS_PER_DEPARTMENT = 40  # a shop smaller than ten times this opens fewer departments


@dataclass(frozen=True)
class ProductType:
    """One kind of product, such as *Two-Person Tent*.

    Attributes:
        name: Unique in the shop.
        path: Department, sub-category, and the type's own name.
        department: Position of the department.
        leads: Whether it is the first of its sub-category, where a new project usually begins.
        price: Price of a mid-tier brand.
        options: Variants of which one stands in each title.
        use: What it does, the beginning of a description.
        then: Names of the types bought after it, most usual first.
        months: Months (1-12) in which it sells best; empty for all-year types.
        coloured: Whether it comes in colours (otherwise in packs).
        consumable: Whether it is bought again and again.
    """

    name: str
    path: tuple[str, str, str]
    department: int
    leads: bool
    price: float
    options: tuple[str, ...]
    use: str
    then: tuple[str, ...]
    months: tuple[int, ...]
    coloured: bool
    consumable: bool


@dataclass(frozen=True)
class Line:
    """One series of one brand: what shoppers are loyal to.

    Attributes:
        brand: Name of the brand.
        series: Name of the series.
        voice: What the brand does, to follow its name.
        trait: What the series is like.
        tier: Position in ``TIERS``.
        department: Position of the department that the brand sells in.
        brand_number: Position of the brand among all brands.
    """

    brand: str
    series: str
    voice: str
    trait: str
    tier: int
    department: int
    brand_number: int


@dataclass(frozen=True)
class Words:
    """All words of a shop.

    Attributes:
        departments: Names of the departments.
        types: Product types, department by department.
        lines: Brand series, department by department.
        colours: ``(name, palette)`` pairs; a palette is a position in ``palettes``.
        palettes: Names of the families of colours.
        packs: Pack sizes of the types without colour; the empty one is a single piece.
    """

    departments: tuple[str, ...]
    types: tuple[ProductType, ...]
    lines: tuple[Line, ...]
    colours: tuple[tuple[str, int], ...]
    palettes: tuple[str, ...]
    packs: tuple[str, ...]


@cache
def load_words(n_departments: int | None = None) -> Words:
    """Read the words of the first departments (default: all of them).

    >>> load_words(2).departments
    ('Camping & Hiking', 'Kitchen')
    """
    text = Path(__file__).with_name("words.yaml").read_text(encoding="utf-8")
    content = yaml.load(text, Loader=Loader)
    departments = content["departments"][:n_departments]
    palettes = content["palettes"]
    return Words(
        departments=tuple(department["name"] for department in departments),
        types=_types(departments),
        lines=_lines(departments),
        colours=tuple((name, number) for number, names in enumerate(palettes.values()) for name in names),
        palettes=tuple(palettes),
        packs=tuple(content["packs"]),
    )


def _types(departments: list[dict[str, Any]]) -> tuple[ProductType, ...]:
    return tuple(
        ProductType(
            name=entry["name"],
            path=(department["name"], sub_category["name"], entry["name"]),
            department=number,
            leads=place == 0,
            price=float(entry["price"]),
            options=tuple(entry["options"]),
            use=entry["use"],
            then=tuple(entry["then"]),
            months=tuple(entry.get("months", ())),
            coloured=entry.get("colour", True),
            consumable=entry.get("consumable", False),
        )
        for number, department in enumerate(departments)
        for sub_category in department["sub_categories"]
        for place, entry in enumerate(sub_category["types"])
    )


def _lines(departments: list[dict[str, Any]]) -> tuple[Line, ...]:
    brands = [(number, brand) for number, department in enumerate(departments) for brand in department["brands"]]
    return tuple(
        Line(brand["name"], series, brand["voice"], trait, TIERS.index(brand["tier"]), department, number)
        for number, (department, brand) in enumerate(brands)
        for series, trait in brand["series"].items()
    )
