"""One writer at a time."""

import errno
import os
import subprocess
import sys
import threading

import pytest

from genrec.artifacts import locks, output_lock
from genrec.cli.stopping import terminable
from genrec.errors import ArtifactError

HOLDER = """
import sys
from genrec.artifacts import output_lock
with output_lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of ``out`` until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "out")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_told_who_writes(tmp_path, holder):
    with (
        pytest.raises(ArtifactError, match=f"process {holder.pid} on .*since") as caught,
        output_lock(tmp_path / "out"),
    ):
        pass
    assert "Wait until it has ended" in str(caught.value)


def test_who_waits_says_so_and_goes_on(tmp_path, holder):
    said = []

    def heard(text):
        said.append(text)
        holder.stdin.write("\n")
        holder.stdin.flush()

    with output_lock(tmp_path / "out", wait=None, on_wait=heard):
        assert (tmp_path / ".out.lock").exists()
    assert len(said) == 1
    assert f"Waiting for process {holder.pid}" in said[0]
    assert os.listdir(tmp_path) == []


def test_a_killed_holder_holds_nothing(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / ".out.lock").exists()
    with output_lock(tmp_path / "out"):
        pass
    assert os.listdir(tmp_path) == []


def test_the_same_thread_may_enter_again_and_other_threads_wait_their_turn(tmp_path):
    inside, most = 0, 0

    def work():
        nonlocal inside, most
        for _ in range(20):
            with output_lock(tmp_path / "out", wait=30), output_lock(tmp_path / "out"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    with output_lock(tmp_path / "out"):
        caught = []

        def refused():
            try:
                with output_lock(tmp_path / "out"):
                    pass
            except ArtifactError as error:
                caught.append(str(error))

        thread = threading.Thread(target=refused)
        thread.start()
        thread.join()
    assert "another thread" in caught[0]


def test_a_file_system_without_locks_is_said_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(locks, "try_lock", lambda file: None)
    for _ in range(2):
        with output_lock(tmp_path / "out"):
            assert os.listdir(tmp_path) == []
    assert caplog.text.count("knows no locks") == 1


def test_a_lock_file_of_another_user_can_be_locked(tmp_path):
    (tmp_path / ".out.lock").write_text("not json")
    (tmp_path / ".out.lock").chmod(0o444)
    with output_lock(tmp_path / "out"):
        pass
    assert os.listdir(tmp_path) == []


def test_what_a_signal_has_left_locked_is_given_up_at_the_end_of_a_command(tmp_path):
    """A handler may raise in the moment before the lock is given up: then nobody gives it up but the command's end."""
    left = output_lock(tmp_path / "out")
    with terminable():
        left.__enter__()
        assert [file.name for file in tmp_path.iterdir()] == [".out.lock"]
    assert list(tmp_path.iterdir()) == []
    with output_lock(tmp_path / "out"):  # as before
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_output_below_a_file_says_that_it_is_a_file(tmp_path):
    (tmp_path / "items.csv").write_text("item_id\n")
    with (
        pytest.raises(ArtifactError, match=r"items\.csv is a file"),
        output_lock(tmp_path / "items.csv" / "deep" / "x"),
    ):
        pass


def test_a_lock_file_that_is_a_link_empties_nothing(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    (tmp_path / ".thing.lock").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(ArtifactError, match="lock file of this output is a link"), output_lock(tmp_path / "thing"):
        raise AssertionError("nobody gets here")
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_a_lock_file_from_the_end_of_time_is_of_another_process(tmp_path):
    (tmp_path / ".thing.lock").write_text('{"pid": 1, "host": "h", "command": "c", "since": 1e400}')
    assert locks._holder(tmp_path / ".thing.lock") == "another process"


def test_a_folder_that_may_not_be_written_is_said_as_such(tmp_path, monkeypatch):
    opened = os.open

    def forbidden(path, flags, *mode, **options):
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, flags, *mode, **options)

    monkeypatch.setattr(os, "open", forbidden)
    said = "The output cannot be written: Permission denied"
    with pytest.raises(ArtifactError, match=said), output_lock(tmp_path / "recs.csv"):
        pass
