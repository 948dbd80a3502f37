"""The log-probability of every item, by walking the trie level by level: the ranking that a search approximates."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.filters import Filter
from genrec.decoding.normalize import Normalize, unpack
from genrec.decoding.slots import score_by_slots
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
    keep: Filter | None = None,
    rows: int = _ROWS,
) -> Tensor:
    """Log-probabilities of all items of a trie; every shared prefix is computed once.

    Where all levels are predicted at once and nothing depends on the prefix, slots are summed; there is no walk then.

    Nodes are visited depth first in chunks, and the search state is forked at each chunk, so memory stays small: a
    chunk sees its own ancestors' chunks and nothing else. The cost is one model row per user and inner node; a trie
    whose leaves hang in single-child tails still pays for every node of the tail.

    Args:
        model: Scores codes.
        state: From the model's ``prefill``; it stays usable.
        trie: Of the catalogue, or of the candidates.
        n_users: Number of users in the state.
        normalize: See :data:`~genrec.decoding.normalize.Normalize`. ``children`` refers to this trie, and to ``keep``.
        keep: What users may get: other items have the score -inf, and no part in what ``children`` are a share of.
        rows: Users times nodes in one step of the model.

    Returns:
        ``(users, n)`` float32 by catalogue position, where ``n - 1`` is the largest position in the trie; -inf for
        positions that the trie does not hold.
    """
    if isinstance(state, ItemScores):
        return _share_out(state.scores, trie, normalize, keep)
    if sums_slots(model, normalize) and keep is None:
        return score_by_slots(trie, model.slot_scores(state))  # type: ignore[attr-defined]
    items = trie.items.long()
    result = torch.full((n_users, int(items.max()) + 1), -torch.inf, device=trie.device)
    result[:, items] = score_leaves(model, state, trie, n_users, normalize=normalize, keep=keep, rows=rows)
    return result


def score_leaves(
    model: CodePredictor,
    state: Any,
    trie: DeviceTrie,
    n_users: int,
    *,
    normalize: Normalize = "vocabulary",
    keep: Filter | None = None,
    rows: int = _ROWS,
) -> Tensor:
    """Log-probabilities of all leaves in their order, ``(users, n_leaves)``, with gradients where these are recorded.

    Arguments as in :func:`score_items`.
    """
    walk = _Walk(model, trie, n_users, normalize, keep, max(1, rows // n_users))
    branch = fork(state)
    walk.visit(branch, model.step(branch, None, None), 0, 0, torch.zeros(n_users, 1, device=trie.device))
    return torch.cat(walk.parts, dim=1) if walk.parts else walk.scores


def sums_slots(model: CodePredictor, normalize: Normalize) -> bool:
    """Whether an item's score is a sum of slot scores, because the network predicts all levels at once.

    Log-probabilities of a slot are over all its codes. Other normalisers depend on the prefix or on the level, so that
    the trie must be walked.
    """
    return normalize == "vocabulary" and bool(getattr(model, "parallel", False))


def _share_out(logits: Tensor, trie: DeviceTrie, normalize: Normalize, keep: Filter | None) -> Tensor:
    """Log-probabilities of the items of a trie from logits of the whole catalogue, shaped as in :func:`score_items`."""
    items, logits = trie.items.long(), logits.float()
    found = logits[:, items]
    if keep is not None:
        found = found.masked_fill(~keep.living(trie.n_levels - 1, 0, trie.n_items), -torch.inf)
    total = (found if normalize == "children" else logits).logsumexp(1, keepdim=True)
    result = torch.full((len(logits), int(items.max()) + 1), -torch.inf, device=logits.device)
    result[:, items] = found - total.masked_fill(total == -torch.inf, 0)  # a user may get nothing
    return result


class _Walk:
    """Depth-first walk; ``scores (users, n_leaves)`` fills from left to right, or ``parts`` of it, for gradients."""

    def __init__(
        self,
        model: CodePredictor,
        trie: DeviceTrie,
        n_users: int,
        normalize: Normalize,
        keep: Filter | None,
        chunk: int,
    ) -> None:
        self.model, self.trie, self.normalize, self.keep, self.chunk = model, trie, normalize, keep, chunk
        self.starts = [start.cpu().long() for start in trie.starts]  # they steer the walk, which the CPU does
        self.parts: list[Tensor] = []
        self.scores = torch.empty(n_users, 0 if torch.is_grad_enabled() else trie.n_items, device=trie.device)

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
        living = None if self.keep is None else self.keep.living(level, low, high)
        children = scores[:, parents] + self._log_probabilities(output, parents, codes, living)
        if level == self.trie.n_levels - 1:
            if torch.is_grad_enabled():
                self.parts.append(children)
            else:
                self.scores[:, low:high] = children
            return
        for at in range(0, high - low, self.chunk):
            part = slice(at, at + self.chunk)
            users = len(scores)
            branch = fork(state)
            following = self.model.step(branch, codes[part].expand(users, -1), parents[part].expand(users, -1))
            self.visit(branch, following, level + 1, low + at, children[:, part])

    def _log_probabilities(
        self, output: Tensor | StepOutput, parents: Tensor, codes: Tensor, living: Tensor | None
    ) -> Tensor:
        """Of children given by parent and code, ``(users, n)``; -inf for those that are not living."""
        logits, vocabulary = unpack(output)
        found = logits[:, parents, codes]
        if living is not None:
            found = found.masked_fill(~living, -torch.inf)
        if self.normalize == "children":
            total = grouped_log_sum_exp(found, parents, logits.shape[1])
        elif self.normalize == "vocabulary" and vocabulary is not None:
            total = vocabulary().float()
        else:
            total = logits.logsumexp(dim=2)
        return found - total[:, parents]


def grouped_log_sum_exp(values: Tensor, groups: Tensor, n_groups: int) -> Tensor:
    """Log-sum-exp of each group, ``(users, n)`` and ``(n,)`` to ``(users, n_groups)``; 0 where all values are -inf."""
    highest = values.new_full((len(values), n_groups), -torch.inf)
    highest = highest.scatter_reduce(1, groups.expand_as(values), values.detach(), "amax")
    nothing = highest == -torch.inf
    highest = highest.masked_fill(nothing, 0)
    sums = torch.zeros_like(highest).index_add_(1, groups, (values - highest[:, groups]).exp())
    return (sums.log() + highest).masked_fill(nothing, 0)
