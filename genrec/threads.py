"""How many threads the computing libraries take, and how they wait for one another.

Both are read from the environment when PyTorch is first imported, so they are said before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path

_QUOTA = "/sys/fs/cgroup/cpu.max"
_OLD_QUOTA = ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us")


def quota(read: Callable[[str], str | None]) -> float | None:
    """Cores that a container may use, None without a limit; both versions of control groups.

    Args:
        read: Text of a file, or None where there is no such file.
    """
    parts = (read(_QUOTA) or "").split() or [read(path) or "" for path in _OLD_QUOTA]
    try:
        limit, period = (int(part) for part in parts)
    except ValueError:  # "max", or nothing there
        return None
    return limit / period if limit > 0 and period > 0 else None


def cores(affinity: int, read: Callable[[str], str | None]) -> int:
    """Cores that may be used, at least one.

    Args:
        affinity: Cores that the scheduler may put this process on.
        read: As in :func:`quota`.
    """
    limit = quota(read)
    return max(1, affinity if limit is None else min(affinity, int(limit + 0.5)))


def usable_cores() -> int:
    """Cores that this process may use: its affinity, within the quota of its container."""
    return cores(_affinity(), _read)


def prepare(environment: MutableMapping[str, str] = os.environ) -> None:
    """Say how threads are counted and how they wait, unless somebody has said so.

    Waiting threads sleep instead of spinning. Where other processes want the cores, too, spinning threads hold up the
    very thread that they wait for: measured beside busy processes, two spinning threads recommended for 8 to 43 users a
    second where one thread did 107 to 139 and two sleeping ones 132 to 165. ``scripts/bench_threads.py`` measures it.
    A container with a quota below its machine's cores gets as many threads as the quota pays for.

    Nothing is changed once PyTorch is loaded: it would have no effect.

    Args:
        environment: What is read and changed.
    """
    if "torch" in sys.modules:
        return
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    allowed = usable_cores()
    if allowed < _affinity():
        environment.setdefault("OMP_NUM_THREADS", str(allowed))


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None
