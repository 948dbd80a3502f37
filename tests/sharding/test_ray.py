"""Sharded batch work on a Ray cluster of this machine; needs the extra ``ray``."""

import os
import signal
import sys
from pathlib import Path

import polars as pl
import pytest

from genrec.errors import ConfigError, MissingExtraError
from genrec.sharding import JobSettings, run_sharded
from genrec.sharding.ray_engine import _check_cores
from genrec.sharding.store import ArrowStore, open_store


def files_of(out):
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.is_file()}


def test_a_plan_that_would_wait_for_ever_is_refused():
    _check_cores(3, 2)
    with pytest.raises(ConfigError, match="need 3 cores, and the cluster has 2"):
        _check_cores(2, 2)


def test_without_ray_the_message_names_the_extra(trained, tables, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"genrec\[ray\]"):
        run_sharded(JobSettings(str(trained[1]), k=5), tables[1], tmp_path / "out", engine="ray")


def test_the_same_job_without_a_cluster(trained, tables, tmp_path, no_ray):
    """All that is ours of the engine: what an actor is given, what it makes, and what it says of it."""
    settings = JobSettings(str(trained[1]), k=5)
    told = []
    one = run_sharded(settings, tables[1], tmp_path / "local", shard_users=20)
    two = run_sharded(
        *(settings, tables[1], tmp_path / "ray"),
        shard_users=20,
        engine="ray",
        workers=2,
        progress=lambda *now: told.append(now),
    )
    assert two == one
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "local")
    assert told[-1][1] == told[-1][2] == one["users"]
    assert no_ray["num_cpus"] == 3
    assert no_ray["niceness"] == "0"
    assert no_ray["ended"]


@pytest.mark.ray
def test_actors_make_the_same_bytes_and_a_killed_one_is_replaced(trained, tables, tmp_path):
    ray = pytest.importorskip("ray")
    settings = JobSettings(str(trained[1]), k=5)
    run_sharded(settings, tables[1], tmp_path / "local", shard_users=10)
    killed = []

    def kill_one(*_):
        actors = [pid for pid, line in _processes() if line.startswith("ray::") and "ShardActor" in line]
        if actors and not killed:
            killed.append(actors[0])
            os.kill(actors[0], signal.SIGKILL)

    run_sharded(settings, tables[1], tmp_path / "ray", shard_users=10, engine="ray", workers=2, progress=kill_one)
    assert killed
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "local")
    assert not ray.is_initialized()


def _processes():
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield int(path.parent.name), path.read_text()
        except OSError:
            continue


@pytest.mark.ray
def test_a_uri_holds_the_same_files(trained, tables, tmp_path):
    pytest.importorskip("pyarrow")
    settings = JobSettings(str(trained[1]), k=5)
    uri = f"file://{tmp_path}/remote"
    assert isinstance(open_store(uri), ArrowStore)
    run_sharded(settings, tables[1], uri, shard_users=20)
    made = run_sharded(settings, tables[1], tmp_path / "local", shard_users=20)
    assert files_of(tmp_path / "remote") == files_of(tmp_path / "local")
    assert pl.read_parquet(tmp_path / "remote" / "part-*.parquet").height == made["rows"]
