"""Code rows that start from what a network already says: a linear probe of its states, before the first step.

A new row that starts like a word gives its code a logit of chance, and states of a language model are large. So the
loss at the start is far above that of a guess, and the first steps only undo it. Here some training examples are read
without gradients, and the rows of the output layer are fitted to the states, a convex problem of seconds. Only then
the network is trained (LP-FT, https://arxiv.org/abs/2202.10054).

Input and output of a decoder are often one table. Then the output gets a table of its own, because a row that is to be
read is another one than a row that is to be predicted. Where they stay one, out of the few directions in which states
vary the start of a row is taken and the fit is put in, so that the input keeps what it reads in all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from genrec.models.hf.vocabulary_head import output_scale
from genrec.models.llm.label_scores import FrozenLogSumExp, LabelScores

if TYPE_CHECKING:
    from genrec.models.llm.language_model import LanguageModel

Batch = Mapping[str, Tensor]

_TO_LOOK_AT = 2  # batches at the beginning say in which directions states vary, as many at the end what is best
_NOISE = 0.1  # spread of the logits that what is left of the start may have
_STEPS, _DECAY = 25, 0.01
_HELD_OUT = 5  # one part of so many says how far to go
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_WORDS, _AHEAD = 1024, 5.0  # states that are compared with words, and how far codes start ahead of them


@dataclass(frozen=True)
class RowFit:
    """What a fit changed.

    Attributes:
        items: Items that it saw.
        before: Mean loss of an item with the rows as they were.
        after: The same with the rows as they are now, on the same examples.
        guess: Loss of an item where every code that may come is as likely as any other.
    """

    items: int
    before: float
    after: float
    guess: float


def fit_code_rows(model: LanguageModel, batches: Sequence[Batch]) -> RowFit | None:
    """Fit the rows of the output layer that stand for codes, in place; what the model says of words stays.

    Where input and output are one table, new rows also change what is read. So the last batches are read again with
    every candidate, and the best one is kept: it may be the rows as they were.

    Args:
        model: Before training; what it reads must be settled.
        batches: Training examples.

    Returns:
        What it changed; None where the output layer is more than a product with rows, or nothing names an item.
    """
    table, check = _CodeTable.of(model), batches[-_TO_LOOK_AT:]
    first = None if table is None else _read(model, batches[:_TO_LOOK_AT])
    if table is None or first is None or (before := _loss(model, check)) is None:
        return None
    one = model.base.get_input_embeddings().weight is model.base.get_output_embeddings().weight
    candidates = [table.read(), _out_of_the_way(table.read(), first[0].flatten(0, 1), all_of_it=not one)]
    table.write(candidates[-1])
    states, codes = _read(model, batches) or first
    masks = _masks(model, codes)
    candidates.append(_fitted(table, states, codes, masks))
    if model.legal is None:
        added = _beside_words(model, candidates[-1], states[:_WORDS])
        candidates += [candidates[-1] + share * added for share in _SHARES if share]
    losses = [before]
    for rows in candidates[1:]:
        table.write(rows)
        losses.append(_loss(model, check) or 0.0)
    table.write(candidates[losses.index(min(losses))])
    guess = sum(float(mask.sum(1).double().log().mean()) for mask in masks)
    return RowFit(len(codes), before, min(losses), guess)


@dataclass(frozen=True)
class _CodeTable:
    """The rows of an output layer that stand for codes.

    Attributes:
        weight: ``(n_codes, dim)`` trained rows, or the whole table.
        ids: Their places in it, level by level.
        sizes: ``codebook_size`` of every level.
        scale: Factor on the states.
    """

    weight: Tensor
    ids: Tensor
    sizes: tuple[int, ...]
    scale: float

    @classmethod
    def of(cls, model: LanguageModel) -> _CodeTable | None:
        """Of a model; None where its output layer does more than a product."""
        scores = _scores(model)
        if scores is None:
            return None
        head = model.base.get_output_embeddings()
        layer = getattr(head, "token_adapter", head)
        if hasattr(layer, "trainable_tokens_delta"):
            weight = layer.trainable_tokens_delta[layer.active_adapters[0]]
            return cls(weight, torch.arange(len(weight)), scores.levels, scores.scale)
        return cls(layer.weight, scores.ids, scores.levels, scores.scale)

    def read(self) -> Tensor:
        """``(n_codes, dim)`` float32 rows, as factors of the states of the model."""
        return self.weight.detach()[self.ids.to(self.weight.device)].float() * self.scale

    def write(self, rows: Tensor) -> None:
        """Put rows in their place."""
        with torch.no_grad():
            self.weight[self.ids.to(self.weight.device)] = (rows / self.scale).to(self.weight)


def _scores(model: LanguageModel) -> LabelScores | None:
    own = model.config.own_logits
    return None if own else LabelScores.of(model.base, model.tokens, output_scale(model.base), frozen=False)


@torch.no_grad()
def _read(model: LanguageModel, batches: Iterable[Batch]) -> tuple[Tensor, Tensor] | None:
    """States before every code of whole semantic IDs, ``(items, n_levels, dim)`` float32, and these IDs."""
    states, codes, was_training = [], [], model.training
    model.eval()
    try:
        for batch in batches:
            on_device = {name: value.to(model.device) for name, value in batch.items()}
            hidden, right, _ = model.label_states(**on_device)
            starts, found = model.labels.find(right)
            states.append(hidden[starts[:, None] + torch.arange(model.n_levels, device=starts.device)].float())
            codes.append(found)
    finally:
        model.train(was_training)
    return (torch.cat(states), torch.cat(codes)) if sum(map(len, codes)) > _HELD_OUT else None


@torch.no_grad()
def _loss(model: LanguageModel, batches: Sequence[Batch]) -> float | None:
    """Mean loss of an item, as training counts it; None without items."""
    found = _read(model, batches)
    if found is None:
        return None
    states, codes = found
    ids = [torch.as_tensor(level, device=codes.device)[codes[:, n]] for n, level in enumerate(model.tokens.ids)]
    _, likelihood = model.label_terms(states.flatten(0, 1), torch.stack(ids, dim=1).flatten())
    return -float(likelihood.double().sum()) / len(codes)


def _masks(model: LanguageModel, codes: Tensor) -> list[Tensor]:
    """Per level ``(items, codebook_size)`` bool: the codes that the loss is among."""
    if model.legal is not None:
        return model.legal.masks(codes)
    return [codes.new_ones(len(codes), size, dtype=torch.bool) for size in model.codebook_sizes]


def _out_of_the_way(rows: Tensor, states: Tensor, *, all_of_it: bool) -> Tensor:
    """Rows without the directions in which states vary most: as few as leave logits with hardly any spread.

    Args:
        rows: ``(n_codes, dim)``.
        states: ``(n, dim)``.
        all_of_it: Without all directions: nothing reads these rows.
    """
    if all_of_it:
        return rows.mean(0).expand_as(rows)
    first, others = states[::2], states[1::2]
    _, directions = torch.linalg.eigh(first.T @ first / len(first))
    mean = rows.mean(0)
    along = (rows - mean) @ directions
    spread = (along * (others @ directions).square().mean(0).sqrt()).square().mean(0).cumsum(0)  # the least one first
    return mean + (along * (spread <= _NOISE**2)) @ directions.T


def _fitted(table: _CodeTable, states: Tensor, codes: Tensor, masks: Sequence[Tensor]) -> Tensor:
    """The rows with what a probe of every level adds, ``(n_codes, dim)``."""
    found, start, held = [], 0, max(1, len(codes) // _HELD_OUT)
    for level, size in enumerate(table.sizes):
        rows = table.read()[start : start + size]
        found.append(rows + _probe(states[:, level], codes[:, level], masks[level], rows, held))
        start += size
    return torch.cat(found)


def _probe(states: Tensor, right: Tensor, mask: Tensor, rows: Tensor, held: int) -> Tensor:
    """What to add to the rows of a level, ``(codebook_size, dim)``: multinomial regression on the states.

    Args:
        states: ``(items, dim)``; the last ``held`` say how far to go.
        right: ``(items,)`` codes.
        mask: ``(items, codebook_size)``.
        rows: ``(codebook_size, dim)`` as they are.
        held: Items that are held out.
    """
    mean, spread = states[:-held].mean(0), float(states[:-held].std()) or 1.0
    given, features = (states @ rows.T).masked_fill(~mask, -torch.inf), (states - mean) / spread
    weights, bias = _regression(features[:-held], right[:-held], lambda found: given[:-held] + found, _DECAY, len(rows))
    added = features[-held:] @ weights.T + bias
    losses = [float(F.cross_entropy(given[-held:] + share * added, right[-held:])) for share in _SHARES]
    share = _SHARES[losses.index(min(losses))]
    return share * _as_rows(weights / spread, bias - weights @ mean / spread, states[:-held])


def _regression(
    features: Tensor, right: Tensor, logits: Callable[[Tensor], Tensor], decay: float, classes: int, bias: Any = 0.0
) -> tuple[Tensor, Tensor]:
    """Weights ``(classes, dim)`` and bias of a multinomial regression, from zero and from ``bias``.

    Args:
        features: ``(n, dim)``, of unit spread.
        right: ``(n,)`` classes.
        logits: What a product ``(n, classes)`` comes to beside what is given.
        decay: Of the weights.
        classes: Their number.
        bias: Start of the bias.
    """
    weights = features.new_zeros(classes, features.shape[1]).requires_grad_()
    constants = (features.new_zeros(classes) + bias).requires_grad_()
    optimizer = torch.optim.LBFGS([weights, constants], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        total = F.cross_entropy(logits(features @ weights.T + constants), right)
        total = total + decay / 2 * weights.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach(), constants.detach()


def _as_rows(weights: Tensor, constants: Tensor, states: Tensor) -> Tensor:
    """Rows whose products with states are ``states @ weights' + constants``; states have much in common."""
    moments = states.T @ states / len(states)
    moments.diagonal().add_(1e-4 * moments.diagonal().mean())
    one = torch.linalg.solve(moments, states.mean(0))  # its product with a state is about 1
    return weights + constants[:, None] * one


