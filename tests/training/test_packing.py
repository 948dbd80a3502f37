"""Packed rows of several domains, their sampling, and batches with candidates."""

import numpy as np
import pytest

from genrec.data import Histories
from genrec.errors import ConfigError, DataError
from genrec.models.recgpt.candidates import CandidateCollator
from genrec.models.vector_store import DomainItems
from genrec.training.packing import DomainSampler, PackedExamples


def domains():
    rng = np.random.default_rng(0)
    return [
        Histories.from_lists([rng.integers(0, n, rng.integers(1, 12)).tolist() for _ in range(users)])
        for n, users in ((50, 40), (30, 9))
    ]


def test_rows_hold_whole_windows_of_one_domain():
    made = PackedExamples(domains(), 5, 16, novel=False)
    for row in (made[n] for n in range(len(made))):
        assert len(row.items) <= 16
        assert (np.diff(row.segments) >= 0).all()
        assert np.bincount(row.segments).min() >= 2
        assert np.bincount(row.segments).max() <= 6
    held = [made[n].domain for n in range(len(made))]
    assert held == sorted(held)
    assert np.bincount(held).tolist() == made.lengths_per_domain


def test_every_next_item_is_a_target_once():
    histories = domains()
    made = PackedExamples(histories, 5, 16, novel=False)
    targets = sum(len(made[n].items) - len(np.unique(made[n].segments)) for n in range(len(made)))
    assert targets == made.targets == sum(int((h.lengths - 1).clip(min=0).sum()) for h in histories)


def test_items_that_a_user_had_are_no_targets():
    made = PackedExamples([Histories.from_lists([[4, 2, 4, 3], [4, 4]])], 5, 6)
    by_user = {
        tuple(row.items[row.segments == s].tolist()): row.targets[row.segments == s].tolist()
        for row in (made[n] for n in range(len(made)))
        for s in np.unique(row.segments)
    }
    assert by_user == {(4, 2, 4, 3): [True, True, False, True], (4, 4): [True, False]}


def test_rows_shorter_than_a_window_and_empty_domains_are_refused():
    with pytest.raises(ConfigError, match="do not hold a window"):
        PackedExamples(domains(), 5, 5)
    with pytest.raises(DataError, match="nothing to train on"):
        PackedExamples([Histories.from_lists([[1], [2]])], 5, 16)


@pytest.mark.parametrize(("temperature", "batches"), [(1.0, [90, 10]), (0.5, [75, 25]), (0.0, [50, 50])])
def test_temperature_balances_domains_and_batches_are_of_one(temperature, batches):
    sampler = DomainSampler([360, 40], 4, temperature=temperature, seed=3)
    assert sampler.batches.tolist() == batches
    order = list(sampler)
    assert len(order) == len(sampler) == 400
    assert all(len({row >= 360 for row in order[at : at + 4]}) == 1 for at in range(0, 400, 4))
    assert order == list(sampler)
    sampler.set_epoch(1)
    assert order != list(sampler)


def test_a_proportional_epoch_sees_every_row_once():
    assert sorted(DomainSampler([36, 4], 4, temperature=1.0)) == list(range(40))


def items(n, seed=0):
    rng = np.random.default_rng(seed)
    made = rng.integers(0, 9, (n, 2)).astype(np.int32), rng.normal(size=(n, 4)), rng.normal(size=(n, 2, 4))
    return DomainItems("d", made[0], made[1].astype(np.float32), made[2].astype(np.float32))


def test_candidates_are_a_repeatable_sample_that_knows_the_history():
    catalogue = items(50)
    rows = [PackedExamples([domains()[0]], 5, 16)[n] for n in range(4)]
    batch = CandidateCollator([catalogue], 20, seed=1)(rows)
    again = CandidateCollator([catalogue], 20, seed=1)(rows)
    assert batch.keys() == again.keys()
    assert all(batch[key].equal(again[key]) for key in batch)
    assert batch["candidate_codes"].shape == (20, 2)
    place, mask = batch["candidate_places"], batch["mask"]
    known = (place >= 0) & mask
    assert bool(known.any())
    assert batch["candidate_codes"][place[known]].equal(batch["codes"][known])
    assert not bool((place[~mask] >= 0).any())


def test_a_small_catalogue_is_all_candidates():
    batch = CandidateCollator([items(50)], 64)([np.array([3, 1, 2])])
    assert batch["candidate_places"].tolist() == [[3, 1, 2]]
    assert len(batch["candidate_vectors"]) == 50
