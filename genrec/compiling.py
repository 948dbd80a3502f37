"""Functions that Numba compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

_ANY_ORDER: dict[str, Any] = {"fastmath": {"reassoc", "contract", "nsz"}, "error_model": "numpy"}
"""Sums in any order, which vector units need; infinite and no numbers stay what they are."""


def compiled(function: Callable[..., Any]) -> Any:
    """Compiled at the first call, and kept on disk for later processes where Numba finds a folder that it may write."""
    return _compile(function, {})


def compiled_loops(function: Callable[..., Any]) -> Any:
    """The same for arithmetic over rows of float32 numbers, whose sums may be taken in any order."""
    return _compile(function, _ANY_ORDER)


def compiled_elements(function: Callable[..., Any]) -> Any:
    """The same for arithmetic on each number alone, which has one result whichever loop computes it.

    What LLVM may contract or reorder is rounded otherwise in its vector loops than in its plain ones, and which of them
    runs depends on where the arrays lie: trainings of the same seed differed in the last bit.
    """
    return _compile(function, {"error_model": "numpy"})


def _compile(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    try:
        return njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:
        return njit(nogil=True, **options)(function)
