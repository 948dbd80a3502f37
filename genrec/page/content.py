"""What the page shows: recommenders, users with their lists and why, the items, and the trees of codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.decoding.request import Request
from genrec.errors import ConfigError
from genrec.explanation import Explanations
from genrec.page.people import Person
from genrec.recommender import Recommender
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.data.catalog import Catalog
    from genrec.index.semantic_index import SemanticIndex

MOST_ITEMS = 5000
"""Items that a file holds, unless told otherwise."""
_LONGEST_TEXT, _MOST_ENTRIES, _DIGITS = 300, 12, 5
_LONGEST_HISTORY = 50  # newest items that are shown; the recommenders see all


def page_content(
    recommenders: Mapping[str, Recommender],
    people: Sequence[Person],
    *,
    k: int = 10,
    exclude_seen: bool = True,
    most_items: int = MOST_ITEMS,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Everything that a page in one file shows; only plain JSON values.

    Args:
        recommenders: By name, over one catalogue.
        people: Whom to recommend for.
        k: Length of a list.
        exclude_seen: Never recommend an item of the user's own history.
        most_items: Items that the page holds, beside those of histories and lists.
        seed: Of the sample of items, where the catalogue has more.
        progress: Called with what is done, recommenders done and all.

    Raises:
        ConfigError: The recommenders know other items.
    """
    from genrec import __version__

    first = next(iter(recommenders.values()))
    ids = first.item_ids
    for name, one in recommenders.items():
        if not np.array_equal(np.sort(one.item_ids), np.sort(ids)):
            raise ConfigError(
                "Recommenders side by side need the same items.", where=name, expected=count(len(ids), "item")
            )
    histories, request = [person.history for person in people], Request(k, exclude_seen)
    answers = []
    for done, (name, one) in enumerate(recommenders.items()):
        if progress is not None:
            progress(f"asking {name}", done, len(recommenders))
        answers.append(_answers(one.explain_answer(histories, request)))
    shown = {item for person in people for item in [*person.history[-_LONGEST_HISTORY:], *person.next]}
    shown |= {item["item_id"] for lists in answers for one in lists for item in one["items"]}
    positions = {item: number for number, item in enumerate(ids.tolist())}
    chosen = _with_others(
        np.array(sorted(positions[item] for item in shown), dtype=np.int64), len(ids), most_items, seed
    )
    catalogues = Catalogues(recommenders)
    return {
        "version": __version__,
        "about": f"{count(len(ids), 'item')}, {count(len(people), 'user')}",
        "models": catalogues.models,
        "catalogues": [_tree(name, index, ids[chosen]) for name, index in catalogues.indexes],
        "items": item_cards(catalogues.catalog, ids, chosen),
        "users": [_user(one, number, answers) for number, one in enumerate(people)],
    }


def _user(person: Person, number: int, answers: Sequence[list[dict[str, Any]]]) -> dict[str, Any]:
    return {
        "user": person.user,
        "history": person.history[-_LONGEST_HISTORY:],
        "items": len(person.history),
        "next": person.next,
        "answers": [lists[number] for lists in answers],
    }


class Catalogues:
    """Recommenders as a page names them, and the different indexes among them.

    Attributes:
        models: One description a recommender.
        indexes: Name and index of every tree of codes.
        catalog: Titles and fields of the items; None where no recommender has them.
    """

    def __init__(self, recommenders: Mapping[str, Recommender]) -> None:
        self.indexes: list[tuple[str, SemanticIndex]] = []
        self.models = []
        for name, one in recommenders.items():
            index = getattr(one, "index", None)
            self.models.append(
                {
                    "name": name,
                    "description": _described(one),
                    "baseline": one.kind == "baseline",
                    "catalogue": None if index is None else self._number(name, index),
                }
            )
        self.catalog: Catalog | None = self.indexes[0][1].catalog if self.indexes else None

    def _number(self, name: str, index: SemanticIndex) -> int:
        for number, (_, known) in enumerate(self.indexes):
            if known.fingerprint == index.fingerprint:
                return number
        self.indexes.append((name, index))
        return len(self.indexes) - 1


