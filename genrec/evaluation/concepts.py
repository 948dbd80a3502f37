"""What the states of a network are made of: directions named by items, how sure the names are, what they do.

RecSAE (arXiv 2411.06112) reads the states of a recommender with a sparse autoencoder. Here a latent is named by the
word whose items it answers to; users of one half give the name, those of the other say how sure it is. Taking a
direction out of the states then shows whether lists change as the name says.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from genrec.data.histories import Histories
from genrec.encoders.text import WORD
from genrec.errors import ConfigError, DataError
from genrec.evaluation.sparse_autoencoder import SparseAutoencoder
from genrec.generative.recommender import GenerativeRecommender
from genrec.progress import Progress

MOST_WIDTH = 65_536
"""Directions that may be looked for: more than any network has states for."""


@dataclass(frozen=True)
class Concept:
    """One direction in the states of a network.

    Attributes:
        latent: Its number.
        word: Of the titles that it answers to.
        precision: Of held-out states with the direction, those whose newest item has the word.
        recall: Of held-out states whose newest item has the word, those with the direction.
        share: Of all items with the word, as a base rate of ``precision``.
        states: Held-out states with the direction.
        titles: Of the items after which it is strongest.
        before: Share of recommended items with the word, for users whose state has the direction.
        after: The same when the direction is taken out of the states.
    """

    latent: int
    word: str
    precision: float
    recall: float
    share: float
    states: int
    titles: tuple[str, ...]
    before: float | None = None
    after: float | None = None

    def row(self) -> dict[str, Any]:
        """For a table or JSON."""
        return asdict(self)


@dataclass(frozen=True)
class States:
    """States of a network behind items, of many users.

    Attributes:
        vectors: ``(n, dim)`` float32.
        newest: ``(n,)`` position of the item before.
        users: ``(n,)`` which history.
        places: ``(n,)`` how many items the history has up to there, of those that the network reads.
    """

    vectors: Tensor
    newest: np.ndarray
    users: np.ndarray
    places: np.ndarray


def find_concepts(
    recommender: GenerativeRecommender,
    histories: Histories,
    *,
    width: int = 512,
    k: int = 8,
    steps: int = 1000,
    shown: int = 20,
    lists: int = 100,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[list[Concept], dict[str, float]]:
    """The best named directions of a network's states, and how well all of them rebuild a state.

    Args:
        recommender: Its network gives states before targets and lets them be changed.
        histories: Training part only.
        width: Latents.
        k: How many a state may have.
        steps: Of learning.
        shown: How many concepts are looked at.
        lists: Users a concept whose lists are compared with and without it.
        seed: Of all that is drawn.
        progress: Told what is being done, and how far it is.

    Returns:
        Concepts, the surest first, and figures: ``explained``, ``unused``, ``states``.

    Raises:
        ConfigError: The network does not give states, or they cannot be changed; or a number that makes no sense.
        DataError: Fewer than two users have histories of two items.
    """
    _require_sense(width, k, steps)
    states = read_states(recommender, histories)
    _require_two(states)
    first = np.isin(states.users, _half(np.unique(states.users), seed))
    coder = SparseAutoencoder.fit(
        states.vectors[torch.from_numpy(first)], width=width, k=k, steps=steps, seed=seed, progress=progress
    )
    held_out = ~first
    activations = coder.activations(states.vectors)
    titles = [str(title) for title in recommender.index.catalog.titles()]
    has, words = words_of_titles(titles)
    concepts = named(activations.numpy(), has, words, states, first, titles)[:shown]
    figures = {
        "explained": coder.explained(states.vectors[torch.from_numpy(held_out)]),
        "unused": float((activations == 0).all(0).float().mean()),
        "states": float(len(states.newest)),
    }
    coder = coder.to(recommender.model.device)
    done = []
    for number, one in enumerate(concepts):
        done.append(_ablated(one, recommender, coder, activations, states, histories, has, words, lists))
        if progress is not None:
            progress("lists without a direction", number + 1, len(concepts))
    return done, figures


def _require_sense(width: int, k: int, steps: int) -> None:
    for name, value, least, most in (("width", width, 2, MOST_WIDTH), ("k", k, 1, None), ("steps", steps, 1, None)):
        if value < least or (most is not None and value > most):
            expected = f"at least {least}" if most is None else f"from {least} to {most:,}"
            raise ConfigError(f"{name} is {value:,}.", where=name, expected=expected)


def _require_two(states: States) -> None:
    if len(np.unique(states.users)) < 2:
        raise DataError(
            "Only one user has a history of two items.",
            expected="at least two: one half of the users gives names, the other says how sure they are",
        )


def read_states(recommender: GenerativeRecommender, histories: Histories, *, batch: int = 256) -> States:
    """States of the network behind every item that has a next one.

    Raises:
        ConfigError: The network does not give states, or they cannot be changed.
        DataError: No history has two items.
    """
    model = recommender.model
    if missing := sorted({"states", "changed_states"} - model.answers):
        raise ConfigError(
            f"This network does not give: {', '.join(missing)}.",
            where=recommender.config.model.architecture,
            expected="a network whose states can be looked at and changed, such as vector-decoder or item-decoder",
        )
    recent = histories.last(recommender.config.model.max_items + 1)
    read = model.reader(recommender.index, recommender.config)
    vectors, newest, users, columns = [], [], [], []
    for start in range(0, len(recent), batch):
        some = recent.select(np.arange(start, min(start + batch, len(recent))))
        with torch.no_grad():
            output = model(**{name: value.to(model.device) for name, value in read(some).items()})
        rows, places = output.need("rows").cpu().numpy(), output.need("places").cpu().numpy()
        items, later = some.padded(), places > 0
        vectors.append(output.need("states").cpu()[torch.from_numpy(later)].float())
        newest.append(items[rows[later], places[later] - 1])
        users.append(rows[later] + start)
        columns.append(places[later])
    if not vectors or not sum(map(len, newest)):
        raise DataError("There are no states to look at: no history has two items.")
    return States(torch.cat(vectors), *map(np.concatenate, (newest, users, columns)))


def words_of_titles(titles: list[str], *, least: int = 3, most: float = 0.5) -> tuple[sp.csr_array, list[str]]:
    """Which items have which words in their titles, ``(n_items, n_words)`` of 0 and 1, and the words.

    Args:
        titles: Of all items.
        least: Items that a word must have.
        most: Share of the items above which a word says nothing.
    """
    import polars as pl

    frame = pl.DataFrame({"item": np.arange(len(titles)), "word": titles}, schema={"item": pl.Int64, "word": pl.String})
    split = frame.with_columns(pl.col("word").str.to_lowercase().str.extract_all(WORD)).explode("word").drop_nulls()
    split = split.filter(pl.col("word").str.contains(r"\p{L}")).unique()
    counts = split.group_by("word").len().filter((pl.col("len") >= least) & (pl.col("len") <= most * len(titles)))
    words = sorted(counts["word"].to_list())
    number = {word: place for place, word in enumerate(words)}
    kept = split.filter(pl.col("word").is_in(words))
    columns = np.array([number[word] for word in kept["word"]], dtype=np.int64)
    values = np.ones(len(kept), dtype=np.float32)
    return sp.csr_array((values, (kept["item"].to_numpy(), columns)), shape=(len(titles), len(words))), words


def named(
    activations: np.ndarray, has: sp.csr_array, words: list[str], states: States, first: np.ndarray, titles: list[str]
) -> list[Concept]:
    """Latents with the words that fit them best, by F1 on one half of the states; the surest on the other half first.

    Args:
        activations: ``(n, width)``.
        has: ``(n_items, n_words)`` of 0 and 1.
        words: Of its columns.
        states: Of the rows of ``activations``.
        first: ``(n,)`` bool: the half that gives names.
        titles: Of items.
    """
    on, told = sp.csr_array((activations > 0).astype(np.float32)), has[states.newest]
    if not words:
        return []
    f1 = _agreement(on[first], told[first])[2]
    precision, recall, _ = _agreement(on[~first], told[~first])
    base = np.asarray(told[~first].mean(0)).ravel()
    found = []
    for latent in np.flatnonzero(np.asarray(on[first].sum(0)).ravel() > 0):
        word = int(f1[latent].argmax())
        best = np.unique(states.newest[np.argsort(-activations[:, latent], kind="stable")[:20]], return_index=True)
        order = best[0][np.argsort(best[1])][:5]
        found.append(
            Concept(
                int(latent),
                words[word],
                float(precision[latent, word]),
                float(recall[latent, word]),
                float(base[word]),
                int(on[~first][:, [latent]].sum()),
                tuple(titles[item] for item in order),
            )
        )

    def sureness(one: Concept) -> float:
        return 2 * one.precision * one.recall / max(one.precision + one.recall, 1e-12)

    return sorted(found, key=lambda one: (-sureness(one), one.latent))


def _agreement(on: sp.csr_array, told: sp.csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of every latent as a sign of every word, each ``(width, n_words)``."""
    both = np.asarray((on.T @ told).todense())
    active, present = np.asarray(on.sum(0)).ravel()[:, None], np.asarray(told.sum(0)).ravel()[None]
    precision, recall = both / np.maximum(active, 1), both / np.maximum(present, 1)
    return precision, recall, 2 * both / np.maximum(active + present, 1)


