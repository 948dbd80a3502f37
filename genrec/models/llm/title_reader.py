"""Reads beginnings of titles behind a prompt, a few at a time, each behind what was read of it already."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genrec.models.beam_tree import additive, fork
from genrec.models.hf.causal import HFCausalPredictor, HFCausalState
from genrec.models.llm.title_search import TitleTree

_CELLS = 1 << 25  # numbers that are held at once
LENGTHS = 32
"""Numbers of tokens are multiples: libraries keep a kernel for every shape, which took 8 MB a user."""


class TitleReader:
    """What a decoder says of the nodes of a tree of titles, for one user; see :data:`~.title_search.Read`.

    Args:
        predictor: Reads tokens.
        state: Of one prompt; it stays usable.
        tree: Of the titles.
        prompt_known: Whether node 0 was asked for already, by another reader.
    """

    def __init__(
        self, predictor: HFCausalPredictor, state: HFCausalState, tree: TitleTree, *, prompt_known: bool = False
    ) -> None:
        if state.newest is None or state.tree is None or state.lengths is None:
            raise TypeError("The prompt was not read.")
        self.predictor, self.tree = predictor, tree
        self.newest, self.prompt, self.lengths = state.newest, state.tree.prefix_mask, state.lengths
        self.cache = fork(state.cache)
        self.n_read = 0  # tokens behind the prompt
        self.sees: list[list[int]] = [[]] if prompt_known else []  # of every node: which of these belong to it

    def __call__(self, nodes: np.ndarray, above: np.ndarray) -> np.ndarray:
        """See :data:`~genrec.models.llm.title_search.Read`."""
        if self.sees:
            hidden = self._read(nodes, above)
        else:
            hidden, self.sees = self.newest, [[]]
        edges, owner = self.tree.edges(nodes)
        own, following = torch.from_numpy(owner).to(hidden.device), torch.from_numpy(self.tree.following[edges])
        size = max(1, _CELLS // hidden.shape[-1])
        parts = [
            self.predictor.head.pair_logits(hidden[own[at : at + size]], following[at : at + size].to(hidden.device))
            for at in range(0, len(own), size)
        ]
        return torch.cat(parts).cpu().numpy()

    def _read(self, nodes: np.ndarray, above: np.ndarray) -> Tensor:
        """States behind some nodes, ``(n, dim)``."""
        rows = [self.tree.tokens[node] for node in nodes]
        sizes = [len(row) for row in rows]
        last = np.cumsum(sizes) - 1
        total = -(-sum(sizes) // LENGTHS) * LENGTHS
        visible = np.zeros((total, self.n_read + total), dtype=bool)
        visible[range(total), range(self.n_read, self.n_read + total)] = True  # what fills up sees itself alone
        places, at = np.zeros(total, dtype=np.int64), 0
        for node, size, before in zip(nodes, sizes, above, strict=True):
            own = range(self.n_read + at, self.n_read + at + size)
            part = slice(at, at + size)
            visible[part, self.sees[before]] = True
            visible[part, own.start : own.stop] = np.tri(size, dtype=bool)
            places[part] = self.tree.depths[node] + np.arange(size)
            self.sees.append([*self.sees[before], *own])
            at += size
        self.n_read += total
        tokens = np.full(total, rows[0][0], dtype=np.int64)
        tokens[:at] = [token for row in rows for token in row]
        device, backbone = self.lengths.device, self.predictor.backbone
        mask = torch.cat([self.prompt[:, None].expand(1, total, -1), torch.from_numpy(visible).to(device)[None]], dim=2)
        hidden: Tensor = backbone(
            input_ids=torch.from_numpy(tokens).to(device)[None],
            attention_mask=additive(mask, backbone.dtype),
            position_ids=self.lengths + torch.from_numpy(places).to(device),
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        return hidden[0, torch.from_numpy(last).to(device)]
