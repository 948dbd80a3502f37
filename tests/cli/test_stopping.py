"""Ctrl-C and SIGTERM at awkward moments: inside calls that swallow errors, and after the output has been written."""

import ctypes
import os
import signal
import subprocess
import sys
import time

import pytest
import typer

from genrec.artifacts import atomic_dir
from genrec.cli.console import guarded
from genrec.cli.outputs import claim, claim_job
from genrec.cli.stopping import Terminated, stop_behind, terminable


def ask(number):
    os.kill(os.getpid(), number)
    time.sleep(0)  # handlers run between two steps of Python


class Swallows:
    """Its end is called by the interpreter, which prints errors of it and goes on."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        ask(self.number)


def in_a_destructor(number):
    one = Swallows(number)
    del one


def in_a_callback(number):
    ctypes.CFUNCTYPE(None)(lambda: ask(number))()


@pytest.mark.parametrize("swallow", [in_a_destructor, in_a_callback])
@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_signal_that_a_call_swallows_still_stops_the_command(swallow, number, kind, capfd):
    reached = []
    with pytest.raises(KeyboardInterrupt) as stopped, terminable():  # noqa: PT012 - it is raised some steps later
        swallow(number)
        reached.append("after the call")
        time.sleep(5)
        reached.append("five seconds later")
    assert type(stopped.value) is kind
    assert reached == ["after the call"]
    assert "Exception ignored" not in capfd.readouterr().err


def test_other_swallowed_errors_go_where_they_went(monkeypatch):
    def broken():
        raise ValueError("of somebody else")

    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with terminable():
        ctypes.CFUNCTYPE(None)(broken)()
    assert sys.unraisablehook == told.append
    assert isinstance(told[0].exc_value, ValueError)


def test_an_error_that_compiled_code_made_of_a_signal_is_that_signal():
    try:
        try:
            raise Terminated
        except Terminated as stop:
            raise SystemError("returned a result with an exception set") from stop
    except SystemError as error:
        found = stop_behind(error)
    assert isinstance(found, Terminated)
    assert stop_behind(SystemError("of its own")) is None
    assert stop_behind(ValueError("another")) is None


def stopped(command, capsys):
    with pytest.raises(typer.Exit) as ended:
        command()
    return ended.value.exit_code, capsys.readouterr().err


def test_who_stops_a_command_hears_whether_its_output_is_there(tmp_path, capsys):
    target = tmp_path / "index"

    @guarded
    def build(before):
        claim(target, makes="index")
        if before:
            ask(signal.SIGTERM)
        with atomic_dir(target) as work:
            (work / "codes").write_text("1")
        ask(signal.SIGINT)

    code, said = stopped(lambda: build(before=True), capsys)
    assert code == 143
    assert "run the same command again" in said
    assert not target.exists()
    code, said = stopped(lambda: build(before=False), capsys)
    assert code == 130
    assert f"{target}: written before that, and whole" in said
    assert "run the same command again" not in said


def test_a_job_of_several_commands_goes_on_when_it_is_run_again(tmp_path, capsys):
    @guarded
    def build():
        claim(tmp_path / "job" / "index", makes="index")
        with atomic_dir(tmp_path / "job" / "index") as work:
            (work / "codes").write_text("1")
        ask(signal.SIGINT)

    @guarded
    def demo():
        claim_job(tmp_path / "job")
        build()

    code, said = stopped(demo, capsys)
    assert code == 130
    assert "run the same command again" in said


WHILE_LOADING = """
import os, signal, sys
import genrec.__main__

class Finder:
    def find_spec(self, name, *more):
        if name == "typer":
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Finder())
sys.argv = ["genrec", "list", "recipes"]
genrec.__main__.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_command_loads_is_one_line(number):
    code = WHILE_LOADING.format(number=int(number))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + number, "", "\nStopped.\n")


def test_an_ignored_signal_stays_ignored_while_the_command_loads():
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)" + WHILE_LOADING.format(
        number=int(signal.SIGINT)
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0
    assert "demo" in ended.stdout


@pytest.mark.parametrize("output", ["made/{long}", "made/{long}/out", "made/deeper/{long}/out"])
def test_a_name_that_is_too_long_leaves_no_folder_behind(tmp_path, capsys, output):
    @guarded
    def build():
        claim(tmp_path / output.format(long="x" * 300), makes="index")

    code, said = stopped(build, capsys)
    assert code == 1
    assert "The output cannot be written: File name too long." in said
    assert not list(tmp_path.iterdir())
