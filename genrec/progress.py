"""How far something is: one type for all that takes long."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, steps done, and steps in all.

What stands behind a colon are details, such as the loss of an epoch. It may raise to stop what is being done.
"""
