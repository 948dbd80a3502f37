"""Several recipes on one catalogue: what each costs and how good its codes are."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.artifacts import require_free, write_atomic
from genrec.errors import ConfigError, GenRecError
from genrec.index.item_tokenizer import EncodedItems, encode_items
from genrec.index.report.verdicts import checks
from genrec.index.semantic_index import SemanticIndex
from genrec.index.stats import IndexStats, compute_stats
from genrec.progress import Progress

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.data.split import Split
    from genrec.index.recipe import TokenizerRecipe

logger = logging.getLogger(__name__)

Row = dict[str, Any]

_COLUMNS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("tokenizer", "tokenizer", str),
    ("quantizer", "quantizer", str),
    ("codes", "codes", str),
    ("collisions", "collision_rate", lambda v: f"{v:.2%}"),
    ("largest group", "largest_bucket", lambda v: f"{v:,}"),
    ("in use", "min_utilisation", lambda v: f"{v:.1%}"),
    ("Gini", "max_gini", lambda v: f"{v:.2f}"),
    ("lost", "reconstruction_error", lambda v: f"{v:.1%}"),
    ("likeness", "likeness", lambda v: f"{v:+.2f}"),
    ("bought together", "copurchase_lift", lambda v: f"{v:.1f} ×"),
    ("encode s", "encode_seconds", lambda v: f"{v:.1f}"),
    ("codes s", "quantize_seconds", lambda v: f"{v:.1f}"),
    ("MB", "megabytes", lambda v: f"{v:.1f}"),
    ("code tokens", "code_tokens", lambda v: f"{v:,}"),
    ("not good", "weak", str),
)

_DECISIVE = {"tokenizer", "collision_rate", "min_utilisation", "likeness", "copurchase_lift"}
_DECISIVE |= {"quantize_seconds", "code_tokens"}

LEGEND = """\
collisions: share of the items too many for the distinct codes, before disambiguation · largest group: most
items on the same codes before disambiguation · in use: share of the codes in use at the worst level · Gini:
unevenness of the worst level · lost: variance of the vectors that the codes lose · likeness: mean cosine of
items with the same first code (or slot) above random pairs, in the recipe's own vectors · bought together:
common codes of items that one person bought one after the other, as a multiple of chance (validation part,
which no recipe has seen) · encode s: items to vectors, shared by recipes with the same encoder · codes s:
vectors to unique codes · MB: what the quantizer and the codes take · not good: checks of `genrec index show`
that are not good"""


class SharedEncoders:
    """Vectors of one catalogue, made once for every distinct encoder.

    Args:
        catalog: The items.
        train: Training part of the interactions, or None.
    """

    def __init__(self, catalog: Catalog, train: Any = None) -> None:
        self.catalog, self.train = catalog, train
        self._made: dict[str, tuple[EncodedItems, float]] = {}

    def of(self, recipe: TokenizerRecipe, progress: Progress | None = None) -> tuple[EncodedItems, float]:
        """Encoded items of a recipe and the seconds that encoding took (once).

        Raises:
            GenRecError: The items cannot be encoded.
        """
        key = json.dumps(recipe.encoder_settings(), sort_keys=True, default=str)
        if key not in self._made:
            began = time.perf_counter()
            encoded = encode_items(recipe, self.catalog, self.train, progress=progress)
            self._made[key] = (encoded, time.perf_counter() - began)
        return self._made[key]


def compare_recipes(
    catalog: Catalog,
    recipes: Sequence[TokenizerRecipe],
    *,
    split: Split | None = None,
    keep: Path | None = None,
    on_index: Callable[[SemanticIndex], None] | None = None,
    progress: Progress | None = None,
) -> Iterator[Row]:
    """Build recipes on a catalogue and measure them, one row a recipe, as soon as it is there.

    A recipe that fails gives a row with ``error`` instead of figures; the others go on. Recipes with the same encoder
    share its vectors.

    Args:
        catalog: The items.
        recipes: What to build; their names must differ.
        split: Interactions over the catalogue, for collaborative recipes (training part) and the agreement with what
            people buy.
        keep: Folder in which every index is saved under its recipe's name; None: they are not kept.
        on_index: Called with every index that is kept, before it is saved.
        progress: Called by slow encoders with (what, items done, items in all).

    Yields:
        JSON-able rows; see :data:`LEGEND`.

    Raises:
        ConfigError: Two recipes have the same name, or one cannot be that of a folder.
        ArtifactError: A folder in ``keep`` holds what genrec did not make.
    """
    names = [recipe.name for recipe in recipes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"Two recipes are called '{twice}'.", where="tokenizer", hint="Change the 'name' inside one of the files."
        )
    if keep is not None:
        for name in names:
            require_free(keep / _folder_name(name), overwrite=True, makes="index")
    encoders = SharedEncoders(catalog, None if split is None else split.train)
    for recipe in recipes:
        try:
            yield _measure(catalog, recipe, encoders, split, keep, on_index, progress)
        except GenRecError as error:
            yield {"tokenizer": recipe.name, "error": error.what, "detail": str(error)}
        except Exception as error:  # whatever breaks one recipe, the hours spent on the others must not be lost
            logger.exception("The recipe '%s' failed.", recipe.name)
            yield {"tokenizer": recipe.name, "error": f"{type(error).__name__}: {error}", "detail": str(error)}


def _folder_name(name: str) -> str:
    """A recipe's name as that of a folder, which it must not leave."""
    if not re.fullmatch(r"[\w+=@][\w .+=@-]{0,99}", name) or name.endswith((" ", ".")):
        raise ConfigError(
            f"The recipe's name {name!r} cannot be that of a folder.",
            where="name",
            expected="letters, digits, spaces and . _ + = @ -",
            hint="Change the 'name' inside the recipe, or leave --keep out.",
        )
    return name