def _half(users: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(users)[: -(-len(users) // 2)]


def _ablated(
    concept: Concept,
    recommender: GenerativeRecommender,
    coder: SparseAutoencoder,
    activations: Tensor,
    states: States,
    histories: Histories,
    has: sp.csr_array,
    words: list[str],
    most: int,
) -> Concept:
    """The same concept with what taking it out of the states does to lists."""
    strong = np.argsort(-activations[:, concept.latent].numpy(), kind="stable")
    strong = strong[activations[strong, concept.latent].numpy() > 0]
    _, firsts = np.unique(states.users[strong], return_index=True)
    chosen = strong[np.sort(firsts)][:most]
    recent = histories.last(recommender.config.model.max_items + 1)
    some = Histories.from_lists([recent[states.users[row]][: states.places[row]].tolist() for row in chosen])
    column = has[:, [words.index(concept.word)]].toarray().ravel()
    latent = torch.tensor([concept.latent], device=recommender.model.device)

    def share() -> float:
        found = recommender.recommend(some, 10, options={"prior": None, "words": 0.0}).items
        return float(column[found[found >= 0]].mean()) if (found >= 0).any() else 0.0

    before = share()
    model: Any = recommender.model
    with model.changed_states(lambda given: coder.without(given.flatten(0, -2), latent).view_as(given)):
        after = share()
    return Concept(**{**asdict(concept), "before": before, "after": after})
