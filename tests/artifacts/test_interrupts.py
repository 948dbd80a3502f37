"""Signals that come in the middle of a short step wait until it is done, and then stop the command."""

import os
import signal
import threading

import pytest

from genrec.artifacts import atomic_dir, atomic_file, files, folders, locks, output_lock
from genrec.artifacts.interrupts import in_one_piece
from genrec.cli.stopping import Terminated, terminable


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_waits_for_the_end_of_the_step():
    seen = []
    with pytest.raises(Terminated), terminable():  # noqa: PT012 - the end of the step is what raises
        with in_one_piece():
            with in_one_piece():
                terminate()
                seen.append("inside")
            seen.append("done")
        seen.append("not reached")
    assert seen == ["inside", "done"]


def test_other_threads_do_not_hold_signals_back():
    inside, over = threading.Event(), threading.Event()

    def step():
        with in_one_piece():
            inside.set()
            over.wait(10)

    thread = threading.Thread(target=step)
    thread.start()
    inside.wait(10)
    with pytest.raises(Terminated), terminable():
        terminate()
    over.set()
    thread.join()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (locks, "try_lock"),
        (locks, "_write_holder"),
        (locks, "_release"),
        (files, "_create"),
        (folders, "_put"),
        (folders, "exchange"),
    ],
)
@pytest.mark.parametrize("after", [False, True])
def test_a_signal_in_any_step_leaves_nothing(module, name, after, tmp_path, monkeypatch):
    """Neither a lock, nor a temporary file, nor a copy of what was replaced."""
    with atomic_dir(tmp_path / "thing") as work:
        (work / "a").write_text("old")
    real = getattr(module, name)

    def told(*arguments, **options):
        if not after:
            terminate()
        result = real(*arguments, **options)
        if after:
            terminate()
        return result

    def write():
        with atomic_dir(tmp_path / "thing", overwrite=True) as work:
            (work / "a").write_text("new")
        with atomic_file(tmp_path / "file") as temporary:
            temporary.write_text("x")

    monkeypatch.setattr(module, name, told)
    with pytest.raises(Terminated), terminable():
        write()
    monkeypatch.undo()
    assert {path.name for path in tmp_path.iterdir()} <= {"thing", "file"}
    assert (tmp_path / "thing" / "a").read_text() in ("old", "new")
    with output_lock(tmp_path / "thing"):
        pass
