"""Single files are whole or as they were; temporaries of killed processes go."""

import errno
import os
import subprocess
import sys
from contextlib import suppress

import polars as pl
import pytest
from safetensors import SafetensorError

from genrec.artifacts import atomic_dir, atomic_file, require_free_file, write_atomic
from genrec.data.tables import write_table
from genrec.errors import ArtifactError
from genrec.sharding.store import LocalStore

WRITER = """
import os, sys
from genrec.artifacts import atomic_file
with atomic_file(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    sys.stdin.readline()
"""


def writer(path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "writing\n"
    return process


WRITES = {
    "text": lambda path: write_atomic(path, "whole"),
    "table": lambda path: write_table(pl.DataFrame({"a": [1]}), path),
    "store": lambda path: LocalStore(path.parent).write(path.name, b"whole"),
}


@pytest.mark.parametrize("how", sorted(WRITES))
def test_temporaries_of_killed_writers_are_swept_and_those_of_living_ones_are_not(tmp_path, how):
    path = tmp_path / "recs.csv"
    path.write_text("old")
    killed = writer(path)
    killed.kill()
    killed.wait()
    (tmp_path / ".recs.csv.4194300.tmp").write_text("of an older version")
    (tmp_path / ".recs.csv.notes.tmp").write_text("mine")
    living = writer(path)
    assert path.read_text() == "old"
    WRITES[how](path)
    assert path.read_text() in ("whole", "a\n1\n")
    assert len(os.listdir(tmp_path)) == 3  # the file, the notes, and what the living one is writing
    living.communicate("\n")
    assert living.returncode == 0
    assert path.read_text() == "half"
    assert sorted(os.listdir(tmp_path)) == [".recs.csv.notes.tmp", "recs.csv"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with suppress(RuntimeError), atomic_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_the_output(tmp_path, number):
    def write(writing):
        with writing:
            raise OSError(number, os.strerror(number))  # as write() of a file raises it, without a name

    for writing in (atomic_file(tmp_path / "out.csv"), atomic_dir(tmp_path / "out.csv")):
        with pytest.raises(OSError, match=r"out\.csv") as caught:
            write(writing)
        assert caught.value.filename == str(tmp_path / "out.csv")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_that_a_library_in_rust_meets_is_told_with_the_output(tmp_path):
    for kind in (SafetensorError, pl.exceptions.ComputeError):
        with pytest.raises(OSError, match=r"out") as caught, atomic_dir(tmp_path / "out"):
            raise kind("Error while serializing: I/O error: No space left on device (os error 28)")
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "out"))
    with pytest.raises(SafetensorError, match="os error 13"), atomic_dir(tmp_path / "out"):
        raise SafetensorError("Permission denied (os error 13)")
    assert not list(tmp_path.iterdir())


def test_long_names_and_links(tmp_path):
    name = "x" * 250 + ".txt"
    write_atomic(tmp_path / name, "whole")
    assert (tmp_path / name).read_text() == "whole"
    (tmp_path / "link").symlink_to(name)
    write_atomic(tmp_path / "link", "through")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / name).read_text() == "through"


def test_an_output_file_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(ArtifactError, match="output file already exists"):
        require_free_file(tmp_path / "a.csv")
    require_free_file(tmp_path / "a.csv", overwrite=True)
    with pytest.raises(ArtifactError, match="is a folder"):
        require_free_file(tmp_path, overwrite=True)
    with pytest.raises(ArtifactError, match="is a file"):
        require_free_file(tmp_path / "a.csv" / "b.csv")
    with pytest.raises(ArtifactError, match="cannot be written"):
        require_free_file("/proc/genrec.csv")
    assert os.listdir(tmp_path) == ["a.csv"]
