"""Threads: how many a container pays for, and how they wait."""

import os
import subprocess
import sys

import pytest

from genrec import threads

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
    assert threads.cores(8, files.get) == expected


def test_the_cores_of_this_process_are_counted():
    assert 1 <= threads.usable_cores() <= (os.cpu_count() or 1)


def test_waiting_threads_sleep_and_a_quota_bounds_them(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(threads, "_affinity", lambda: 8)
    monkeypatch.setattr(threads, "_read", {NEW: "200000 100000"}.get)
    said = {}
    threads.prepare(said)
    assert said == {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "2"}


def test_what_somebody_said_stays(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(threads, "_affinity", lambda: 8)
    monkeypatch.setattr(threads, "_read", {NEW: "200000 100000"}.get)
    said = {"OMP_WAIT_POLICY": "ACTIVE", "OMP_NUM_THREADS": "5"}
    threads.prepare(said)
    assert said == {"OMP_WAIT_POLICY": "ACTIVE", "OMP_NUM_THREADS": "5"}


def test_without_a_quota_the_number_stays_open(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(threads, "_read", {}.get)
    said = {}
    threads.prepare(said)
    assert said == {"OMP_WAIT_POLICY": "PASSIVE"}


def test_nothing_is_said_once_torch_is_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", object())
    said = {}
    threads.prepare(said)
    assert said == {}


def test_genrec_says_it_before_torch_is_loaded_and_commands_let_no_thread_spin():
    code = (
        "import os, sys, genrec; from genrec.cli.console import quiet_libraries; quiet_libraries();"
        "print(os.environ['OMP_WAIT_POLICY'], 'GOMP_SPINCOUNT' in os.environ, 'torch' in sys.modules)"
    )
    unset = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}  # a count of spins is stronger than the policy
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert said.stdout.split() == ["PASSIVE", "False", "False"]
