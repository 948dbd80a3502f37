"""Text examples: what stands where, lengths, batches, padding."""

import numpy as np
import pytest
import torch
from text_support import make_items, make_tokenizer

from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.prompts import task_names
from genrec.prompts.examples import TextCollator, make_text_examples
from genrec.prompts.rendering import IGNORE
from genrec.prompts.settings import PromptSettings, TaskSettings

POOL = 100  # small batches: as many rows as 50 batches of 32
TOKENIZER = make_tokenizer()
ITEMS = make_items(TOKENIZER)
T5 = make_tokenizer(ends_texts=True)
T5_ITEMS = make_items(T5)


def histories(users=60, seed=0, timed=True):
    rng = np.random.default_rng(seed)
    lists = [[int(item) for item in rng.integers(0, 12, rng.geometric(0.2) + 2)] for _ in range(users)]
    plain = Histories.from_lists(lists)
    times = 1_700_000_000 + 3600 * np.arange(len(plain.items)) if timed else None
    return Histories(plain.user_ids, plain.offsets, plain.items, times)


def examples(names=("next-item",), *, seq2seq=False, users=60, **options):
    tokenizer, items = (T5, T5_ITEMS) if seq2seq else (TOKENIZER, ITEMS)
    tasks = [name if isinstance(name, TaskSettings) else TaskSettings(prompt=name) for name in names]
    return make_text_examples(tasks, histories(users), items, tokenizer, seq2seq=seq2seq, **options)


def batches(made, size, rows):
    order = list(made.sampler(size, pool=POOL))[: rows // size * size]
    return np.array(order).reshape(-1, size)


@pytest.mark.parametrize("seq2seq", [False, True])
@pytest.mark.parametrize("names", [["next-item"], ["next-item-titles"], task_names()])
def test_padding_stays_below_ten_per_cent(names, seq2seq):
    made = examples(names, seq2seq=seq2seq, users=250, prompts=PromptSettings(rows_per_epoch=1760))
    collate = TextCollator(made.renderers[0].tokenizer)
    real = padded = 0
    for batch in batches(made, 16, 480):
        inputs = collate([made[row] for row in batch])
        real += int(inputs["attention_mask"].sum())
        padded += inputs["attention_mask"].numel()
        if seq2seq:
            real += int((inputs["labels"] != IGNORE).sum())
            padded += inputs["labels"].numel()
    assert padded / real < 1.10
    assert made.sampler(16, pool=POOL).padding_ratio() < 1.10


@pytest.mark.parametrize("name", ["next-item", "next-item-titles", "title-to-id", "ids-to-title", "next-item-gaps"])
def test_estimated_lengths_are_close_to_the_real_ones(name):
    made = examples([name])
    rows = range(0, len(made), 7)
    real = np.array([len(made[row]["input_ids"]) for row in rows])
    estimated = made.plan(0).length[list(rows)]
    assert np.abs(real - estimated).mean() < 0.05 * real.mean()


def test_every_pair_once_in_an_epoch_and_every_epoch_in_its_own_order():
    made = examples()
    sampler = made.sampler(8, pool=3, seed=1)
    first = list(sampler)
    assert sorted(first) == list(range(len(made)))
    pairs = {(*made.locate(row)[1].history, made.locate(row)[1].target) for row in first}
    assert len(pairs) > len(made) / 2
    assert sorted(made.plan(0).sample) == sorted(made.samples[0])
    sampler.set_epoch(1)
    second = list(sampler)
    assert sorted(second) == list(range(len(made), 2 * len(made)))
    assert [row - len(made) for row in second] != first


def test_a_row_is_the_same_whoever_asks_and_in_whatever_order():
    """A resumed run continues with exactly the examples of an uninterrupted one."""
    tasks = [TaskSettings(schedule="ramp-down"), TaskSettings(prompt="query-to-id", weight=2)]
    made, again = examples(tasks, epochs=3), examples(tasks, epochs=3)
    rows = [2 * len(made) + 5, 3, len(made) + 1, 2 * len(made) + 5]
    assert [made[row] for row in rows] == [again[row] for row in reversed(rows)][::-1]
    started, resumed = made.sampler(8), again.sampler(8)
    for sampler in (started, resumed):
        sampler.set_epoch(2)
    assert list(started) == list(resumed)


@pytest.mark.parametrize("whole", [False, True])
def test_items_are_left_out_anew_in_every_epoch_but_never_the_target_nor_all(whole):
    plain, made = examples(["next-in-list"], whole=whole), examples(["next-in-list"], whole=whole, drop=0.4)
    before = kept = 0
    for row in range(len(made)):
        (_, all_of_it), (_, sample) = plain.locate(row), made.locate(row)
        assert sample.target == all_of_it.target
        assert min(1, len(all_of_it.history)) <= len(sample.history) == len(sample.times)
        pairs_of = [set(zip(one.history, one.times, strict=True)) for one in (sample, all_of_it)]
        assert pairs_of[0] <= pairs_of[1]
        assert list(sample.times) == sorted(sample.times)
        before, kept = before + len(all_of_it.history), kept + len(sample.history)
    assert 0.5 < kept / before < 0.75
    number = {int(n): row for row, n in enumerate(made.plan(1).sample)}
    pairs = [(row, len(made) + number[int(n)]) for row, n in enumerate(made.plan(0).sample)]
    longer = [pair for pair in pairs if len(plain.locate(pair[0])[1].history) > 8]
    same = [made.locate(a)[1].times.tolist() == made.locate(b)[1].times.tolist() for a, b in longer]
    assert longer
    assert not any(same)


def test_samples_of_a_task_come_evenly():
    made = examples(["title-to-id"], prompts=PromptSettings(rows_per_epoch=44))
    counts = np.bincount(made.plan(0).sample, minlength=12)
    assert counts.tolist() == [4] * 5 + [0] + [4] * 6


def test_pools_keep_the_order_of_a_curriculum():
    tasks = [TaskSettings(schedule="ramp-down"), TaskSettings(prompt="next-item-titles", schedule="ramp-up")]
    made = examples(tasks, epochs=1)
    order = np.array(list(made.sampler(4, pool=4)))
    late = made.plan(0).task[order] == 1
    assert late[: len(late) // 3].mean() + 0.3 < late[-len(late) // 3 :].mean()


def test_batches_are_padded_on_the_right_and_hide_padding_from_the_loss():
    collate = TextCollator(TOKENIZER)
    batch = collate([{"input_ids": [5, 6, 7], "labels": [IGNORE, 6, 7]}, {"input_ids": [8], "labels": [8]}])
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, TOKENIZER.pad_token_id, TOKENIZER.pad_token_id]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORE, 6, 7], [8, IGNORE, IGNORE]]
    assert all(tensor.dtype == torch.int64 for tensor in batch.values())


