"""What stands between the products of a decoder layer, and its gradients, compiled for the CPU by Numba.

As tensor operations, norms, gates and dropout pass over memory some thirty times a layer, and dropout's
random numbers come one at a time. That was half the time of training a small recommender.

All arrays are float32 and hold one token a row. Random numbers are a hash of the place and of two numbers that the
caller draws (the mixer of Chris Wellons' ``lowbias32``), so the backward pass makes them again instead of keeping them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from genrec.compiling import Array, compiled_elements, compiled_loops

_U, _F = np.uint32, np.float32


@compiled_loops
def _kept(place: Any, first: Any, second: Any, least: Any) -> bool:
    """Whether a place is kept: a hash of it is ``least`` or more."""
    mixed = _U(place + first)
    mixed = _U(_U(mixed ^ _U(mixed >> _U(16))) * _U(0x7FEB352D))
    mixed = _U(_U(mixed ^ second ^ _U(mixed >> _U(15))) * _U(0x846CA68B))
    return bool(_U(mixed ^ _U(mixed >> _U(16))) >= least)


@compiled_loops
def exponential(x: Any) -> Any:
    """The exponential function to float32's accuracy, in operations that vector units have."""
    x = min(max(x, _F(-87)), _F(88))
    whole = np.floor(x * _F(1.44269504) + _F(0.5))
    rest = x - whole * _F(0.693359375) + whole * _F(2.12194440e-4)
    series = _F(1.9875691500e-4) * rest + _F(1.3981999507e-3)
    series = series * rest + _F(8.3334519073e-3)
    series = series * rest + _F(4.1665795894e-2)
    series = series * rest + _F(1.6666665459e-1)
    series = series * rest + _F(5.0000001201e-1)
    power = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
    return (series * rest * rest + rest + _F(1)) * power


@compiled_loops
def drop(x: Array, first: Any, second: Any, least: Any, scale: Any, out: Array) -> None:
    """``out`` is ``x (rows, dim)`` times ``scale`` where a place is kept, else nothing."""
    rows, dim = x.shape
    for row in range(rows):
        start = _U(row * dim)
        for at in range(dim):
            kept = _kept(_U(start + _U(at)), first, second, least)
            out[row, at] = x[row, at] * scale if kept else _F(0)


@compiled_loops
def drop_add(x: Array, first: Any, second: Any, least: Any, scale: Any, residual: Array, out: Array) -> None:
    """The same plus ``residual (rows, dim)``."""
    rows, dim = x.shape
    for row in range(rows):
        start = _U(row * dim)
        for at in range(dim):
            kept = _kept(_U(start + _U(at)), first, second, least)
            out[row, at] = residual[row, at] + (x[row, at] * scale if kept else _F(0))


@compiled_loops
def _inverse(x: Array, epsilon: Any) -> Any:
    """One over the root of the mean square of a row."""
    total = _F(0)
    for at in range(len(x)):
        total += x[at] * x[at]
    return _F(1) / np.sqrt(total / _F(len(x)) + epsilon)


@compiled_loops
def norm(x: Array, weight: Array, epsilon: Any, out: Array) -> None:
    """Rows ``x (rows, dim)`` over their root mean square, times ``weight (dim,)``."""
    for row in range(len(x)):
        inverse = _inverse(x[row], epsilon)
        for at in range(len(weight)):
            out[row, at] = x[row, at] * inverse * weight[at]


@compiled_loops
def _norm_row_back(x: Array, weight: Array, epsilon: Any, given: Array, out: Array, weight_out: Array) -> None:
    """The gradient of one row of :func:`norm`; ``weight_out`` is added to."""
    inverse, total = _inverse(x, epsilon), _F(0)
    for at in range(len(weight)):
        total += given[at] * weight[at] * x[at]
        weight_out[at] += given[at] * x[at] * inverse
    total *= inverse * inverse * inverse / _F(len(weight))
    for at in range(len(weight)):
        out[at] = given[at] * weight[at] * inverse - x[at] * total


@compiled_loops
def norm_back(x: Array, weight: Array, epsilon: Any, given: Array, out: Array, weight_out: Array) -> None:
    """Gradients of :func:`norm`: ``out (rows, dim)``, and ``weight_out (dim,)``, which is added to."""
    for row in range(len(x)):
        _norm_row_back(x[row], weight, epsilon, given[row], out[row], weight_out)


@compiled_loops
def gate(x: Array, out: Array) -> None:
    """``silu(first half) * second half`` of ``x (rows, 2 * dim)``."""
    rows, dim = out.shape
    for row in range(rows):
        for at in range(dim):
            out[row, at] = x[row, at] / (_F(1) + exponential(-x[row, at])) * x[row, dim + at]


@compiled_elements
def gate_back(x: Array, given: Array, out: Array) -> None:
    """The gradient of :func:`gate`, of the shape of ``x``."""
    rows, dim = given.shape
    sigmoids = np.empty(dim, np.float32)
    for row in range(rows):
        for at in range(dim):
            sigmoids[at] = _F(1) / (_F(1) + exponential(-x[row, at]))
        for at in range(dim):
            slope = sigmoids[at] * (_F(1) + x[row, at] * (_F(1) - sigmoids[at]))
            out[row, at] = given[row, at] * x[row, dim + at] * slope
        for at in range(dim):
            out[row, dim + at] = given[row, at] * x[row, at] * sigmoids[at]
