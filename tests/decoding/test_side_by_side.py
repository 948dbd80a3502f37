"""Users on all cores: the same answers as on one, the first error, nothing left running."""

import threading

import numpy as np
import pytest
import torch
from networks import NETWORKS, recommender

from genrec.decoding.side_by_side import side_by_side, threads_for


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def histories(count):
    rng = np.random.default_rng(0)
    return [[f"i{n}" for n in rng.integers(0, 60, length)] for length in rng.integers(0, 9, count)]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_answers_as_on_one_core(name, exact):
    made, users = recommender(name), histories(40)
    options = {"exact": True} if exact else {"beams": 10}
    torch.set_num_threads(1)
    expected = made.recommend(users, 5, options=options)
    torch.set_num_threads(2)
    found = made.recommend(users, 5, options=options)
    assert torch.get_num_threads() == 2
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    every = made.score_items(users)
    torch.set_num_threads(1)
    np.testing.assert_allclose(every, made.score_items(users), atol=1e-5)
    agree = (found.items == expected.items).mean()
    assert agree > 0.97, agree  # equal scores may stand in another order


def test_rounds_are_taken_by_all_threads_and_each_once():
    together, taken = threading.Barrier(2, timeout=30), []

    def answer(number):
        if number < 2:
            together.wait()  # both threads are in it, or this breaks
        taken.append((number, torch.get_num_threads()))

    torch.set_num_threads(2)
    side_by_side(iter(range(20)), answer, 2)
    assert sorted(number for number, _ in taken) == list(range(20))
    assert {threads for _, threads in taken} == {1}
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("threads", [1, 2])
def test_the_first_error_comes_out_and_ends_the_rest(threads):
    taken = []

    def answer(number):
        taken.append(number)
        if number == 3:
            raise ValueError("round 3")

    with pytest.raises(ValueError, match="round 3"):
        side_by_side(iter(range(100_000)), answer, threads)
    assert len(taken) < 100_000
    assert not [one for one in threading.enumerate() if one.name.startswith("genrec")]


def test_an_error_of_what_makes_the_rounds_comes_out():
    def rounds():
        yield 1
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        side_by_side(rounds(), lambda number: None, 2)


def test_few_users_and_other_devices_stay_on_one_thread():
    torch.set_num_threads(2)
    assert [threads_for(users, "cpu") for users in (0, 1, 8, 16, 1000)] == [1, 1, 1, 2, 2]
    assert threads_for(1000, "cuda") == 1
    torch.set_num_threads(1)
    assert threads_for(1000, "cpu") == 1
