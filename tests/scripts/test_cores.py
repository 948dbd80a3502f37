"""How many workers the test script starts."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "cores.py"
spec = importlib.util.spec_from_file_location("cores", SCRIPT)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

NEW = "/sys/fs/cgroup/cpu.max"
OLD = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({NEW: "max 100000"}, 8),
        ({NEW: "200000 100000"}, 2),
        ({NEW: "150000 100000"}, 2),
        ({NEW: "20000 100000"}, 1),
        ({NEW: "9900000 100000"}, 8),
        ({NEW: "strange"}, 8),
        (dict(zip(OLD, ("300000", "100000"), strict=True)), 3),
        (dict(zip(OLD, ("-1", "100000"), strict=True)), 8),
    ],
)
def test_a_container_s_quota_counts(files, expected):
    assert module.cores(8, files.get) == expected


def test_no_more_workers_than_the_memory_carries():
    assert module.workers(16, "MemTotal: 9 kB\nMemAvailable:    6291456 kB\n") == 4
    assert module.workers(2, "MemAvailable: 99999999 kB") == 2
    assert module.workers(2, "MemAvailable: 1 kB") == 1
    assert module.workers(3, None) == 3


def test_it_prints_a_number():
    said = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True).stdout
    assert int(said) >= 1
