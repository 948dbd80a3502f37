"""Attention of short histories and its gradients, compiled for the CPU by Numba.

See :mod:`genrec.models.layer_kernels`. Loops are short, and over few arrays each: the compiler checks at every loop
that arrays do not overlap.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from genrec.compiling import Array, compiled_loops
from genrec.models.layer_kernels import exponential

_F = np.float32
_HIDDEN = _F(-1e37)  # a bias below it hides a token


@compiled_loops
def _turn(
    x: Array,
    row: int,
    head: int,
    weight: Array,
    epsilon: Any,
    angles: Array,
    at: int,
    out: Array,
    to: int,
    turned: Array,
) -> None:
    """One head of a row, normalised where there is a weight and rotated by its position, into ``out[to]``.

    Args:
        x: ``(rows, heads, dim)``.
        row: Of it.
        head: Of it.
        weight: ``(dim,)`` of the norm, or empty: there is none.
        epsilon: Of the norm.
        angles: ``(2, places, dim)`` cosines, and sines with the sign of what is added.
        at: Place of the row.
        out: ``(n, dim)``.
        to: Row of it that is written.
        turned: ``(3 * dim / 2,)`` for what is between.
    """
    dim = x.shape[2]
    half, inverse = dim // 2, _F(1)
    if len(weight):
        total = _F(0)
        for i in range(dim):
            total += x[row, head, i] * x[row, head, i]
        inverse /= np.sqrt(total / _F(dim) + epsilon)
    for i in range(dim):
        turned[i] = x[row, head, i] * inverse
    for i in range(len(weight)):
        turned[i] *= weight[i]
    for i in range(half):
        turned[dim + i] = turned[i]
    swapped = turned[half:]
    for i in range(dim):
        out[to, i] = turned[i] * angles[0, at, i]
    for i in range(dim):
        out[to, i] += swapped[i] * angles[1, at, i]


@compiled_loops
def turn(x: Array, weight: Array, epsilon: Any, angles: Array, out: Array) -> None:
    """Heads of all rows, normalised where there is a weight and rotated by their positions.

    Args:
        x: ``(users * n, heads, dim)``.
        weight: ``(dim,)`` of the norm; empty: there is none.
        epsilon: Of the norm.
        angles: ``(2, n or users * n, dim)``, of all users or of each; see :func:`_turn`.
        out: ``(users, heads, n, dim)``.
    """
    users, heads, n, dim = out.shape
    turned, flat = np.empty(dim + dim // 2, np.float32), out.reshape(-1, dim)
    for row in range(users * n):
        user, i = row // n, row % n
        angle = row if angles.shape[1] > n else i
        for head in range(heads):
            _turn(x, row, head, weight, epsilon, angles, angle, flat, (user * heads + head) * n + i, turned)


@compiled_loops
def _unturn(given: Array, place: int, angles: Array, at: int, turned: Array) -> None:
    """Rotate ``given[place]`` back; see :func:`_turn`."""
    dim = given.shape[1]
    half = dim // 2
    for i in range(dim):
        turned[i] = given[place, i] * angles[1, at, i]
    for i in range(half):
        turned[dim + i] = turned[i]
    swapped = turned[half:]
    for i in range(dim):
        given[place, i] *= angles[0, at, i]
    for i in range(dim):
        given[place, i] += swapped[i]


@compiled_loops
def _turn_back(
    x: Array,
    row: int,
    head: int,
    weight: Array,
    epsilon: Any,
    given: Array,
    place: int,
    out: Array,
    weight_out: Array,
    turned: Array,
) -> None:
    """The gradient of :func:`_turn`, from the rotated-back ``given[place]``, into ``out[row, head]``."""
    dim, inverse, shared, total = x.shape[2], _F(1), _F(0), _F(0)
    if len(weight):
        for i in range(dim):
            total += x[row, head, i] * x[row, head, i]
        inverse /= np.sqrt(total / _F(dim) + epsilon)
        for i in range(dim):
            turned[i] = given[place, i] * x[row, head, i]
        for i in range(dim):
            weight_out[i] += turned[i] * inverse
        for i in range(dim):
            shared += turned[i] * weight[i]
        shared *= inverse * inverse * inverse / _F(dim)
        for i in range(dim):
            given[place, i] *= weight[i]
    for i in range(dim):
        out[row, head, i] = given[place, i] * inverse
    for i in range(dim):
        out[row, head, i] -= x[row, head, i] * shared


@compiled_loops
def _weigh(
    query: Array, keys: Array, bias: Array, biased: int, last: int, scale: Any, weights: Array, row: int
) -> None:
    """Attention weights of one query over the first ``last`` keys into ``weights[row]``; ``bias`` may be empty."""
    highest, total, dim = _F(-np.inf), _F(0), keys.shape[1]
    for j in range(last):
        score = _F(0)
        for at in range(dim):
            score += query[0, at] * keys[j, at]
        score *= scale
        if len(bias):
            score = score + bias[biased, j] if bias[biased, j] > _HIDDEN else _F(-np.inf)
        weights[row, j] = score
        highest = max(highest, score)
    for j in range(last):
        weights[row, j] = exponential(weights[row, j] - highest) if weights[row, j] > _F(-np.inf) else _F(0)
        total += weights[row, j]
    total = _F(1) / total if total > 0 else _F(0)
    for j in range(last):
        weights[row, j] *= total
    for j in range(last, weights.shape[1]):
        weights[row, j] = _F(0)


@compiled_loops
def _mix(weights: Array, row: int, last: int, projected: Array, start: int, value: int, mixed: Array) -> None:
    """The mixture ``mixed (1, dim)`` of values by the weights of one query."""
    dim = projected.shape[2]
    for at in range(dim):
        mixed[0, at] = _F(0)
    for j in range(last):
        for at in range(dim):
            mixed[0, at] += weights[row, j] * projected[start + j, value, at]


@compiled_loops
def attend(
    projected: Array,
    query_weight: Array,
    key_weight: Array,
    epsilon: Any,
    angles: Array,
    bias: Array,
    weights: Array,
    out: Array,
) -> None:
    """Attention of short sequences.

    Args:
        projected: ``(>= users * n, heads + 2 * groups, dim)`` queries, keys and values.
        query_weight: ``(dim,)`` of the norm of queries; empty: there is none.
        key_weight: The same of keys.
        epsilon: Of the norms.
        angles: ``(2, n or users * n, dim)``, of all users or of each; see :func:`_turn`.
        bias: ``(users or 1, n, n)`` is added; of no users: every token sees those before it and itself.
        weights: ``(users, heads, n, n)`` are kept for :func:`attend_back`.
        out: ``(>= users * n, heads, dim)``.
    """
    users, heads, n, _ = weights.shape
    dim, groups = projected.shape[2], (projected.shape[1] - heads) // 2
    share, causal, scale = heads // groups, len(bias) == 0, _F(1) / np.sqrt(_F(dim))
    keys, query = np.empty((n, dim), np.float32), np.empty((1, dim), np.float32)
    turned, table, biases = np.empty(dim + dim // 2, np.float32), weights.reshape(-1, n), bias.reshape(-1, n)
    for user in range(users):
        start, angle, biased = user * n, user * n if angles.shape[1] > n else 0, user * n if len(bias) > 1 else 0
        for head in range(heads):
            key, value = heads + head // share, heads + groups + head // share
            if head % share == 0:
                for j in range(n):
                    _turn(projected, start + j, key, key_weight, epsilon, angles, angle + j, keys, j, turned)
            for i in range(n):
                last, row = i + 1 if causal else n, (user * heads + head) * n + i
                _turn(projected, start + i, head, query_weight, epsilon, angles, angle + i, query, 0, turned)
                _weigh(query, keys, biases, biased + i, last, scale, table, row)
                _mix(table, row, last, projected, start, value, query)
                for at in range(dim):
                    out[start + i, head, at] = query[0, at]


@compiled_loops
def _weigh_back(
    weights: Array,
    row: int,
    given: Array,
    place: int,
    head: int,
    projected: Array,
    start: int,
    value: int,
    out: Array,
    slopes: Array,
    scale: Any,
) -> None:
    """Gradients of the values into ``out``, and of one query's scores into ``slopes (n,)``."""
    mean, dim, n = _F(0), projected.shape[2], weights.shape[1]
    for j in range(n):
        slope, weight = _F(0), weights[row, j]
        if weight != 0:
            for at in range(dim):
                slope += given[place, head, at] * projected[start + j, value, at]
            for at in range(dim):
                out[start + j, value, at] += weight * given[place, head, at]
        slopes[j] = slope
        mean += slope * weight
    for j in range(n):
        slopes[j] = weights[row, j] * (slopes[j] - mean) * scale


