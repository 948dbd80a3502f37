import logging

import pytest

from genrec.baselines import FitInputs, train_baseline
from genrec.cli import console
from genrec.cli.progress import plain_progress, progress
from genrec.data.histories import Histories
from genrec.data.split import leave_one_out


class Clock:
    """Seconds that pass by themselves."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def lines_of(calls, label="evaluating", step=100.0):
    lines = []
    update = plain_progress(label, lines.append, clock=Clock(step))
    for call in calls:
        update(*call)
    return lines


def test_stages_are_named_and_counted_apart():
    """Fitting counts candidates, ranking counts users: under one name that would run backwards."""
    calls = [("fitting a", 1, 9), ("fitting a", 9, 9), ("a", 1024, 5000), ("a", 5000, 5000), ("b", 1024, 5000)]
    assert lines_of(calls) == [
        "evaluating (fitting a): 1 of 9",
        "evaluating (fitting a): 9 of 9",
        "evaluating (a): 1,024 of 5,000",
        "evaluating (a): 5,000 of 5,000",
        "evaluating (b): 1,024 of 5,000",
    ]


def test_nothing_is_said_twice_and_nothing_goes_back_under_one_name():
    assert lines_of([("evaluating", done, 4) for done in (1, 1, 3, 2, 2, 4)]) == [
        "evaluating: 1 of 4",
        "evaluating: 3 of 4",
        "evaluating, pass 2: 2 of 4",
        "evaluating, pass 2: 4 of 4",
    ]


def test_details_do_not_make_a_new_stage():
    assert lines_of([("net: loss 3.0", 1, 3), ("net: loss 2.0", 2, 3), ("net: loss 4.0", 1, 3)]) == [
        "evaluating (net: loss 3.0): 1 of 3",
        "evaluating (net: loss 2.0): 2 of 3",
        "evaluating (net: loss 4.0), pass 2: 1 of 3",
    ]


def test_lines_keep_their_distance():
    assert len(lines_of([("evaluating", n, 100) for n in range(100)], step=3.0)) < 40


@pytest.mark.parametrize("terminal", [False, True])
def test_what_is_shown_as_progress_is_not_logged_as_well(terminal, monkeypatch, caplog):
    monkeypatch.setattr(type(console.err), "is_terminal", terminal)
    split = leave_one_out(Histories.from_lists([[0, 1, 2, 0]] * 5))
    with caplog.at_level(logging.INFO, logger="genrec"), progress("fitting") as update:
        train_baseline("transition-counts", split, list("abc"), FitInputs(progress=update))
    assert not caplog.records
    train_baseline("transition-counts", split, list("abc"))
    assert logging.getLogger("genrec.baselines").level == logging.NOTSET
