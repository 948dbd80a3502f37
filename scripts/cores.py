"""Prints how many processes may run side by side here: test.sh starts as many workers.

Counted are the cores that this process may use (affinity, container quota), as far as there is memory for a process on
each.
"""

from __future__ import annotations

from pathlib import Path

from genrec.threads import usable_cores

_MIB_EACH = 1536  # torch, transformers and a tiny network


def workers(n_cores: int, meminfo: str | None) -> int:
    """One for each core, as far as the memory goes; at least one."""
    for line in (meminfo or "").splitlines():
        if line.startswith("MemAvailable:"):
            return max(1, min(n_cores, int(line.split()[1]) // 1024 // _MIB_EACH))
    return n_cores


def _memory() -> str | None:
    try:
        return Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None


if __name__ == "__main__":
    print(workers(usable_cores(), _memory()))