def test_whole_histories_take_one_row_for_a_window_where_a_task_can():
    made = examples(["next-item", "next-item-titles", "title-to-id"], whole=True, max_items=50)
    assert len(made) == 60
    assert len(made.samples[1]) == len(histories().items)
    for row in range(60):
        task, sample = made.locate(row)
        learned = sum(label != IGNORE for label in made[row]["labels"])
        assert learned == (2 * len(sample.history) if task == 0 else 2)


def test_one_example_of_every_task_to_look_at():
    shown = dict(examples(["next-item", "id-to-title"]).example_of_each_task())
    assert list(shown) == ["next-item", "id-to-title"]
    assert shown["next-item"].source.startswith("A user chose these items")
    assert shown["id-to-title"].target


def test_what_does_not_fit_is_said_before_training():
    with pytest.raises(DataError, match="does not fit"):
        examples(["next-item-titles"], prompts=PromptSettings(max_tokens=30))
    with pytest.raises(DataError, match="does not fit"):
        examples(["title-to-id"], prompts=PromptSettings(max_tokens=10))


def test_a_task_without_samples_is_said_before_training():
    made = make_items(make_tokenizer())
    made._texts["category"] = [""] * len(made)
    with pytest.raises(DataError, match="nothing to learn from"):
        make_text_examples([TaskSettings(prompt="next-category")], histories(), made, TOKENIZER, seq2seq=False)
    with pytest.raises(DataError, match="no times"):
        make_text_examples(
            [TaskSettings(prompt="next-item-gaps")], histories(timed=False), ITEMS, TOKENIZER, seq2seq=False
        )
