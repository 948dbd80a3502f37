"""Titles as paths: texts that begin alike share what a language model reads of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class TitleBlock:
    """Some titles as a tree. Node 0 is the prompt; the others are tokens, each after its parent.

    Attributes:
        tokens: ``(n,)`` int64 tokens that are read, those of the nodes 1 … n.
        ancestors: ``(n, n)`` bool: which of these tokens a node sees, itself included.
        depths: ``(n,)`` int64 tokens before each, the prompt's apart.
        parents: ``(edges,)`` int64 node from which a token is predicted.
        following: ``(edges,)`` int64 that token.
        paths: ``(titles, longest)`` int64 edges of every title, -1 for padding.
        titles: ``(titles,)`` int64 which of the different titles these are.
        choices: ``(2, choices)`` int64 nodes, and every token that can follow each in the catalogue, node after node.
    """

    tokens: np.ndarray
    ancestors: np.ndarray
    depths: np.ndarray
    parents: np.ndarray
    following: np.ndarray
    paths: np.ndarray
    titles: np.ndarray
    choices: np.ndarray


class TitlePaths:
    """The titles of a catalogue, each as tokens with the end of the text.

    Args:
        titles: Tokens of every item's title; none is empty.

    Attributes:
        of_items: ``(n_items,)`` int64 number of every item's title among the different ones.
        shared: ``(n_items,)`` int64 how many items have the same title.

    Example:
        >>> paths = TitlePaths([[5, 6, 1], [5, 7, 1], [5, 6, 1]])
        >>> paths.of_items.tolist(), paths.shared.tolist()
        ([0, 1, 0], [2, 1, 2])
        >>> [block.tokens.tolist() for block in paths.blocks(10)]
        [[5, 6, 7]]
    """

    def __init__(self, titles: Sequence[Sequence[int]]) -> None:
        rows = [tuple(title) for title in titles]
        self.different = sorted(set(rows))
        number = {row: n for n, row in enumerate(self.different)}
        self.of_items = np.array([number[row] for row in rows], dtype=np.int64)
        self.choices: dict[tuple[int, ...], list[int]] = {}  # tokens that can follow a beginning
        for before, row in zip([(), *self.different], self.different, strict=False):
            for place in range(_common(before, row), len(row)):
                self.choices.setdefault(row[:place], []).append(row[place])
        self.shared = np.bincount(self.of_items, minlength=len(self.different))[self.of_items]

    def legal(self, title: Sequence[int], n_tokens: int) -> Tensor:
        """Which tokens can stand in the place of every token of a title, ``(len(title), n_tokens)`` bool."""
        found = torch.zeros(len(title), n_tokens, dtype=torch.bool)
        for place in range(len(title)):
            found[place, self.choices[tuple(title[:place])]] = True
        return found

    def blocks(self, most: int) -> Iterator[TitleBlock]:
        """The titles in trees of about ``most`` tokens that are read; neighbours in the alphabet stand together."""
        begin, size = 0, 0
        before: tuple[int, ...] = ()
        for n, row in enumerate(self.different):
            new = len(row) - 1 - _common(before, row)
            if n > begin and size + new > most:
                yield self._tree(begin, n)
                begin, size, new = n, 0, len(row) - 1
            size, before = size + new, row
        if self.different:
            yield self._tree(begin, len(self.different))

    def _tree(self, begin: int, end: int) -> TitleBlock:
        nodes: dict[tuple[int, ...], int] = {(): 0}
        edges: dict[tuple[int, int], int] = {}
        parents: list[int] = []
        paths = np.full((end - begin, max(len(row) for row in self.different[begin:end])), -1, dtype=np.int64)
        for n, row in enumerate(self.different[begin:end]):
            for place, token in enumerate(row):
                parent = nodes[row[:place]]
                paths[n, place] = edges.setdefault((parent, token), len(edges))
                if place < len(row) - 1 and row[: place + 1] not in nodes:
                    nodes[row[: place + 1]] = len(nodes)
                    parents.append(parent)
        ancestors = np.eye(len(parents), dtype=bool)
        for node, parent in enumerate(parents):  # parents come first
            if parent:
                ancestors[node] |= ancestors[parent - 1]
        tokens = np.array([path[-1] for path in nodes if path], dtype=np.int64)
        depths = np.array([len(path) - 1 for path in nodes if path], dtype=np.int64)
        of_edges = np.array(list(edges), dtype=np.int64).reshape(-1, 2)
        choices = [(node, token) for path, node in nodes.items() for token in self.choices[path]]
        columns = (of_edges[:, 0], of_edges[:, 1], paths, np.arange(begin, end), np.array(choices, dtype=np.int64).T)
        return TitleBlock(tokens, ancestors, depths, *columns)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Tokens with which two titles begin alike."""
    for n, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return n
    return min(len(first), len(second))
