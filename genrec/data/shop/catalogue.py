"""The items of the demo shop: product types crossed with brand series, options and colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from genrec.data.shop.words import ITEMS_PER_DEPARTMENT, Line, ProductType, Words, load_words
from genrec.errors import ConfigError
from genrec.schema import Columns
from genrec.wording import count

MIN_ITEMS, MAX_ITEMS = 2 * ITEMS_PER_DEPARTMENT, 10_000
_TIER_PRICE = (0.68, 1.0, 1.55)
_PACK_PRICE = (1.0, 1.9, 2.7, 5.0)
_FRAMES = (
    "{use}, {trait}. {brand} {voice}.",
    "{use}. {brand} {voice}; the {series} series is {trait}.",
    "{brand} {voice}. This one {use_small}, and like all of {series} it is {trait}.",
)


@dataclass(frozen=True)
class Shelf:
    """The items with what the generator knows of them.

    Items of one product type stand together, in the order of the types; ids are dealt at random and tell nothing.

    Attributes:
        words: Words that the shop was made of.
        frame: ``item_id``, ``title``, ``brand``, ``categories``, ``price``, ``description``.
        type_of: ``(n_items,)`` position in ``words.types``, not decreasing.
        line_of: ``(n_items,)`` position in ``words.lines``.
        palette_of: ``(n_items,)`` palette of the colour, -1 for types without colour.
        popularity: ``(n_items,)`` relative popularity inside the product type, mean about 1.
    """

    words: Words
    frame: pl.DataFrame
    type_of: np.ndarray
    line_of: np.ndarray
    palette_of: np.ndarray
    popularity: np.ndarray

    def __len__(self) -> int:
        return len(self.type_of)


def stock_shelf(n_items: int, rng: np.random.Generator) -> Shelf:
    """Make the items of a shop.

    Args:
        n_items: Number of items, 80 to 10,000. A shop of fewer than 400 opens fewer departments.
        rng: Source of all choices.

    Raises:
        ConfigError: ``n_items`` is out of range.
    """
    if not MIN_ITEMS <= n_items <= MAX_ITEMS:
        raise ConfigError(
            f"A demo shop cannot have {count(n_items, 'item')}.",
            where="n_items",
            expected=f"{MIN_ITEMS} to {MAX_ITEMS:,}",
        )
    words = load_words(min(len(load_words().departments), n_items // ITEMS_PER_DEPARTMENT))
    n_types = len(words.types)
    sizes = 1 + rng.multinomial(n_items - n_types, np.full(n_types, 1 / n_types))
    type_of = np.repeat(np.arange(n_types), sizes)
    line_of, option_of, finish_of = _variants(words, sizes, rng)
    coloured = np.array([kind.coloured for kind in words.types])[type_of]
    palettes = np.array([palette for _, palette in words.colours])
    palette_of = np.where(coloured, palettes[np.where(coloured, finish_of, 0)], -1)
    frame = _frame(words, np.c_[type_of, line_of, option_of, finish_of], rng)
    popularity = np.exp(rng.normal(0, 0.35, n_items))
    return Shelf(words, frame, type_of, line_of, palette_of, popularity)


def _variants(words: Words, sizes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Line, option and finish of every item, each ``(n_items,)``; no two items of a type share all three."""
    lines = np.array([line.department for line in words.lines])
    appeal = rng.exponential(1.0, len(lines)) + 0.3
    chosen = []
    for kind, size in zip(words.types, sizes, strict=True):
        own = np.flatnonzero(lines == kind.department)
        order = own[np.argsort(-appeal[own] * rng.exponential(1.0, len(own)))]
        n_finishes = len(words.colours) if kind.coloured else len(words.packs)
        mixes = np.array([rng.permutation(len(kind.options) * n_finishes) for _ in order])
        place = np.arange(size)
        mix = mixes[place % len(order), place // len(order)]
        chosen.append(np.c_[order[place % len(order)], mix // n_finishes, mix % n_finishes])
    line_of, option_of, finish_of = np.concatenate(chosen).T
    return line_of, option_of, finish_of


def _frame(words: Words, parts: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """The table of the items; ``parts``: ``(n_items, 4)`` type, line, option and finish."""
    n_items = len(parts)
    width = max(4, len(str(n_items)))
    numbers = rng.permutation(n_items) + 1
    frames, wobble = rng.integers(len(_FRAMES), size=n_items), np.exp(rng.normal(0, 0.06, n_items))
    kinds, lines = [words.types[t] for t in parts[:, 0]], [words.lines[s] for s in parts[:, 1]]
    options, finishes = parts[:, 2].tolist(), parts[:, 3].tolist()
    return pl.DataFrame(
        {
            Columns.Item: [f"i{number:0{width}d}" for number in numbers],
            Columns.Title: [_title(words, *row) for row in zip(kinds, lines, options, finishes, strict=True)],
            "brand": [line.brand for line in lines],
            "categories": [list(kind.path) for kind in kinds],
            "price": [_price(*row) for row in zip(kinds, lines, options, finishes, wobble.tolist(), strict=True)],
            "description": [_description(*row) for row in zip(kinds, lines, frames, strict=True)],
        }
    )


def _title(words: Words, kind: ProductType, line: Line, option: int, finish: int) -> str:
    ending = words.colours[finish][0] if kind.coloured else words.packs[finish]
    return ", ".join(part for part in (f"{line.brand} {line.series} {kind.name}", kind.options[option], ending) if part)


def _price(kind: ProductType, line: Line, option: int, finish: int, wobble: float) -> float:
    pack = 1.0 if kind.coloured else _PACK_PRICE[finish]
    price = kind.price * _TIER_PRICE[line.tier] * (1 + 0.12 * option) * pack * wobble
    return round(max(1, round(price)) - (0.05 if line.tier == 2 else 0.01), 2)


def _description(kind: ProductType, line: Line, frame: int) -> str:
    use = kind.use[0].upper() + kind.use[1:]
    return _FRAMES[frame].format(
        use=use, use_small=kind.use, trait=line.trait, brand=line.brand, voice=line.voice, series=line.series
    )
