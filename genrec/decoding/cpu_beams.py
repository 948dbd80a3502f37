"""Beams on a CPU, level by level: what :mod:`genrec.decoding.cpu_kernels` does, for tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genrec.decoding import cpu_kernels as compiled
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.normalize import Normalize, log_normalizer, unpack
from genrec.models.predictor import StepOutput


class CompiledBeams:
    """Beams of all users, whose children are chosen in one compiled pass that leaves out forbidden items.

    The same as :func:`genrec.decoding.beam.expand`, :class:`genrec.decoding.filters.ForbiddenItems` and ``topk``.

    Args:
        trie: What is searched, on the CPU.
        n_users: Users that are searched for together.
        forbidden: ``(users, n)`` int64 items that a user must not get, -1 for padding.

    Attributes:
        level: Of the children that are chosen next.
        nodes: ``(users, beams)`` int64, of the level before.
        scores: ``(users, beams)`` float32 log-probabilities, best first, -inf for a beam that is no more.
        codes: ``(users, beams)`` codes chosen last, None at the root.
        parents: ``(users, beams)`` which beam of the level before each one continues, None at the root.
        dead: Per level the nodes below which everything is forbidden, ``(users, n)`` int32 sorted, and how many of them
            there are, ``(users,)``.
    """

    def __init__(self, trie: DeviceTrie, n_users: int, forbidden: Tensor | None = None) -> None:
        self.trie, self.level = trie, 0
        self.nodes: np.ndarray = np.zeros((n_users, 1), dtype=np.int64)
        self.scores: np.ndarray = np.zeros((n_users, 1), dtype=np.float32)
        self.codes: Tensor | None = None
        self.parents: Tensor | None = None
        nothing = np.zeros((n_users, 0), dtype=np.int32), np.zeros(n_users, dtype=np.int64)
        filtered = forbidden is not None and forbidden.shape[1]
        self.dead = self._dead(forbidden) if filtered else [nothing] * trie.n_levels  # type: ignore[arg-type]

    def _dead(self, forbidden: Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
        users, last = len(forbidden), self.trie.n_levels - 1
        nodes = np.empty((last + 1, *forbidden.shape), dtype=np.int32)
        levels = list(zip(nodes, np.empty((last + 1, users), dtype=np.int64), strict=True))
        compiled.dead_leaves(forbidden.numpy(), self.trie.leaf_numbers.numpy(), *levels[last])
        for level in range(last, 0, -1):
            compiled.dead_parents(*levels[level], self.trie.arrays[level][0], *levels[level - 1])
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
        totals = self.scores if among_children else log_normalizer(logits, vocabulary, normalize).numpy()
        width = min(beams, self.nodes.shape[1] * self.trie.branching[self.level], len(codes))
        dead, n_dead = self.dead[self.level]
        self.scores, self.nodes, chosen, parents = compiled.choose(
            logits.numpy(),
            totals,
            among_children,
            self.scores,
            self.nodes,
            starts,
            codes,
            dead,
            n_dead,
            width,
        )
        self.level += 1
        self.codes, self.parents = torch.from_numpy(chosen), torch.from_numpy(parents)

    def items(self) -> tuple[Tensor, Tensor]:
        """After the last level, catalogue positions ``(users, beams)`` int64, -1 for none, and their scores."""
        items = np.where(self.scores > -np.inf, self.trie.items.numpy()[self.nodes], np.int64(-1))
        return torch.from_numpy(items), torch.from_numpy(self.scores)
