"""Beams on a CPU, level by level: what :mod:`genrec.decoding.cpu_kernels` does, for tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genrec.decoding import cpu_kernels as compiled
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.normalize import Normalize, log_normalizer, unpack
from genrec.decoding.prior_bounds import ItemPrior, SparsePrior
from genrec.models.predictor import StepOutput


class CompiledBeams:
    """Beams of all users, whose children are chosen in one compiled pass that leaves out forbidden items.

    The same as :func:`genrec.decoding.beam.expand`, :class:`genrec.decoding.filters.ForbiddenItems` and ``topk``.

    Args:
        trie: What is searched, on the CPU.
        n_users: Users that are searched for together.
        forbidden: ``(users, n)`` int64 items that a user must not get, -1 for padding.
        prior: Scores that are added to the model's, as :func:`reads_prior` says.

    Attributes:
        level: Of the children that are chosen next.
        nodes: ``(users, beams)`` int64, of the level before.
        keys: ``(users, beams)`` float32 that they are ordered by, best first: scores plus the best prior below.
        scores: ``(users, beams)`` float32 log-probabilities, -inf for a beam that is no more.
        codes: ``(users, beams)`` codes chosen last, None at the root.
        parents: ``(users, beams)`` which beam of the level before each one continues, None at the root.
        dead: Per level the nodes below which everything is forbidden, ``(users, n)`` int32 sorted, and how many of them
            there are, ``(users,)``.
        known: Per level the nodes for which the prior says something, ``(users, n)`` int32 sorted, what it adds there
            at most, ``(users, n)`` float32, and how many there are, ``(users,)``.
    """

    def __init__(
        self, trie: DeviceTrie, n_users: int, forbidden: Tensor | None = None, prior: ItemPrior | None = None
    ) -> None:
        self.trie, self.level = trie, 0
        self.nodes: np.ndarray = np.zeros((n_users, 1), dtype=np.int64)
        self.scores: np.ndarray = np.zeros((n_users, 1), dtype=np.float32)
        self.keys = self.scores
        self.codes: Tensor | None = None
        self.parents: Tensor | None = None
        nothing = np.zeros((n_users, 0), dtype=np.int32), np.zeros(n_users, dtype=np.int64)
        filtered = forbidden is not None and forbidden.shape[1]
        self.dead = self._dead(forbidden) if filtered else [nothing] * trie.n_levels  # type: ignore[arg-type]
        bare = nothing[0], np.zeros((n_users, 0), dtype=np.float32), nothing[1]
        self.known = self._known(prior, n_users) if isinstance(prior, SparsePrior) else [bare] * trie.n_levels

    def _dead(self, forbidden: Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
        users, last = len(forbidden), self.trie.n_levels - 1
        nodes = np.empty((last + 1, *forbidden.shape), dtype=np.int32)
        levels = list(zip(nodes, np.empty((last + 1, users), dtype=np.int64), strict=True))
        compiled.once(np.sort(self._leaves(forbidden.numpy()), axis=1), *levels[last])
        for level in range(last, 0, -1):
            compiled.dead_parents(*levels[level], self.trie.arrays[level][0], *levels[level - 1])
        return levels

    def _leaves(self, items: np.ndarray) -> np.ndarray:
        """Leaves of catalogue positions, int32 of their shape, -1 where there is none."""
        leaf_of = self.trie.leaf_numbers.numpy()
        inside = (items >= 0) & (items < len(leaf_of))
        return np.where(inside, leaf_of[np.where(inside, items, 0)], np.int32(-1))

    def _known(self, prior: SparsePrior, n_users: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        users, leaves, scores = prior.users.numpy(), self._leaves(prior.items.numpy()), prior.scores.numpy()
        order = np.lexsort((leaves, users))
        order = order[leaves[order] >= 0]
        users, leaves, scores = users[order], leaves[order], scores[order]
        counts = np.bincount(users, minlength=n_users)
        places = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
        shape = n_users, int(counts.max(initial=0))
        nodes, best, held = np.zeros(shape, np.int32), np.zeros(shape, np.float32), np.ones(shape, np.int32)
        nodes[users, places], best[users, places] = leaves, scores
        levels = [(nodes, best, counts)]
        for level in range(self.trie.n_levels - 1, 0, -1):
            above = np.zeros_like(nodes), np.zeros_like(best), np.zeros_like(held), np.zeros_like(counts)
            compiled.known_parents(nodes, best, held, counts, self.trie.arrays[level][0], *above)
            nodes, best, held, counts = above
            # below a node with other leaves, too, nothing is added to those
            all_known = held == self.trie.leaves[level - 1].numpy()[nodes]
            levels.insert(0, (nodes, np.where(all_known, best, np.maximum(best, np.float32(0))), counts))
        return levels

    def advance(self, output: Tensor | StepOutput, normalize: Normalize, beams: int) -> None:
        """Go on to the best children.

        Args:
            output: Of the model for the beams, see :meth:`genrec.models.predictor.CodePredictor.step`.
            normalize: See :data:`~genrec.decoding.normalize.Normalize`.
            beams: How many to keep a user.
        """
        logits, vocabulary = unpack(output)
        starts, codes = self.trie.arrays[self.level]
        among_children = normalize == "children"
        logits = logits.contiguous()  # one layout, and so one compilation: each takes seconds at the first search
        totals = self.scores if among_children else log_normalizer(logits, vocabulary, normalize).contiguous().numpy()
        width = min(beams, self.nodes.shape[1] * self.trie.branching[self.level], len(codes))
        dead, n_dead = self.dead[self.level]
        self.keys, self.scores, self.nodes, chosen, parents = compiled.choose(
            logits.numpy(),
            totals,
            among_children,
            self.scores,
            self.nodes,
            starts,
            codes,
            dead,
            n_dead,
            *self.known[self.level],
            width,
        )
        self.level += 1
        self.codes, self.parents = torch.from_numpy(chosen), torch.from_numpy(parents)

    def items(self) -> tuple[Tensor, Tensor]:
        """After the last level, catalogue positions ``(users, beams)`` int64, -1 for none, and what orders them."""
        items = np.where(self.keys > -np.inf, self.trie.items.numpy()[self.nodes], np.int64(-1))
        return torch.from_numpy(items), torch.from_numpy(self.keys)


def reads_prior(prior: ItemPrior | None) -> bool:
    """Whether :class:`CompiledBeams` can add a prior: one that knows few items of every user, and no others."""
    return prior is None or (isinstance(prior, SparsePrior) and prior.shared is None)
