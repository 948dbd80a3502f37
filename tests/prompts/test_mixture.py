"""Shares of tasks, their schedules, and draws that a resumed run repeats."""

import numpy as np
import pytest

from genrec.config import parse
from genrec.errors import ConfigError
from genrec.prompts.mixture import TaskMixture
from genrec.prompts.settings import TaskSettings


def test_shares_follow_the_weights():
    mixture = TaskMixture([TaskSettings(weight=3), TaskSettings(prompt="title-to-id")], epochs=2)
    drawn = mixture.draw(0, 20_000)
    assert np.bincount(drawn) / 20_000 == pytest.approx([0.75, 0.25], abs=0.02)


def test_a_curriculum_moves_from_the_easy_to_the_hard_task():
    easy = TaskSettings(prompt="next-item-titles", schedule="ramp-down")
    hard = TaskSettings(prompt="next-item", schedule="ramp-up")
    mixture = TaskMixture([easy, hard], epochs=4)
    shares = [np.mean(mixture.draw(epoch, 8000) == 1) for epoch in range(4)]
    assert shares == pytest.approx([0.125, 0.375, 0.625, 0.875], abs=0.02)
    first = mixture.draw(0, 8000)
    assert np.mean(first[:4000]) < np.mean(first[4000:])


def test_a_ramp_can_be_a_part_of_the_training():
    task = TaskSettings(weight=2, schedule="ramp-up", between=(0.25, 0.75))
    assert task.weights(np.array([0.0, 0.25, 0.5, 0.75, 1.0])).tolist() == [0, 0, 1, 2, 2]
    down = TaskSettings(weight=2, schedule="ramp-down", between=(0.25, 0.75))
    assert down.weights(np.array([0.0, 0.5, 1.0])).tolist() == [2, 1, 0]


def test_draws_depend_on_seed_epoch_and_row_alone():
    tasks = [TaskSettings(), TaskSettings(prompt="title-to-id")]
    mixture = TaskMixture(tasks, epochs=3, seed=5)
    third = mixture.draw(2, 100)
    mixture.draw(0, 100)
    assert (TaskMixture(tasks, epochs=3, seed=5).draw(2, 100) == third).all()
    assert (mixture.draw(1, 100) != third).any()
    assert (TaskMixture(tasks, epochs=3, seed=6).draw(2, 100) != third).any()


def test_wrong_mixtures_are_refused():
    with pytest.raises(ConfigError, match="no task"):
        TaskMixture([], epochs=1)
    late = TaskSettings(schedule="ramp-up", between=(0.5, 1.0))
    with pytest.raises(ConfigError, match="At some moment"):
        TaskMixture([late], epochs=1)
    TaskMixture([late, TaskSettings(schedule="ramp-down")], epochs=1)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        parse(TaskSettings, {"between": [0.5, 0.5]})
    with pytest.raises(ConfigError, match="ramp-up"):
        parse(TaskSettings, {"schedule": "ramp"})
    with pytest.raises(ConfigError, match="'weight' is wrong"):
        parse(TaskSettings, {"weight": 0})
