"""Training rows, their order and their padding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.models.history_batches import BucketSampler, CodeCollator, HistoryExamples

lengths = st.lists(st.integers(0, 30), min_size=1, max_size=20)


@settings(max_examples=50, deadline=None)
@given(lengths, st.integers(1, 8))
def test_windows_make_every_item_a_target_once(lengths, max_items):
    histories = Histories.from_lists(np.split(np.arange(sum(lengths)), np.cumsum(lengths)[:-1]))
    if not sum(lengths):
        with pytest.raises(DataError, match="nothing to train on"):
            HistoryExamples(histories, max_items)
        return
    rows = HistoryExamples(histories, max_items)
    targets = []
    for row in range(len(rows)):
        items = rows[row]
        assert 1 <= len(items) <= max_items + 1
        assert (np.diff(items) == 1).all()
        starts_history = items[0] in histories.offsets
        targets += items.tolist() if starts_history else items[1:].tolist()
    assert sorted(targets) == list(range(sum(lengths)))


def test_prefixes_end_in_every_item_with_the_newest_history_before_it():
    rows = HistoryExamples(Histories.from_lists([[10, 11, 12, 13], [20]]), 2, prefixes=True)
    assert [rows[row].tolist() for row in range(len(rows))] == [[10], [10, 11], [10, 11, 12], [11, 12, 13], [20]]


def test_every_epoch_has_its_own_order_and_every_row_once():
    sampler = BucketSampler(np.random.default_rng(0).integers(1, 30, 1003), 16, pool=4, seed=3)
    first = list(sampler)
    assert sorted(first) == list(range(1003))
    assert list(sampler) == first
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    again = BucketSampler(sampler.lengths, 16, pool=4, seed=3)
    again.set_epoch(1)
    assert list(again) == second


def test_dropping_keeps_the_newest_item_and_changes_with_the_epoch_only():
    histories = Histories.from_lists([list(range(20)) for _ in range(50)])
    rows = HistoryExamples(histories, 19, drop=0.4, seed=5)
    sampler = BucketSampler(rows.lengths, 8, examples=rows)

    def epoch(number: int) -> list[list[int]]:
        sampler.set_epoch(number)
        return [rows[row].tolist() for row in range(len(rows))]

    first, second = epoch(0), epoch(1)
    assert epoch(0) == first
    assert second != first
    assert all(row[-1] == 19 and row == sorted(row) for row in first + second)
    kept = np.mean([len(row) - 1 for row in first + second]) / 19
    assert 0.5 < kept < 0.7
    assert HistoryExamples(histories, 19)[0].tolist() == list(range(20))


def test_buckets_remove_most_of_the_padding():
    rng = np.random.default_rng(0)
    lengths = np.minimum(rng.geometric(0.15, 20_000), 20)
    bucketed = BucketSampler(lengths, 256).padding_ratio()
    order = rng.permutation(len(lengths))[: 256 * (len(lengths) // 256)].reshape(-1, 256)
    shuffled = float((lengths[order].max(1) * 256).sum() / lengths[order].sum())
    assert bucketed < 1.10
    assert shuffled > 2


def test_batches_hold_the_codes_of_the_items():
    codes = np.arange(12).reshape(4, 3)
    batch = CodeCollator(codes)([np.array([2, 0, 3]), np.array([1])])
    assert batch["mask"].tolist() == [[True, True, True], [True, False, False]]
    torch.testing.assert_close(batch["codes"][0], torch.from_numpy(codes[[2, 0, 3]]))
    torch.testing.assert_close(batch["codes"][1, 0], torch.from_numpy(codes[1]))