def _measure(
    catalog: Catalog,
    recipe: TokenizerRecipe,
    encoders: SharedEncoders,
    split: Split | None,
    keep: Path | None,
    on_index: Callable[[SemanticIndex], None] | None,
    progress: Progress | None,
) -> Row:
    encoded, encode_seconds = encoders.of(recipe, progress)
    began, busy = time.perf_counter(), time.process_time()
    index = SemanticIndex.build(catalog, recipe, train=encoders.train, encoded=encoded)
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    if keep is not None:
        if on_index is not None:
            on_index(index)
        index.save(keep / _folder_name(recipe.name), overwrite=True)
    costs = {"encode_seconds": round(encode_seconds, 2), "quantize_seconds": round(seconds, 2)}
    costs["quantize_cpu_seconds"] = round(cpu, 2)
    quantizer = [array.nbytes for name, array in index.tokenizer.tensors.items() if name.startswith("quantizer.")]
    costs["megabytes"] = round((sum(quantizer) + index.codes.nbytes) / 1e6, 3)
    return index_row(compute_stats(index, split=split)) | costs


def index_row(stats: IndexStats) -> Row:
    """Flat row of the figures that tell indexes apart; levels and agreement are left out.

    Args:
        stats: Numbers of an index.
    """
    levels = stats.describing
    alike = [value for value in stats.similarity_by_level if value is not None]
    near = None if not alike else max(alike) if levels[0].kind == "slot" else alike[0]
    unknown = near is None or stats.similarity_random is None
    lifts = {f"copurchase_lift_{one.part}": one.lift for one in stats.agreement}
    return {
        "tokenizer": stats.tokenizer,
        "quantizer": stats.quantizer,
        "items": stats.n_items,
        "levels": stats.quantizer_levels,
        "codebook_sizes": list(stats.codebook_sizes),
        "codes": " × ".join(f"{size:,}" for size in stats.codebook_sizes),
        "code_tokens": sum(stats.codebook_sizes),
        "collision_rate": stats.collision_rate,
        "colliding_items": stats.colliding_items,
        "largest_bucket": stats.largest_bucket,
        "duplicate_rate": stats.duplicate_rate,
        "nearest_collision_rate": stats.nearest_collision_rate,
        "moved_items": stats.moved_items,
        "nearest_reconstruction_error": stats.nearest_reconstruction_error,
        "min_utilisation": stats.min_utilisation,
        "min_perplexity": min(level.perplexity for level in levels),
        "max_gini": max(level.gini for level in levels),
        "reconstruction_error": stats.reconstruction_error,
        "similarity_random": stats.similarity_random,
        "similarity_by_level": list(stats.similarity_by_level),
        "likeness": None if unknown else near - stats.similarity_random,  # type: ignore[operator]
        "copurchase_lift": stats.agreement[-1].lift if stats.agreement else None,
        **lifts,
        "weak": ", ".join(one.topic for one in checks(stats) if one.grade != "good"),
    }


def comparison_table(rows: Sequence[Mapping[str, Any]], *, brief: bool = False) -> str:
    """Markdown table of rows; what failed stands below it, and columns that no row has are left out.

    Args:
        rows: Of :func:`compare_recipes`.
        brief: Only the columns that decide, for a narrow terminal.
    """
    made = [row for row in rows if "error" not in row]
    columns = [one for one in _COLUMNS if any(row.get(one[1]) not in (None, "") for row in made)]
    if brief:
        columns = [one for one in columns if one[1] in _DECISIVE]
    lines = []
    if made:
        lines += [f"| {' | '.join(name for name, _, _ in columns)} |"]
        lines += ["|" + "|".join("---" if show is str else "--:" for _, _, show in columns) + "|"]
        lines += [f"| {' | '.join(_cell(row.get(key), show) for _, key, show in columns)} |" for row in made]
    failed = [row for row in rows if "error" in row]
    if failed:
        lines += ["", "Failed:", "", *(f"- {row['tokenizer']}: {row['error']}" for row in failed)]
    return "\n".join(lines) + "\n"


def write_comparison(folder: Path | str, rows: Sequence[Row], *, title: str, command: str) -> None:
    """Write ``comparison.json`` and ``comparison.md``; readers never see half a file.

    Args:
        folder: Where to.
        rows: Of :func:`compare_recipes`.
        title: Heading of the table.
        command: What repeats it.
    """
    folder = Path(folder)
    write_atomic(folder / "comparison.json", json.dumps(list(rows), indent=1, ensure_ascii=False) + "\n")
    page = f"# {title}\n\n`{command}`\n\n{comparison_table(rows)}\n{LEGEND}\n"
    write_atomic(folder / "comparison.md", page)


def _cell(value: Any, show: Callable[[Any], str]) -> str:
    return "–" if value is None else show(value)
