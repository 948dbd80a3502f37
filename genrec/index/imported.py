"""Semantic IDs as other systems write them, ``{item_id: ["<a_1>", "<b_2>", ...]}``: out of an index and into one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genrec.artifacts import read_json, write_atomic
from genrec.data.catalog import Catalog
from genrec.errors import DataError
from genrec.index.code_names import code_name, parse_code_name
from genrec.index.encoding import encode_items
from genrec.index.item_tokenizer import ItemTokenizer
from genrec.index.recipe import TokenizerRecipe
from genrec.index.semantic_index import SemanticIndex
from genrec.quantizers.base import MOST_LEVELS, MOST_SIZE
from genrec.quantizers.imported import ImportedCodes
from genrec.wording import count

_EXPECTED = 'a JSON object such as {"item-1": ["<a_12>", "<b_7>", "<c_0>"]}'


def codes_of(index: SemanticIndex) -> dict[str, list[str]]:
    """Names of the codes of every item, by id."""
    return {
        str(item): [code_name(level, code) for level, code in enumerate(row)]
        for item, row in zip(index.item_ids, index.codes.tolist(), strict=True)
    }


def write_codes(index: SemanticIndex, path: Path | str) -> None:
    """Write the codes of an index as JSON, atomically."""
    write_atomic(Path(path), json.dumps(codes_of(index), ensure_ascii=False) + "\n")


def read_codes(path: Path | str) -> dict[str, tuple[int, ...]]:
    """Codes by item id.

    Raises:
        DataError: The file cannot be read, or is not of this form: it says which item is wrong.
    """
    path = Path(path)
    try:
        content = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise DataError(f"The codes cannot be read: {reason}.", where=path, expected=_EXPECTED) from None
    if not isinstance(content, dict) or not content:
        raise DataError("The file holds no codes by item id.", where=path, expected=_EXPECTED)
    found = {item: _parsed(item, names, path) for item, names in content.items()}
    lengths = {len(codes) for codes in found.values()}
    if len(lengths) > 1:
        raise DataError(
            f"Items have different numbers of codes: {', '.join(map(str, sorted(lengths)))}.",
            where=path,
            expected="as many codes for every item",
        )
    return found


def _parsed(item: str, names: Any, path: Path) -> tuple[int, ...]:
    """The codes of one item."""
    given = names if isinstance(names, list) else []
    parsed = [parse_code_name(name) if isinstance(name, str) else None for name in given]
    codes = [one[1] for level, one in enumerate(parsed) if one is not None and one[0] == level and one[1] < MOST_SIZE]
    if len(codes) != len(given) or not 1 <= len(codes) <= MOST_LEVELS:
        raise DataError(f"The codes of item {item!r} cannot be read.", where=path, expected=_EXPECTED)
    return tuple(codes)


def index_from_codes(
    catalog: Catalog, codes: Mapping[str, tuple[int, ...]], *, encoder: Mapping[str, Any] | None = None
) -> SemanticIndex:
    """An index whose semantic IDs were made elsewhere.

    Items that share all codes get one more level, which numbers them; else the codes are as they came. Codebooks are as
    large as the largest code says.

    Args:
        catalog: The items, each with codes.
        codes: By item id, see :func:`read_codes`; those of other items are not used.
        encoder: Item encoder for the vectors beside the codes; None: LSA of the texts.

    Raises:
        DataError: An item has no codes.
        ConfigError: A wrong setting of the encoder.
    """
    missing = [item for item in catalog.item_ids.tolist() if item not in codes]
    if missing:
        raise DataError(
            f"{count(len(missing), 'item')} without codes, such as {missing[0]!r}.",
            where="codes",
            expected="codes of every item of the table",
            hint="Leave these items out of the table, or add their codes.",
        )
    table = np.array([codes[item] for item in catalog.item_ids.tolist()], dtype=np.int64)
    sizes = tuple(int(size) for size in table.max(axis=0) + 1)
    recipe = TokenizerRecipe(
        name="imported",
        description="codes that were made elsewhere",
        encoder=dict(encoder or {"name": "lsa"}),
        quantizer={"name": ImportedCodes.name, "codebook_sizes": list(sizes)},
        disambiguation={"name": "suffix", "when": "needed"},
    )
    tensors, rest = ImportedCodes.of(catalog.item_ids, table, sizes).state()
    rests: dict[str, Mapping[str, Any]] = {"encoder": {}, "quantizer": rest, "disambiguation": {}}
    frozen = ItemTokenizer(recipe, {f"quantizer.{name}": array for name, array in tensors.items()}, rests)
    fitted, items = ItemTokenizer.fit(recipe, catalog, encoded=encode_items(recipe, catalog), frozen=frozen)
    return SemanticIndex(catalog, items.codes, fitted, items.vectors)
