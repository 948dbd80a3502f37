"""The log-probability of every item, by walking the trie level by level: the ranking that a search approximates."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.normalize import Normalize, unpack
from genrec.models.beam_tree import fork
from genrec.models.predictor import CodePredictor, ItemScores, StepOutput

_ROWS = 1024


@torch.inference_mode()
def score_items(
    model: CodePredictor,
    state: Any,
    trie: DeviceTrie,
    n_users: int,
    *,
    normalize: Normalize = "vocabulary",
    rows: int = _ROWS,
) -> Tensor:
    """Log-probabilities of all items of a trie; every shared prefix is computed once.

    Nodes are visited depth first in chunks, and the search state is forked at each chunk, so memory stays small: a
    chunk sees its own ancestors' chunks and nothing else. The cost is one model row per user and inner node; a trie
    whose leaves hang in single-child tails still pays for every node of the tail.

    Args:
        model: Scores codes.
        state: From the model's ``prefill``; it stays usable.
        trie: Of the catalogue, or of the candidates.
        n_users: Number of users in the state.
        normalize: See :data:`~genrec.decoding.normalize.Normalize`. ``children`` refers to this trie.
        rows: Users times nodes in one step of the model.

    Returns:
        ``(users, n)`` float32 by catalogue position, where ``n - 1`` is the largest position in the trie; -inf for
        positions that the trie does not hold.
    """
    if isinstance(state, ItemScores):
        return _share_out(state.scores, trie, normalize)
    walk = _Walk(model, trie, n_users, normalize, max(1, rows // n_users))
    branch = fork(state)
    walk.visit(branch, model.step(branch, None, None), 0, 0, torch.zeros(n_users, 1, device=trie.device))
    items = trie.items.long()
    result = torch.full((n_users, int(items.max()) + 1), -torch.inf, device=trie.device)
    result[:, items] = walk.scores
    return result


def _share_out(logits: Tensor, trie: DeviceTrie, normalize: Normalize) -> Tensor:
    """Log-probabilities of the items of a trie from logits of the whole catalogue, shaped as in :func:`score_items`."""
    items, logits = trie.items.long(), logits.float()
    found = logits[:, items]
    total = (found if normalize == "children" else logits).logsumexp(1, keepdim=True)
    result = torch.full((len(logits), int(items.max()) + 1), -torch.inf, device=logits.device)
    result[:, items] = found - total
    return result


class _Walk:
    """Depth-first walk; ``scores (users, n_leaves)`` fills from left to right."""

    def __init__(self, model: CodePredictor, trie: DeviceTrie, n_users: int, normalize: Normalize, chunk: int) -> None:
        self.model, self.trie, self.normalize, self.chunk = model, trie, normalize, chunk
        self.starts = [start.cpu().long() for start in trie.starts]  # they steer the walk, which the CPU does
        self.scores = torch.empty(n_users, trie.n_items, device=trie.device)

    def visit(self, state: Any, output: Tensor | StepOutput, level: int, first: int, scores: Tensor) -> None:
        """Score the children of some nodes, and what is below them.

        Args:
            state: Search state whose newest beams are these nodes.
            output: Of the step that took them.
            level: Level of the children.
            first: The first node; the others follow it.
            scores: ``(users, n)`` of the nodes.
        """
        start = self.starts[level][first : first + scores.shape[1] + 1]
        low, high = int(start[0]), int(start[-1])
        parents = torch.repeat_interleave(torch.arange(len(start) - 1), start.diff()).to(scores.device)
        codes = self.trie.codes[level][low:high].long()
        children = scores[:, parents] + self._log_probabilities(output, parents, codes)
        if level == self.trie.n_levels - 1:
            self.scores[:, low:high] = children
            return
        for at in range(0, high - low, self.chunk):
            part = slice(at, at + self.chunk)
            users = len(scores)
            branch = fork(state)
            following = self.model.step(branch, codes[part].expand(users, -1), parents[part].expand(users, -1))
            self.visit(branch, following, level + 1, low + at, children[:, part])

    def _log_probabilities(self, output: Tensor | StepOutput, parents: Tensor, codes: Tensor) -> Tensor:
        """Of children given by parent and code, ``(users, n)``."""
        logits, vocabulary = unpack(output)
        found = logits[:, parents, codes]
        if self.normalize == "children":
            highest = logits.amax(2)
            sums = torch.zeros_like(highest).index_add_(1, parents, (found - highest[:, parents]).exp())
            total = sums.log() + highest
        elif self.normalize == "vocabulary" and vocabulary is not None:
            total = vocabulary().float()
        else:
            total = logits.logsumexp(dim=2)
        return found - total[:, parents]