def _beside_words(model: LanguageModel, rows: Tensor, states: Tensor) -> Tensor:
    """What to add to the rows of every level, so that a code of the right level comes, no other and no word.

    Args:
        model: Whose words count.
        rows: ``(n_codes, dim)``.
        states: ``(items, n_levels, dim)``.

    Returns:
        ``(n_codes, dim)``, the same for all codes of a level.
    """
    scores: Any = _scores(model)
    flat, level = states.flatten(0, 1), torch.arange(states.shape[1], device=states.device).repeat(len(states))
    words = FrozenLogSumExp.apply(flat * scores.scale, scores.words.detach(), scores.ids)
    sums = torch.stack([part.logsumexp(1) for part in (flat @ rows.T).split(scores.levels, dim=1)], dim=1)
    mean, spread = flat.mean(0), float(flat.std()) or 1.0
    start = (words - sums.T).mean(1) + _AHEAD
    weights, bias = _regression(
        (flat - mean) / spread,
        level,
        lambda found: torch.cat([sums + found, words[:, None]], dim=1),
        _DECAY / 100,
        len(scores.levels),
        start,
    )
    added = _as_rows(weights / spread, bias - weights @ mean / spread, flat)
    return added.repeat_interleave(torch.tensor(scores.levels, device=added.device), dim=0)
