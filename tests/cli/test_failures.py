"""Errors of the system and of libraries as a user reads them."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
import pytest
from safetensors import SafetensorError
from typer.testing import CliRunner

from genrec.cli.failures import explained
from genrec.cli.main import app
from genrec.errors import DataError

FAILURES = {
    "full": (OSError(errno.ENOSPC, "No space left on device", "/data/out"), "No space left on device", "room"),
    "forbidden": (PermissionError(errno.EACCES, "Permission denied", "/data/out"), "Permission denied", "rights"),
    "gone": (FileNotFoundError(errno.ENOENT, "No such file", "/a", None, "/b"), "where: /a and /b", "Check the path"),
    "odd": (OSError("1000 requested and 3 written"), "1000 requested and 3 written", "Check the path"),
    "safetensors": (SafetensorError("Error while serializing: I/O error"), "safetensors: Error while", "disk full"),
    "polars": (pl.exceptions.ComputeError("No space left on device (os error 28)"), "polars: No space", "disk full"),
    "torch": (
        RuntimeError("[enforce fail at inline_container.cc:858] . PytorchStreamWriter failed"),
        "checkpoint",
        "full",
    ),
    "memory": (MemoryError("Unable to allocate 3 TiB"), "not enough memory", "smaller batches"),
    "memory of torch": (
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you "
            "tried to allocate 4096000000000 bytes. Error code 12 (Cannot allocate memory)"
        ),
        "not enough memory: can't allocate memory: you tried to allocate 4096000000000 bytes",
        "smaller sizes",
    ),
    "sizes of torch": (
        RuntimeError("Storage size calculation overflowed with sizes=[1000000000000, 10000000000]"),
        "not enough memory: Storage size",
        "smaller sizes",
    ),
    "library": (
        OSError("Could not find/load shared object file 'a.so'"),
        "compiled code cannot be loaded",
        "ulimit -v",
    ),
    "ours": (DataError("A row is wrong."), "A row is wrong", ""),
}


@pytest.mark.parametrize("name", sorted(FAILURES))
def test_what_and_what_to_do(name):
    error, what, hint = FAILURES[name]
    message = str(explained(error))
    assert what in message
    assert hint in message


@pytest.mark.parametrize("error", [BrokenPipeError(), RuntimeError("a bug"), KeyError("x"), KeyboardInterrupt()])
def test_everything_else_is_no_message(error):
    """A reader that has gone is none of our business; a bug must be seen as one."""
    assert explained(error) is None


def test_a_link_that_leads_back_to_itself_is_one_error(tables, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    made = CliRunner().invoke(app, ["index", "build", str(tables[0]), "--out", str(tmp_path / "loop")])
    assert made.exit_code == 1
    assert isinstance(made.exception, SystemExit)
    assert "Error: " in made.output
    assert str(explained(RuntimeError("Symlink loop from '/data/loop'"))).startswith("A link leads back to itself.")


def test_a_demo_whose_disk_is_full_leaves_nothing(tmp_path, monkeypatch):
    from genrec.data import shop

    def full(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(shop, "write_shop", full)
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "runs" / "demo")])
    assert result.exit_code == 1
    assert "No space left" in result.output
    assert not list(tmp_path.iterdir())


def test_bytes_that_are_no_text_are_refused_before_anything_is_read(tables, tmp_path):
    odd = tmp_path / "d\udcff"
    calls = (
        ["data", "check", odd / "items.csv"],
        ["index", "build", tables[0], "--out", odd / "index"],
        ["evaluate", odd, tables[1], "--out", tmp_path / "e"],
        ["audit", tables[0], odd, "--out", tmp_path / "o"],
    )
    for words in calls:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 1, words
        assert "no UTF-8" in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_report_that_finds_no_room_says_that_the_output_is_whole(trained, tables, tmp_path):
    command = [sys.executable, "-m", "genrec", "generate", trained[1], tables[1], "--out", tmp_path / "o.parquet"]
    with Path("/dev/full").open("w") as full:
        made = subprocess.run(
            [str(word) for word in command], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert made.returncode == 1
    assert "The report of this command cannot be written: No space left" in made.stderr
    assert f"whole: {tmp_path / 'o.parquet'}" in made.stderr
    assert "Traceback" not in made.stderr
    assert pl.read_parquet(tmp_path / "o.parquet").height


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["list", "recipes"]])
def test_a_full_device_behind_the_standard_output_is_named(words, unbuffered):
    told = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "genrec", *words]
        made = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=told)
    assert made.returncode != 0
    assert "Error: What this command says cannot be written: No space left" in made.stderr
    assert "standard output" in made.stderr
    assert "Traceback" not in made.stderr


def test_no_folder_for_temporary_files_says_what_to_set(monkeypatch):
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)
    with pytest.raises(FileNotFoundError) as raised:
        tempfile._get_default_tempdir()
    told = str(explained(raised.value))
    assert "There is no folder for temporary files" in told
    assert "TMPDIR" in told
