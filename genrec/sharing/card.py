"""The card of a repository: what is in it, what it was trained on, how it was measured, its limits and its licence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec import pages
from genrec.artifacts import read_json
from genrec.errors import ConfigError, DataError
from genrec.wording import count

if TYPE_CHECKING:
    from genrec.index.semantic_index import SemanticIndex
    from genrec.recommender import Recommender

TEMPLATE = "card.md.jinja"
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_SHOWN = ("recall@10", "ndcg@10")


@dataclass(frozen=True)
class CardWords:
    """What only people know about a repository.

    Attributes:
        license: Identifier of a licence as the hub writes it, such as ``apache-2.0``; None: none is given.
        trained_on: Which data, in a sentence or two.
        evaluation: Folder of ``genrec evaluate``, for the table beside the floors.
        limits: Further limits, a sentence each.

    Raises:
        ConfigError: The licence is no identifier.
    """

    license: str | None = None
    trained_on: str | None = None
    evaluation: Path | str | None = None
    limits: Sequence[str] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if self.license is not None and not _LICENCE.fullmatch(self.license):
            raise ConfigError(
                f"'{self.license}' is no identifier of a licence.",
                where="license",
                expected="such as apache-2.0, mit, cc-by-4.0 or other",
            )


def card(made: Recommender | SemanticIndex, repo_id: str, words: CardWords) -> str:
    """The card as Markdown with the fields that the hub reads.

    Args:
        made: What is shared.
        repo_id: Where.
        words: What only people know.

    Raises:
        DataError: The evaluation has no figures.
    """
    rows = [] if words.evaluation is None else _rows(Path(words.evaluation))
    context = _of(made, repo_id) | {
        "license": words.license,
        "rows": rows,
        "measured": _measured(rows, made),
        "trained_on": words.trained_on or "Nobody has said which data.",
    }
    context["limits"] = [*context["limits"], *words.limits]
    return pages.card(Path(__file__).parent / TEMPLATE, context)


def _of(made: Recommender | SemanticIndex, repo_id: str) -> dict[str, Any]:
    """What the shared thing says of itself."""
    from genrec.index.semantic_index import SemanticIndex

    if isinstance(made, SemanticIndex):
        return _index(made, repo_id)
    load = f'import genrec\n\nrecommender = genrec.load("{repo_id}")\n'
    code = f'{load}recommender.recommend([["{made.item_ids[0]}"]], k=10).item_ids'
    index, config = getattr(made, "index", None), getattr(made, "config", None)
    facts = [("recommender", made.name), ("items", f"{len(made.item_ids):,}")]
    if index is not None and config is not None:
        model: Any = getattr(made, "model", None)
        facts = [("network", f"{config.model.architecture}, {count(model.num_parameters(), 'parameter')}"), *facts[1:]]
        facts.append(("semantic IDs", f"{' × '.join(map(str, index.codebook_sizes))} codes ({index.recipe.name})"))
        users = getattr(made, "metrics", {}).get("train_users")
        facts += [("training histories", f"{users:,}")] if users else []
        facts.append(("index", f"`{index.fingerprint[:12]}`"))
    limits = [
        f"It knows {count(len(made.item_ids), 'item')}, and recommends nothing else"
        + (" until its index has grown." if index is not None else "."),
        "Scores compare items of one list. They are no probabilities of a purchase.",
        "It repeats what is in the data: popular items, and habits of those who were recorded.",
    ]
    return {
        "title": repo_id,
        "lead": "A recommender made with genrec.",
        "tags": ["genrec", "recommender-system", *(["generative-recommendation"] if index is not None else [])],
        "facts": facts,
        "code": code,
        "limits": limits,
    }


def _index(index: SemanticIndex, repo_id: str) -> dict[str, Any]:
    return {
        "title": repo_id,
        "lead": "A semantic index made with genrec: items and their semantic IDs.",
        "tags": ["genrec", "semantic-ids"],
        "facts": [
            ("items", f"{len(index):,}"),
            ("semantic IDs", f"{' × '.join(map(str, index.codebook_sizes))} codes"),
            ("recipe", index.recipe.name),
            ("fingerprint", f"`{index.fingerprint[:12]}`"),
        ],
        "code": f'from genrec import SemanticIndex\n\nindex = SemanticIndex.load("{repo_id}")\nindex.codes[:3]',
        "limits": ["It holds the items' fields: share it only where these may be shared."],
    }


def _measured(rows: Sequence[Any], made: Any) -> str:
    if rows:
        return f"On {count(rows[0]['cases'], 'held-out case')} of {rows[0]['split']}, over the whole catalogue."
    best = getattr(made, "metrics", {}).get("validation", {}).get("ndcg@10")
    told = "" if best is None else f" On validation, which chose it, NDCG@10 was {best:.4f}."
    return f"No evaluation on held-out cases is given with it.{told}"


def _rows(folder: Path) -> list[dict[str, Any]]:
    """Rows of ``metrics.json`` over all cases, with intervals.

    Raises:
        DataError: There is none, or it holds other things.
    """
    path = folder / "metrics.json"
    try:
        rows = [row for row in read_json(path) if row["targets"] == "all"]
        made = [
            {
                "name": str(row["recommender"]).replace("|", "/"),
                "kind": "floor" if row["kind"] == "baseline" else row["kind"],
                "recall": _interval(row, _SHOWN[0]),
                "ndcg": _interval(row, _SHOWN[1]),
                "cases": int(row["cases"]),
                "split": str(row["split"]),
            }
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError):
        made = []
    if not made:
        raise DataError(
            "There are no figures of an evaluation.", where=path, expected="a folder of genrec evaluate with k = 10"
        )
    return made


def _interval(row: dict[str, Any], name: str) -> str:
    return f"{row[name]:.4f} ({row[f'{name}_low']:.4f}–{row[f'{name}_high']:.4f})"