def item_cards(catalog: Catalog | None, ids: np.ndarray, chosen: np.ndarray) -> dict[str, dict[str, Any]]:
    """Title and fields of some items, by id.

    Args:
        catalog: Knows them; None: an item is called by its id.
        ids: ``(n_items,)`` all ids.
        chosen: ``(n,)`` positions in ``ids``.
    """
    if catalog is None:
        return {str(ids[one]): {"title": str(ids[one]), "fields": {}} for one in chosen}
    rows = catalog.positions(ids[chosen])
    some = catalog.select(rows)
    titles, fields = catalog.titles(), [name for name in some.fields if name != catalog.title_field]
    columns = {name: [plain(value) for value in some.frame[name].to_list()] for name in fields}
    return {
        str(ids[position]): {
            "title": titles[row],
            "fields": {name: columns[name][number] for name in fields if columns[name][number] is not None},
        }
        for number, (position, row) in enumerate(zip(chosen, rows, strict=True))
    }


def plain(value: Any) -> Any:
    """The value of a field as a page holds it: short, None where it is empty or no number.

    >>> plain(["a", "b"]), plain(float("nan")), plain("x" * 400)[-3:]
    (['a', 'b'], None, 'xx…')
    """
    if isinstance(value, list):
        return [plain(one) for one in value[:_MOST_ENTRIES] if one is not None] or None
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    text = str(value).strip()
    return (text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…") or None


def _answers(why: Explanations) -> list[dict[str, Any]]:
    """The list of every user."""
    return [{"items": explained_items(why, user)} for user in range(len(why))]


def explained_items(why: Explanations, user: int) -> list[dict[str, Any]]:
    """The list of one user with the parts of every score, as plain values."""
    return [
        {
            "item_id": one.item_id,
            "rank": rank,
            "score": _rounded(one.score),
            "semantic_id": list(one.codes),
            "parts": {name: _rounded(value) for name, value in one.parts.items()},
            "levels": [_rounded(value) for value in one.levels],
        }
        for rank, one in enumerate(why[user], start=1)
    ]


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS)


def _with_others(shown: np.ndarray, n_items: int, most: int, seed: int) -> np.ndarray:
    """Positions of items that a page holds: those it shows, and others of the catalogue up to a number."""
    if n_items <= most:
        return np.arange(n_items)
    others = np.setdiff1d(np.arange(n_items), shown)
    more = np.random.default_rng(seed).choice(others, size=max(0, min(most - len(shown), len(others))), replace=False)
    return np.sort(np.concatenate([shown, more]))


def _tree(name: str, index: SemanticIndex, ids: np.ndarray) -> dict[str, Any]:
    """Codes of some items, and how many items of the whole catalogue are below their prefixes."""
    rows = index.codes[index.catalog.positions(ids)]
    tree: dict[str, Any] = {
        "name": name,
        "sizes": list(index.codebook_sizes),
        "n_items": len(index),
        "codes": {str(item): row.tolist() for item, row in zip(ids, rows, strict=True)},
    }
    if len(ids) < len(index):
        prefixes = {tuple(row[:length]) for row in rows.tolist() for length in range(1, index.n_levels)}
        tree["totals"] = {"/".join(map(str, one)): len(index.trie.items_under(one)) for one in sorted(prefixes)}
    return tree


def _described(recommender: Recommender) -> str:
    """A recommender in a line."""
    from genrec.generative.recommender import GenerativeRecommender

    if not isinstance(recommender, GenerativeRecommender):
        return f"baseline {recommender.name}"
    options = recommender.options
    words = [recommender.config.model.architecture, count(recommender.model.num_parameters(), "parameter")]
    words.append("every item scored" if options.exact else count(options.beams, "beam"))
    if options.words:
        words.append(f"words × {options.words:g}")
    if options.prior is not None and options.prior.weight != 0:
        words.append(f"counts × {options.prior.weight if options.prior.weight is not None else 1:g}")
    return ", ".join(words)
