"""How many tokens examples will have, without rendering each: what batches of similar length are made from."""

from __future__ import annotations

import numpy as np

from genrec.models.history_batches import HistoryExamples
from genrec.prompts import PromptRenderer, Sample

_PROBES, _CORRECTIONS = 32, 200
_MINUTE = 60
_NOBODY = np.zeros(0, dtype=np.int32)


def item_task_lengths(renderer: PromptRenderer, items: np.ndarray) -> np.ndarray:
    """Tokens of the examples about ``items (n,)``: ``(n,)`` int64; of an encoder-decoder those of the prompt.

    Raises:
        DataError: An item is too long for the budget.
    """
    sources = np.array([_source_length(renderer, _NOBODY, int(item)) for item in items], dtype=np.int64)
    answers = _answers(renderer, items)
    _check(renderer, sources, answers, [Sample(_NOBODY, int(item)) for item in items[[np.argmax(sources + answers)]]])
    return sources if renderer.seq2seq else sources + answers


def history_task_lengths(
    renderer: PromptRenderer, pairs: HistoryExamples, rows: np.ndarray, times: np.ndarray | None = None
) -> np.ndarray:
    """Tokens of the examples of some ``(history, next item)`` rows, ``(n,)`` int64; see :func:`item_task_lengths`.

    A prompt is nearly linear in its items: prompts of one and of two items give the part of each and the constant
    part; a few rendered examples correct what is left (times between items, stated preferences).

    Raises:
        DataError: An item is too long for the budget even alone.
    """
    targets = pairs.items[pairs.stops[rows] - 1]
    seen = np.unique(pairs.items)
    single = np.zeros(int(seen.max()) + 1, dtype=np.int64)
    single[seen] = _single_lengths(renderer, seen)
    constant = _constant(renderer, seen, single)
    ends = np.r_[0, np.cumsum(single[pairs.items] - constant)]
    sources = ends[pairs.stops[rows] - 1] - ends[pairs.starts[rows]] + constant
    answers = np.zeros(len(single), dtype=np.int64)
    answers[np.unique(targets)] = _answers(renderer, np.unique(targets))
    longest, target = seen[np.argmax(single[seen])], np.argmax(answers)
    worst = Sample(np.array([longest]), int(target), np.array([_MINUTE]))
    _check(renderer, single[[longest]], answers[[target]], [worst])
    sources = _corrected(renderer, pairs, rows, times, sources)
    # An encoder-decoder pads its two sides apart, and the prompt is by far the longer one.
    whole = sources if renderer.seq2seq else sources + answers[targets]
    lengths: np.ndarray = np.minimum(whole, renderer.max_tokens)
    return lengths


def _corrected(
    renderer: PromptRenderer, pairs: HistoryExamples, rows: np.ndarray, times: np.ndarray | None, sources: np.ndarray
) -> np.ndarray:
    """Estimates moved to the least-squares line through some real lengths, ``(n,)`` int64."""
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _CORRECTIONS)).astype(np.int64)
    counts = pairs.stops[rows] - pairs.starts[rows] - 1
    features = np.stack([np.ones(len(rows)), counts > 0, counts, sources], axis=1)
    real = []
    for row in rows[chosen]:
        part = slice(pairs.starts[row], pairs.stops[row] - 1)
        sample = Sample(pairs.items[part], None, None if times is None else times[part])
        real.append(renderer.source_length(sample))
    weights = np.linalg.lstsq(features[chosen], np.array(real), rcond=None)[0]
    return np.maximum(np.rint(features @ weights), 1).astype(np.int64)


def _check(renderer: PromptRenderer, sources: np.ndarray, answers: np.ndarray, worst: list[Sample]) -> None:
    """Render the longest samples where the budget may be too small, so that training does not break in the middle."""
    if (sources + (0 if renderer.seq2seq else answers)).max(initial=0) > renderer.max_tokens:
        for sample in worst:
            renderer.render(sample)


def _source_length(renderer: PromptRenderer, history: np.ndarray, target: int | None = None) -> int:
    times = np.arange(1, len(history) + 1) * _MINUTE
    return renderer.source_length(Sample(history, target, times))


def _single_lengths(renderer: PromptRenderer, items: np.ndarray) -> np.ndarray:
    """Tokens of a prompt with one item, ``(n,)``; where probes are all equal (codes only), so are the others."""
    probes = items[:: max(1, len(items) // _PROBES)]
    found = {_source_length(renderer, np.array([item])) for item in probes}
    if len(found) == 1:
        return np.full(len(items), found.pop())
    return np.array([_source_length(renderer, np.array([item])) for item in items], dtype=np.int64)


def _constant(renderer: PromptRenderer, items: np.ndarray, single: np.ndarray) -> int:
    """Tokens of a prompt that belong to no item."""
    left = items[:: max(1, len(items) // _PROBES)]
    right = np.roll(left, 1)
    both = [_source_length(renderer, np.array(pair)) for pair in zip(left, right, strict=True)]
    return int(np.median(single[left] + single[right] - both))


def _answers(renderer: PromptRenderer, items: np.ndarray) -> np.ndarray:
    if renderer.task.generates_items:
        return np.full(len(items), renderer.items.codes.shape[1], dtype=np.int64)
    return np.array([len(renderer.target_ids(int(item))) for item in items], dtype=np.int64)
