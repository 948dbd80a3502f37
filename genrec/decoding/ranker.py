"""Histories and a request in, ranked items out: all that searches with a network, and nothing that is learned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from genrec.data.histories import Histories
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_items
from genrec.decoding.options import DecodingOptions, even_slices
from genrec.decoding.path_scores import path_scores
from genrec.decoding.request import Request
from genrec.decoding.search import search
from genrec.decoding.side_by_side import side_by_side, threads_for
from genrec.decoding.subtries import SubTries
from genrec.decoding.user_priors import UserPriors
from genrec.decoding.word_prior import SharedWords
from genrec.encoders.word_matches import WordMatches
from genrec.index.semantic_index import SemanticIndex
from genrec.models.base import CodeModel
from genrec.models.outputs import Reader
from genrec.models.parts import require_numbers

_CELLS = 1 << 26  # users times items that are scored by words at once


@dataclass(frozen=True)
class _Round:
    """Users that are searched together.

    Attributes:
        users: ``(n,)`` their rows.
        batch: What the network reads of them.
        trie: What they may all get.
        barred: Items that they must not get.
        filters: ``forbidden`` and ``allowed``, see :func:`~genrec.decoding.search.search`.
    """

    users: np.ndarray
    batch: dict[str, torch.Tensor]
    trie: DeviceTrie
    barred: Histories | None
    filters: dict[str, torch.Tensor | None]


class Ranker:
    """Searches the items of an index with a network.

    Args:
        model: Network over the codes of ``index``, bound to it.
        index: Semantic index of the catalogue.
        reader: Histories → what the network's ``prefill`` reads.
        max_items: Newest items of a history that are read.
    """

    def __init__(self, model: CodeModel, index: SemanticIndex, reader: Reader, max_items: int) -> None:
        self.model, self.index, self.reader, self.max_items = model, index, reader, max_items
        self._tries = SubTries(index.trie, model.device)
        self._vectors: dict[torch.device, torch.Tensor] = {}
        self._sound = False

    def to(self, device: str | torch.device) -> None:
        """Move the network, and what goes with it."""
        self.model.end_decoding()
        self.model.to(device)  # type: ignore[arg-type]
        self._tries = SubTries(self.index.trie, self.model.device, self._tries.named)

    def define(self, name: str, mask: np.ndarray) -> None:
        """Name a part of the catalogue, ``(n_items,)`` bool, for ``Request.within``."""
        self._tries.define(name, mask)

    def rank(
        self, histories: Histories, request: Request, options: DecodingOptions, learned: sp.csr_array | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best items of every history.

        Args:
            histories: Users' items; all of them count as seen.
            request: Resolved: with positions in the place of item ids.
            options: How to decode.
            learned: ``(n_users, n_items)`` scores that a learned prior adds.

        Returns:
            ``items (n_users, k)`` int32 padded with -1 and ``scores (n_users, k)`` float32 padded with -inf.

        Raises:
            DataError: Something does not fit the users or the catalogue.
            ConfigError: An unknown part of the catalogue, or options that need something that is not there.
            ModelError: Weights of the network are no numbers.
        """
        request.check(len(histories), len(self.index.item_ids))
        items = np.full((len(histories), request.k), -1, dtype=np.int32)
        scores = np.full((len(histories), request.k), -np.inf, dtype=np.float32)
        size = options.users_at_once(request.k, self.model.device.type)
        if options.words:
            size = min(size, max(1, _CELLS // len(self.index.item_ids)))
        priors = self._priors(histories, request, options, learned)
        vectors = None if options.mmr is None else self.item_vectors()
        size, threads = self._shared_out(len(histories), size)

        def answer(one: _Round) -> None:
            with self._evaluating():
                found, found_scores = search(
                    self.model,
                    self.model.prefill(**one.batch),
                    one.trie,
                    len(one.users),
                    request.k,
                    options,
                    **one.filters,
                    prior=priors.of(one.trie, one.users, one.barred),
                    vectors=vectors,
                )
            items[one.users, : found.shape[1]] = found.cpu().numpy()
            scores[one.users, : found.shape[1]] = found_scores.cpu().numpy()

        with self._evaluating():
            side_by_side(self._rounds(histories, request, size), answer, threads)
        self._require_numbers(items, scores)
        return items, scores

    def _require_numbers(self, items: np.ndarray, scores: np.ndarray) -> None:
        """Look at the weights where a list is empty or its scores are no numbers: broken ones give just that."""
        if self._sound or not ((items[:, :1] < 0).any() or not (scores < np.inf).all()):
            return
        require_numbers(self.model)
        self._sound = True

    def path_scores(
        self, histories: Histories, request: Request, options: DecodingOptions, items: np.ndarray, *, added: bool
    ) -> np.ndarray:
        """Log-probability of every code of some items, as :meth:`rank` counts it for the same request.

        Args:
            histories: As there.
            request: As there.
            options: As there.
            items: ``(n_users, n)`` catalogue positions, -1 for padding.
            added: Whether words, counts or a prior are added to the network's scores.

        Returns:
            ``(n_users, n, n_levels)`` float32; -inf where the user cannot get the item, 0 at padding.

        Raises:
            DataError: Something does not fit the users or the catalogue.
        """
        request.check(len(histories), len(self.index.item_ids))
        found = np.where(items[..., None] >= 0, -np.inf, np.zeros(self.index.codes.shape[1])).astype(np.float32)
        size = options.users_at_once(items.shape[1], self.model.device.type)
        with self._evaluating():
            for one in self._rounds(histories, request, size):
                wanted = self._tensor(items[one.users])
                state = self.model.prefill(**one.batch)
                settings: dict[str, Any] = {"normalize": options.normalize, "added": added, **one.filters}
                found[one.users] = path_scores(self.model, state, one.trie, wanted, **settings).cpu().numpy()
        return found

    def _rounds(self, histories: Histories, request: Request, size: int) -> Iterator[_Round]:
        """Users that are searched together."""
        for members, mask in request.parts(len(histories), self._tries):
            trie = self._tries(mask)
            for rows, batch in self._batches(histories.select(members), size):
                users = members[rows]
                barred = request.barred(histories, users)
                filters = {
                    "forbidden": None if barred is None else self._tensor(barred.padded()),
                    "allowed": self._optional(request.own_items(users)),
                }
                yield _Round(users, batch, trie, barred, filters)

    def score_items(self, histories: Histories, options: DecodingOptions) -> np.ndarray:
        """Exact score of every item, ``(n_users, n_items)`` float32; no beam is involved.

        It is the log-probability as ``options.normalize`` says (over the whole catalogue: there are no filters), and
        what ``options.words`` adds to it; item priors are not in it.
        """
        result = np.empty((len(histories), len(self.index.item_ids)), dtype=np.float32)
        exact = options.model_copy(update={"exact": True})
        size, threads = self._shared_out(len(histories), exact.users_at_once(1))

        def answer(one: tuple[np.ndarray, dict[str, torch.Tensor]]) -> None:
            users, batch = one
            with self._evaluating():
                state = self.model.prefill(**batch)
                scores = score_items(self.model, state, self._tries(), len(users), normalize=exact.normalize)
            result[users] = scores.cpu().numpy()
            if options.words:
                result[users] += self.shared_words(histories.select(users), options.words)

        with self._evaluating():
            side_by_side(self._batches(histories, size), answer, threads)
        return result

    def _priors(
        self, histories: Histories, request: Request, options: DecodingOptions, learned: sp.csr_array | None
    ) -> UserPriors:
        words = None
        if options.words:
            words = SharedWords(self._matches, histories, options.words)
        given = None if request.prior is None else request.scores
        return UserPriors(given, options.prior_weight, learned, words)

    def shared_words(self, histories: Histories, weight: float) -> np.ndarray:
        """What the words that items share with histories add, ``(n_users, n_items)`` float32."""
        scores = self._matches.scores(histories)
        scores *= np.float32(weight)
        return scores

    @cached_property
    def _matches(self) -> WordMatches:
        return WordMatches(self.index.word_vectors)

    def _batches(self, histories: Histories, size: int) -> Iterator[tuple[np.ndarray, dict[str, torch.Tensor]]]:
        """Users of similar length, and what the model reads of them."""
        recent = histories.last(self.max_items)
        order = np.argsort(recent.lengths, kind="stable")
        for batch in even_slices(len(order), size):
            users = order[batch]
            read = self.reader(recent.select(users))
            yield users, {name: tensor.to(self.model.device) for name, tensor in read.items()}

    def _shared_out(self, n_users: int, most: int) -> tuple[int, int]:
        """Users of a round, and threads that take rounds; one thread where others search with the network already."""
        threads = 1 if self.model.occupancy.searches else threads_for(n_users, self.model.device.type)
        return max(1, min(most, -(-n_users // threads))), threads

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        with self.model.decoding(), torch.inference_mode():
            yield

    def _tensor(self, positions: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(positions.astype(np.int64)).to(self.model.device)

    def _optional(self, positions: np.ndarray | None) -> torch.Tensor | None:
        return None if positions is None else self._tensor(positions)

    def item_vectors(self) -> torch.Tensor:
        """Vectors of all items where the network is, ``(n_items, dim)`` float32."""
        device = self.model.device
        if device not in self._vectors:
            self._vectors[device] = torch.from_numpy(np.array(self.index.vectors())).to(device)
        return self._vectors[device]
