"""The likeliest titles of a catalogue where every token shares out what can follow: an exact search from the top.

A title is never likelier than its beginning. So once enough titles are known, a beginning that is less likely than the
last of them can be left unread, with all titles that begin so. This is branch and bound, best node first (Land, Doig:
An Automatic Method of Solving Discrete Programming Problems, 1960).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class TitleTree:
    """Titles as a tree of the places where they part. Node 0 is the prompt; others are beginnings of several titles.

    Attributes:
        tokens: Tokens of every node behind those of the node above it.
        depths: ``(nodes,)`` int64 tokens before these, the prompt's apart.
        spans: ``(nodes, 2)`` int64 first title of every node, and the one after its last.
        starts: ``(nodes + 1,)`` int64 first edge of every node.
        following: ``(edges,)`` int64 token that comes first on an edge.
        leads_to: ``(edges,)`` int64 node of an edge, or -1 - n where it leads to title n alone.
    """

    tokens: list[tuple[int, ...]]
    depths: np.ndarray
    spans: np.ndarray
    starts: np.ndarray
    following: np.ndarray
    leads_to: np.ndarray

    @classmethod
    def of(cls, titles: Sequence[tuple[int, ...]]) -> TitleTree:
        """The tree of different titles in sorted order, none of which is the beginning of another.

        Example:
            >>> tree = TitleTree.of([(4, 5, 6, 1), (4, 5, 7, 1), (8, 1)])
            >>> tree.tokens, tree.following.tolist(), tree.leads_to.tolist()
            ([(), (4, 5)], [4, 8, 6, 7], [1, -3, -1, -2])
        """
        tokens: list[tuple[int, ...]] = [()]
        depths, spans, starts, following, leads_to = [0], [(0, len(titles))], [0], [], []
        node = 0
        while node < len(tokens):  # nodes are put behind as they are found: the one above comes first
            begin, last = spans[node]
            depth = depths[node] + len(tokens[node])
            while begin < last:
                end, token = begin, titles[begin][depth]
                while end < last and titles[end][depth] == token:
                    end += 1
                following.append(token)
                if end == begin + 1:
                    leads_to.append(-1 - begin)
                else:
                    common, upto = titles[begin], depth
                    while common[upto] == titles[end - 1][upto]:  # sorted: the ones between agree, too
                        upto += 1
                    leads_to.append(len(tokens))
                    tokens.append(common[depth:upto])
                    depths.append(depth)
                    spans.append((begin, end))
                begin = end
            starts.append(len(following))
            node += 1
        return cls(
            tokens, *(np.array(column, dtype=np.int64) for column in (depths, spans, starts, following, leads_to))
        )

    def edges(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Edges of some nodes, node after node, and which of these nodes each belongs to; ``(edges,)`` int64 both."""
        counts = self.starts[nodes + 1] - self.starts[nodes]
        return _ranges(self.starts[nodes], counts), np.repeat(np.arange(len(nodes)), counts)

    def parts(self, most: int) -> Iterator[np.ndarray]:
        """The nodes below the prompt, in groups with about ``most`` tokens below them, so that memory stays bounded."""
        size = np.array([len(row) for row in self.tokens])
        for node in range(len(self.tokens) - 1, 0, -1):  # what is below a node comes behind it
            below = self.leads_to[self.starts[node] : self.starts[node + 1]]
            size[node] += size[below[below > 0]].sum()
        first = self.leads_to[: self.starts[1]]
        first = first[first > 0]
        groups = (size[first].cumsum() - size[first]) // most
        for group in np.unique(groups):
            yield first[groups == group]


Read = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Reads nodes ``(n,)``, given places ``(n,)`` of the nodes above in the order of reading; node 0, the prompt,
comes first and alone. Gives scores of the first tokens of all edges behind, ``(edges,)``; only differences count."""


@dataclass
class TitleSearch:
    """What is known of the titles of one user.

    Args:
        tree: Of the titles.
        read: What the model says of some nodes.
        together: Most nodes that are read at once.

    Attributes:
        found: ``(titles,)`` float32 log-probabilities; of those that are not known their part of their beginning.
        known: ``(titles,)`` bool.
    """

    tree: TitleTree
    read: Read
    together: int = 64
    found: np.ndarray = field(init=False)
    known: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        n_titles = int(self.tree.spans[0, 1])
        self.found, self.known = np.zeros(n_titles, dtype=np.float32), np.zeros(n_titles, dtype=bool)
        self._waiting, self._worth = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.float32)
        self._above, self._n_read = np.full(1, -1), 0

    def best(self, n: int, shares: np.ndarray) -> float:
        """Search until so many titles are known, and none that is not known has more than they.

        Args:
            n: How many.
            shares: ``(titles,)`` what an item of every title has of it, as a logarithm; at most 0.

        Returns:
            The least that an item of these titles has; -inf where all titles are known.
        """
        while len(self._waiting):
            self._step()
            if n < len(self.found):
                items = np.where(self.known, self.found + shares, -np.inf)
                self._keep(self._worth >= np.partition(items, -n)[-n])
        items = (self.found + shares)[self.known]
        return -np.inf if self.known.all() else float(np.partition(items, -n)[-n])

    def above(self, least: float) -> None:
        """Search until all titles are known that have more than this, a logarithm."""
        self._step()
        self._keep(self._worth > least)
        while len(self._waiting):
            self._step()
            self._keep(self._worth > least)

    def everything(self, reader: Callable[[], Read], most: int = 4096) -> np.ndarray:
        """Log-probabilities of all titles, ``(titles,)`` float32.

        Args:
            reader: Gives one that has read nothing but the prompt, node 0.
            most: About so many tokens one reads.
        """
        self._step()
        top = self._waiting, self._worth
        for part in self.tree.parts(most):
            chosen = np.isin(top[0], part)
            self.read, self._n_read = reader(), 1
            self._waiting, self._worth, self._above = (
                top[0][chosen],
                top[1][chosen],
                np.zeros(len(part), dtype=np.int64),
            )
            while len(self._waiting):
                self._step()
        return self.found

    def _step(self) -> None:
        """Read the likeliest nodes; their edges wait in their place, or are titles."""
        tree, order = self.tree, np.argsort(-self._worth, kind="stable")
        now, later = order[: self.together], order[self.together :]
        nodes = self._waiting[now]
        edges, owner = tree.edges(nodes)
        scores = self.read(nodes, self._above[now])
        firsts = np.searchsorted(owner, np.arange(len(nodes)))
        values = self._worth[now][owner] + np.minimum(scores - np.logaddexp.reduceat(scores, firsts)[owner], 0)
        ends, behind = tree.leads_to[edges], self._n_read + owner
        self._n_read += len(nodes)
        over = ends < 0
        titles = -1 - ends[over]
        self.found[titles], self.known[titles] = values[over], True
        nodes, values = ends[~over], values[~over]
        sizes = tree.spans[nodes, 1] - tree.spans[nodes, 0]
        self.found[_ranges(tree.spans[nodes, 0], sizes)] = np.repeat(values - np.log(sizes), sizes)
        self._waiting, self._above = np.r_[self._waiting[later], nodes], np.r_[self._above[later], behind[~over]]
        self._worth = np.r_[self._worth[later], values].astype(np.float32)

    def _keep(self, mask: np.ndarray) -> None:
        self._waiting, self._worth, self._above = self._waiting[mask], self._worth[mask], self._above[mask]


def _ranges(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """``sizes[n]`` numbers from ``starts[n]`` on, for every ``n``, one behind the other."""
    return np.repeat(starts - (sizes.cumsum() - sizes), sizes) + np.arange(sizes.sum())
