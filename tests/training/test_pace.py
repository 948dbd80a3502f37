"""What a run says of its speed: what batches hold without padding, the seconds of steps alone, the rest of the time."""

import pytest
import torch

from genrec.training.pace import Pace, peak_memory, time_left


def test_a_pace_counts_what_is_read_and_the_seconds_of_steps_alone():
    now = [0.0]
    pace = Pace(clock=lambda: now[0])
    assert (pace.rate, pace.words()) == (None, "")
    for mask in (torch.tensor([[1, 1, 1], [1, 0, 0]]), torch.tensor([[1, 1, 0, 0]])):
        now[0] += 100  # validation
        pace.begin()
        now[0] += 2
        pace.end({"input_ids": mask, "attention_mask": mask})
    assert pace.rate == pytest.approx(6 / 4)
    assert pace.padding == pytest.approx(4 / 10)
    assert pace.words().startswith("2 tokens a second, 40% padding, ")
    assert pace.words(packed=True).startswith("2 tokens a second, padding not read, ")


def test_histories_are_counted_in_items_and_other_batches_only_in_time():
    pace = Pace(clock=iter([0.0, 1.0, 1.0, 3.0]).__next__)
    pace.begin()
    pace.end({"mask": torch.ones(2, 5, dtype=torch.bool)})
    pace.begin()
    pace.end({"query": 1})
    assert (pace.unit, pace.rate, pace.padding) == ("items", pytest.approx(10 / 3), 0)


def test_the_time_left_goes_on_as_the_steps_did():
    assert time_left(30.0, 10, 20) == 60.0
    assert time_left(30.0, 0, 20) is None
    assert time_left(30.0, 10, -1) == 0.0
    assert peak_memory() > 2**20