@compiled_loops
def _scores_back(slopes: Array, query: Array, keys: Array, to_query: Array, to_keys: Array) -> None:
    """Gradients of one query, and of the keys, which are added to."""
    dim = keys.shape[1]
    for at in range(dim):
        to_query[0, at] = _F(0)
    for j in range(len(slopes)):
        if slopes[j] != 0:
            for at in range(dim):
                to_query[0, at] += slopes[j] * keys[j, at]
            for at in range(dim):
                to_keys[j, at] += slopes[j] * query[0, at]


@compiled_loops
def attend_back(
    projected: Array,
    query_weight: Array,
    key_weight: Array,
    epsilon: Any,
    angles: Array,
    weights: Array,
    given: Array,
    out: Array,
    query_out: Array,
    key_out: Array,
) -> None:
    """Gradients of :func:`attend`: ``out``, of the shape of ``projected``, and of the norms' weights, added to.

    ``given (>= users * n, heads, dim)`` is the gradient of its output, ``weights`` is what it kept.
    """
    users, heads, n, _ = weights.shape
    dim, groups = projected.shape[2], (projected.shape[1] - heads) // 2
    share, scale = heads // groups, _F(1) / np.sqrt(_F(dim))
    keys, query = np.empty((n, dim), np.float32), np.empty((1, dim), np.float32)
    to_keys, to_query = np.empty((n, dim), np.float32), np.empty((1, dim), np.float32)
    slopes, turned, table = np.empty(n, np.float32), np.empty(dim + dim // 2, np.float32), weights.reshape(-1, n)
    for user in range(users):
        start, angle = user * n, user * n if angles.shape[1] > n else 0
        for head in range(heads):
            key, value = heads + head // share, heads + groups + head // share
            if head % share == 0:
                for j in range(n):
                    _turn(projected, start + j, key, key_weight, epsilon, angles, angle + j, keys, j, turned)
                    for at in range(dim):
                        to_keys[j, at] = _F(0)
                        out[start + j, value, at] = _F(0)
            for i in range(n):
                row, place = (user * heads + head) * n + i, start + i
                _turn(projected, place, head, query_weight, epsilon, angles, angle + i, query, 0, turned)
                _weigh_back(table, row, given, place, head, projected, start, value, out, slopes, scale)
                _scores_back(slopes, query, keys, to_query, to_keys)
                _unturn(to_query, 0, angles, angle + i, turned)
                _turn_back(projected, place, head, query_weight, epsilon, to_query, 0, out, query_out, turned)
            if head % share == share - 1:
                for j in range(n):
                    _unturn(to_keys, j, angles, angle + j, turned)
                    _turn_back(projected, start + j, key, key_weight, epsilon, to_keys, j, out, key_out, turned)
