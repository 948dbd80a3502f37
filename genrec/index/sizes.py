"""How many codes a catalogue needs: sizes that fit it, and sizes that cannot or need not be built."""

from __future__ import annotations

import math

from genrec.disambiguation import Disambiguation
from genrec.errors import ConfigError
from genrec.index.recipe import TokenizerRecipe
from genrec.quantizers import QUANTIZERS, Quantizer
from genrec.wording import count

MOST_CODES = 65_536
"""Codes of all levels together that every catalogue may have."""

CODES_AN_ITEM = 16
"""Codes of all levels for every item, from where on nearly all of them would stay unused for ever."""

_SMALLEST, _LARGEST = 4, 256


def fitting_sizes(n_items: int) -> tuple[int, int]:
    """Levels, and codes of every level, for residual k-means over a catalogue of so many items.

    A level has the power of two from twice the root of the items on: then an item shares its first code with a few
    others, and two codes nearly tell it apart. Where there are more items than pairs of codes, there is a fourth level.

    >>> fitting_sizes(60), fitting_sizes(2000), fitting_sizes(12101), fitting_sizes(1_000_000)
    ((3, 16), (3, 128), (3, 256), (4, 256))
    """
    wanted = max(1.0, 2 * math.sqrt(n_items))
    size = min(_LARGEST, max(_SMALLEST, 1 << math.ceil(math.log2(wanted))))
    return 3 if n_items <= _LARGEST**2 else 4, size


def sized(recipe: TokenizerRecipe, n_items: int) -> TokenizerRecipe:
    """The recipe with the sizes that its quantizer leaves open, where it asks for those that fit the catalogue.

    Args:
        recipe: With ``sizes: catalogue``, or any other, which is given back as it is.
        n_items: Items of the catalogue.

    Raises:
        ConfigError: The quantizer has no number of codes per level.
    """
    if recipe.sizes == "fixed":
        return recipe
    name = str(recipe.quantizer.get("name"))
    fields = QUANTIZERS[name].Config.model_fields if name in QUANTIZERS else {}
    if fields and "codebook_size" not in fields:
        raise ConfigError(
            f"The quantizer '{name}' has no codebook_size that could follow the catalogue.",
            where="sizes",
            expected="fixed, or a quantizer with codebook_size, such as rq-kmeans",
        )
    levels, size = fitting_sizes(n_items)
    chosen = {"slots" if "slots" in fields else "levels": levels, "codebook_size": size}
    return recipe.model_copy(update={"quantizer": {**chosen, **recipe.quantizer}, "sizes": "fixed"})


def check_sizes(quantizer: Quantizer, rule: Disambiguation, n_items: int) -> None:
    """Refuse, before any work, code spaces that cannot hold a catalogue or that it could never use.

    Args:
        quantizer: Not fitted yet.
        rule: That makes paths unique.
        n_items: Items of the catalogue.

    Raises:
        ConfigError: With sizes that fit.
    """
    own = quantizer.codebook_sizes
    sizes = rule.codebook_sizes(own)
    codes, shown = sum(sizes), " × ".join(f"{size:,}" for size in sizes)
    rooms = [quantizer.room(), rule.room(math.prod(own)) if 0 not in own else None]  # 0: known after fitting
    room = min((one for one in rooms if one is not None), default=n_items)
    if room < n_items:
        raise ConfigError(
            f"{shown} codes have room for {count(room, 'item')}, and the catalogue has {n_items:,}.",
            where="quantizer",
            expected=f"at least {count(n_items, 'path')}",
            hint=_advice(n_items),
        )
    most = max(MOST_CODES, CODES_AN_ITEM * n_items)
    if codes > most:
        raise ConfigError(
            f"{shown} are {count(codes, 'code')}, and the catalogue has {count(n_items, 'item')}: nearly "
            "all would stay "
            "unused, and a model would hold a row for each.",
            where="quantizer",
            expected=f"at most {count(most, 'code')} in all",
            hint=_advice(n_items),
        )


def _advice(n_items: int) -> str:
    levels, size = fitting_sizes(n_items)
    return f"{levels} × {size} codes fit {count(n_items, 'item')}: the recipe 'auto' chooses them by the catalogue."
