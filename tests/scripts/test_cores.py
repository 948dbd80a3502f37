"""How many workers the test script starts."""

import importlib.util
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "cores.py"
spec = importlib.util.spec_from_file_location("cores", SCRIPT)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


def test_no_more_workers_than_the_memory_carries():
    assert module.workers(16, "MemTotal: 9 kB\nMemAvailable:    6291456 kB\n") == 4
    assert module.workers(2, "MemAvailable: 99999999 kB") == 2
    assert module.workers(2, "MemAvailable: 1 kB") == 1
    assert module.workers(3, None) == 3


def test_it_prints_a_number():
    said = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=True).stdout
    assert int(said) >= 1
