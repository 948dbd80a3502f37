"""Folders are whole at every moment: whoever is killed, wherever, loses nothing and leaves nothing for long."""

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from contextlib import suppress

import pytest

from genrec.artifacts import (
    atomic_dir,
    folders,
    output_lock,
    read_manifest,
    read_whole,
    recover,
    require_free,
    write_manifest,
)
from genrec.errors import ArtifactError

KILLED = """
import os, signal, sys
from pathlib import Path
from genrec.artifacts import atomic_dir, folders, write_manifest
target, step, exchanges = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"
steps = 0
def stop(real):
    def call(*arguments, **options):
        global steps
        steps += 1
        if steps > step:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    return call
if not exchanges:
    folders.exchange = lambda first, second: False
for module, name in ((os, "rename"), (folders, "exchange"), (folders.shutil, "rmtree"), (folders, "flush")):
    setattr(module, name, stop(getattr(module, name)))
with atomic_dir(target, overwrite=True) as work:
    (work / "a.txt").write_text("new")
    write_manifest(work, "index.json", {"kind": "new"})
print("done")
"""


def make(target, text):
    with atomic_dir(target, overwrite=True) as work:
        (work / "a.txt").write_text(text)
        write_manifest(work, "index.json", {"kind": text})


def content(target):
    manifest = read_whole(target, "thing", lambda: read_manifest(target, "index.json", "thing"))
    assert (target / "a.txt").read_text() == manifest["kind"]
    return manifest["kind"]


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_replacement_that_is_killed_at_any_step_loses_nothing(tmp_path, exchanges):
    """A file system that cannot exchange two folders is one for which ``exchange`` says so."""
    found = []
    for step in range(20):
        target = tmp_path / str(step) / "thing [1]"
        make(target, "old")
        script = [sys.executable, "-c", KILLED, str(target), str(step), str(exchanges)]
        done = subprocess.run(script, capture_output=True, text=True)
        found.append(content(target))  # opening it puts back what was cut off
        make(target, "next")
        assert content(target) == "next"
        assert os.listdir(target.parent) == ["thing [1]"]
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout == "done\n"
    assert len(found) > 4
    assert found == sorted(found, reverse=True)  # old, old, …, new, new


def test_who_finds_nothing_to_do_removes_what_a_killed_process_left_too(tmp_path):
    """Killed after the exchange: the result is there, and beside it the old one."""
    make(tmp_path / "thing", "new")
    for kind in ("tmp", "old"):
        (tmp_path / f".thing.{kind}-0123456789abcdef").mkdir()
    recover(tmp_path / "thing")
    assert content(tmp_path / "thing") == "new"
    assert os.listdir(tmp_path) == ["thing"]


def test_a_folder_that_an_older_version_had_taken_away_is_put_back(tmp_path):
    make(tmp_path / "thing", "old")
    aside = tmp_path / ".thing.tmp-123456-old-abc_1234"
    aside.mkdir()
    (tmp_path / "thing").rename(aside / "old")
    (tmp_path / ".thing.tmp-123456-xyz_1234").mkdir()
    assert content(tmp_path / "thing") == "old"
    make(tmp_path / "thing", "new")
    assert os.listdir(tmp_path) == ["thing"]


def test_a_writer_removes_only_what_belongs_to_its_output(tmp_path):
    (tmp_path / ".thing.tmp-0123456789abcdef").mkdir()
    others = [".thing.tmp-notes", ".thing.tmp", ".thing2.tmp-0123456789abcdef", ".other.old-0123456789abcdef"]
    for name in others:
        (tmp_path / name).mkdir()
    make(tmp_path / "thing", "x")
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "thing"])


def test_the_work_of_a_living_process_is_not_swept(tmp_path):
    """Another container sees no process of ours; the lock it sees."""
    code = (
        "import sys, time\nfrom genrec.artifacts import atomic_dir\n"
        "with atomic_dir(sys.argv[1]) as work:\n"
        "    (work / 'a.txt').write_text('theirs')\n    print('writing', flush=True)\n    sys.stdin.readline()\n"
    )
    target = tmp_path / "thing"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "writing\n"
    with pytest.raises(ArtifactError, match=r"is being written by process \d+ on"), output_lock(target):
        pass
    process.communicate("\n")
    assert (target / "a.txt").read_text() == "theirs"
    assert os.listdir(tmp_path) == ["thing"]


