"""Prints how many processes may run side by side here: test.sh starts as many workers.

Counted are the cores that this process may use (affinity, container quota), as far as there is memory for a process on
each.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

_MIB_EACH = 1536  # torch, transformers and a tiny network
_QUOTA = "/sys/fs/cgroup/cpu.max"
_OLD_QUOTA = ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us")


def quota(read: Callable[[str], str | None]) -> float | None:
    """Cores that a container may use, None without a limit; both versions of control groups."""
    parts = (read(_QUOTA) or "").split() or [read(path) or "" for path in _OLD_QUOTA]
    try:
        limit, period = (int(part) for part in parts)
    except ValueError:  # "max", or nothing there
        return None
    return limit / period if limit > 0 and period > 0 else None


def cores(affinity: int, read: Callable[[str], str | None]) -> int:
    """Cores that may be used, at least one."""
    limit = quota(read)
    return max(1, affinity if limit is None else min(affinity, int(limit + 0.5)))


def workers(n_cores: int, meminfo: str | None) -> int:
    """One for each core, as far as the memory goes; at least one."""
    for line in (meminfo or "").splitlines():
        if line.startswith("MemAvailable:"):
            return max(1, min(n_cores, int(line.split()[1]) // 1024 // _MIB_EACH))
    return n_cores


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return None


if __name__ == "__main__":
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    print(workers(cores(usable, _read), _read("/proc/meminfo")))