def test_what_fails_leaves_the_old_folder_and_nothing_else(tmp_path):
    make(tmp_path / "thing", "old")
    with suppress(RuntimeError), atomic_dir(tmp_path / "thing", overwrite=True) as work:
        (work / "a.txt").write_text("new")
        raise RuntimeError
    assert content(tmp_path / "thing") == "old"
    assert os.listdir(tmp_path) == ["thing"]


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_every_file_has_the_rights_of_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        with atomic_dir(tmp_path / "thing") as work:
            (work / "deep").mkdir(mode=0o700)
            for path in (work / "a", work / "deep" / "b"):
                path.write_text("x")
                path.chmod(0o600)  # as safetensors writes them
    finally:
        os.umask(before)
    for path in [tmp_path / "thing", *(tmp_path / "thing").rglob("*")]:
        wanted = (0o777 if path.is_dir() else 0o666) & ~umask
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_files_and_folder_are_flushed_before_they_take_their_place(tmp_path, monkeypatch):
    flushed, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (flushed.append(os.readlink(f"/proc/self/fd/{file}")), real(file)))
    seen = []
    monkeypatch.setattr(folders, "_put", lambda work, target: seen.extend(flushed))
    with atomic_dir(tmp_path / "thing") as work:
        (work / "deep").mkdir()
        (work / "deep" / "a").write_text("x")
    assert {os.path.basename(path) for path in seen} >= {"a", "deep", work.name, ".genrec.json"}


def test_only_what_genrec_made_is_replaced(tmp_path):
    own = tmp_path / "photos"
    own.mkdir()
    (own / "a.jpg").write_text("x")
    for overwrite, message in ((False, "already exists"), (True, r"what genrec did not make: a\.jpg")):
        with pytest.raises(ArtifactError, match=message):
            require_free(own, overwrite=overwrite)
        with pytest.raises(ArtifactError, match=message), atomic_dir(own, overwrite=overwrite):
            pass
    assert os.listdir(own) == ["a.jpg"]
    require_free(own, overwrite=True, replaces=False)  # where only single files are replaced
    for manifest in (True, False):
        target = tmp_path / str(manifest)
        with atomic_dir(target) as work:
            (work / "a.txt").write_text("x")
            if manifest:
                write_manifest(work, "index.json", {})
        require_free(target, overwrite=True)
        (target / "notes.txt").write_text("mine")
        with pytest.raises(ArtifactError, match=r"did not make: notes\.txt"):
            require_free(target, overwrite=True)


def test_a_mark_that_says_nothing_covers_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    for text in ("{}", "[1]", "no json", json.dumps({"files": 3})):
        (tmp_path / "a" / ".genrec.json").write_text(text)
        with pytest.raises(ArtifactError, match="did not make"):
            require_free(tmp_path / "a", overwrite=True)


def test_outputs_that_cannot_be_are_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "x", tmp_path / "file" / "x" / "y"):
        with pytest.raises(ArtifactError, match="is a file"):
            require_free(path)
    with pytest.raises(ArtifactError, match="path is a file"):
        require_free(tmp_path / "file", overwrite=True)
    with pytest.raises(ArtifactError, match="cannot be written"):
        require_free("/proc/genrec/model")
    make(tmp_path / "thing", "x")
    with pytest.raises(ArtifactError, match="inside an artefact"):
        require_free(tmp_path / "thing" / "deep" / "recs")

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # as a full disk: nothing more can be written
    try:
        with pytest.raises(ArtifactError, match="File too large"):
            require_free(tmp_path / "new")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(os.listdir(tmp_path)) == ["file", "thing"]


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    make(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to("real")
    make(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "real") == "new"


def test_a_failed_exchange_for_another_reason_is_not_hidden(tmp_path):
    with pytest.raises(FileNotFoundError):
        folders.exchange(tmp_path / "a", tmp_path / "b")
