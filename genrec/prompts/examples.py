"""Training examples as text: tasks in a mixture, rendered when they are needed, in batches of similar length.

Which example stands where is a function of (seed, epoch, row), so that a resumed run sees what an uninterrupted one
sees, and processes and workers need not agree on anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from genrec.data.histories import Histories
from genrec.errors import DataError
from genrec.models.history_batches import HistoryExamples
from genrec.prompts import ItemTexts, PromptRenderer, Rendered, Sample
from genrec.prompts.mixture import TaskMixture
from genrec.prompts.padding import pad_prompts
from genrec.prompts.rendering import IGNORE, make_renderer
from genrec.prompts.settings import PromptSettings, TaskSettings
from genrec.prompts.token_lengths import history_task_lengths, item_task_lengths


@dataclass(frozen=True)
class Plan:
    """One epoch.

    Attributes:
        task: ``(rows,)`` task of every row.
        sample: ``(rows,)`` which sample of that task.
        length: ``(rows,)`` estimated tokens.
    """

    task: np.ndarray
    sample: np.ndarray
    length: np.ndarray


class TextExamples(Dataset[dict[str, list[int]]]):
    """Examples of a mixture of tasks.

    A row's number is ``epoch * len(self) + row``: it says everything.

    Args:
        mixture: Draws tasks.
        renderers: One for every task of the mixture.
        histories: Training part only.
        max_items: Longest history that is read.
        rows: Rows of an epoch; None: as many as the first task has samples.
        drop: Probability with which every item of a history is left out, anew in every epoch; the target and one item
            before it stay.

    Raises:
        DataError: A task has nothing to learn from, or an item alone is too long for the budget.
    """

    def __init__(
        self,
        mixture: TaskMixture,
        renderers: Sequence[PromptRenderer],
        histories: Histories,
        *,
        max_items: int,
        rows: int | None = None,
        drop: float = 0.0,
    ) -> None:
        self.mixture, self.renderers, self.histories = mixture, tuple(renderers), histories
        self.drop = drop
        sets = {whole: HistoryExamples(histories, max_items, prefixes=not whole) for whole in (False, True)}
        # A window where every item carries the loss, or one row for every next item.
        self.pairs = [sets[renderer.whole] for renderer in self.renderers]
        for renderer in self.renderers:
            renderer.require_times(histories.timestamps)
        self.samples = [self._samples(n) for n in range(len(self.renderers))]
        self._lengths = [
            item_task_lengths(renderer, samples)
            if renderer.task.kind != "history"
            else history_task_lengths(renderer, pairs, samples, histories.timestamps)
            for renderer, pairs, samples in zip(self.renderers, self.pairs, self.samples, strict=True)
        ]
        # The answers of an encoder-decoder are padded apart: words beside codes would be mostly padding.
        self.apart = np.array([made.seq2seq and not made.task.generates_items for made in self.renderers])
        self.rows = rows or len(self.samples[0])
        self._plan: tuple[int, Plan] | None = None

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, row: int) -> dict[str, list[int]]:
        task, sample = self.locate(row)
        return self.renderers[task].render_example(sample)

    def locate(self, row: int) -> tuple[int, Sample]:
        """Task and sample of a row."""
        epoch, at = divmod(int(row), self.rows)
        plan = self.plan(epoch)
        task = int(plan.task[at])
        return task, self._thinned(self._sample(task, int(plan.sample[at]), seed=int(row)))

    def plan(self, epoch: int) -> Plan:
        """What the rows of an epoch are."""
        if self._plan is None or self._plan[0] != epoch:
            task = self.mixture.draw(epoch, self.rows)
            sample = np.zeros(self.rows, dtype=np.int64)
            length = np.zeros(self.rows, dtype=np.int64)
            for n, samples in enumerate(self.samples):
                mine = np.flatnonzero(task == n)
                chosen = self._order(n, epoch, len(mine), len(samples))
                sample[mine], length[mine] = samples[chosen], self._lengths[n][chosen]
            self._plan = epoch, Plan(task, sample, length)
        return self._plan[1]

    def _order(self, task: int, epoch: int, rows: int, samples: int) -> np.ndarray:
        """Samples of one task in one epoch: each once before any comes twice."""
        rounds = range(-(-rows // samples)) if rows else range(0)
        orders = [np.random.default_rng([self.mixture.seed, epoch, task, n]).permutation(samples) for n in rounds]
        return np.concatenate([*orders, np.zeros(0, dtype=np.int64)])[:rows].astype(np.int64)

    def _samples(self, task: int) -> np.ndarray:
        """Pairs or items that a task can use, ``(n,)``."""
        renderer, pairs = self.renderers[task], self.pairs[task]
        usable = renderer.usable
        if renderer.task.kind != "history":
            found = np.flatnonzero(usable)
        else:
            found = np.flatnonzero(usable[pairs.items[pairs.stops - 1]])
        if not len(found):
            raise DataError(
                f"The task '{renderer.task.name}' has nothing to learn from.",
                where="tasks",
                expected=f"training users, and items with a title and a {renderer.task.target}",
            )
        return found

    def _sample(self, task: int, number: int, seed: int = 0) -> Sample:
        if self.renderers[task].task.kind != "history":
            return Sample(np.zeros(0, dtype=np.int32), number, seed=seed)
        pairs = self.pairs[task]
        start, stop = int(pairs.starts[number]), int(pairs.stops[number])
        times = self.histories.timestamps
        part = None if times is None else times[start : stop - 1]
        return Sample(pairs.items[start : stop - 1], int(pairs.items[stop - 1]), part, seed=seed)

    def _thinned(self, sample: Sample) -> Sample:
        """Without the items that are left out of this row."""
        if not self.drop or len(sample.history) < 2:
            return sample
        draws = np.random.default_rng([self.mixture.seed, 2, sample.seed]).random(len(sample.history))
        keep = (draws >= self.drop) | (draws == draws.max())
        times = None if sample.times is None else sample.times[keep]
        return replace(sample, history=sample.history[keep], times=times)

    def example_of_each_task(self) -> list[tuple[str, Rendered]]:
        """One rendered example of every task, to be looked at: the one of the median length."""
        shown = []
        for n, renderer in enumerate(self.renderers):
            middle = np.argsort(self._lengths[n], kind="stable")[len(self._lengths[n]) // 2]
            shown.append((renderer.task.name, renderer.render(self._sample(n, int(self.samples[n][middle])))))
        return shown

    def shares(self) -> np.ndarray:
        """The part of all examples that every task is over the whole training, ``(n_tasks,)``."""
        return self.mixture.shares((np.arange(1000) + 0.5) / 1000).mean(axis=0)  # type: ignore[no-any-return]

    def sampler(self, batch_size: int, *, pool: int = 50, seed: int = 0) -> TextSampler:
        """Row numbers in batches of similar length; see :class:`TextSampler`."""
        return TextSampler(self, batch_size, pool=pool, seed=seed)


class TextSampler(Sampler[int]):
    """Row numbers of the current epoch, in batches of similar length.

    Rows are sorted by length inside pools of neighbouring rows and the batches of a pool are shuffled, so that a
    curriculum keeps its order from pool to pool.

    Args:
        examples: Where the rows are.
        batch_size: Rows per batch over all processes.
        pool: Batches that are sorted together; larger pools pad less.
        seed: Of the order of batches.
    """

    def __init__(self, examples: TextExamples, batch_size: int, *, pool: int = 50, seed: int = 0) -> None:
        self.examples, self.batch_size, self.pool, self.seed, self.epoch = examples, batch_size, pool, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before every epoch."""
        self.epoch = int(epoch)

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[int]:
        yield from (self.epoch * len(self.examples) + self._order()).tolist()

    def _order(self) -> np.ndarray:
        """Rows of the epoch, ``(rows,)``; the incomplete batch goes last."""
        plan = self.examples.plan(self.epoch)
        length, apart = plan.length, self.examples.apart[plan.task]
        rng = np.random.default_rng([self.seed, self.epoch, 1])
        whole = len(length) // self.batch_size * self.batch_size
        rest = rng.permutation(len(length))[whole:]
        rows = np.setdiff1d(np.arange(len(length)), rest)
        size, pieces = self.batch_size * self.pool, []
        for at in range(0, whole, size):
            pool = rows[at : at + size]
            # down again where the other kind begins: the batch between them holds rows of similar length too
            key = np.where(apart[pool], -length[pool], length[pool])
            batches = pool[np.lexsort((key, apart[pool]))].reshape(-1, self.batch_size)
            pieces.append(batches[rng.permutation(len(batches))].ravel())
        return np.concatenate([*pieces, rest]).astype(np.int64)

    def padding_ratio(self) -> float:
        """Padded over real tokens in the current epoch (1 is no padding), by the estimated lengths."""
        order = self.examples.plan(self.epoch).length[self._order()]
        cuts = np.arange(0, len(order), self.batch_size)
        longest = np.maximum.reduceat(order, cuts)
        sizes = np.diff(np.r_[cuts, len(order)])
        return float((longest * sizes).sum() / order.sum())


class TextCollator:
    """Examples → padded tensors, on the right: ``input_ids``, ``attention_mask``, ``labels`` ``(rows, longest)`` int64.

    Args:
        tokenizer: Whose padding token is used.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def __call__(self, rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        """Pad a batch; padding of labels is -100."""
        batch = pad_prompts([row["input_ids"] for row in rows], self.tokenizer, "right")
        labels = torch.full((len(rows), max(len(row["labels"]) for row in rows)), IGNORE, dtype=torch.int64)
        for n, row in enumerate(rows):
            labels[n, : len(row["labels"])] = torch.tensor(row["labels"])
        return {**batch, "labels": labels}


def make_text_examples(
    tasks: Sequence[TaskSettings],
    histories: Histories,
    items: ItemTexts,
    tokenizer: Any,
    *,
    seq2seq: bool,
    prompts: PromptSettings | None = None,
    max_items: int = 20,
    epochs: float = 1.0,
    whole: bool = False,
    drop: float = 0.0,
    seed: int = 0,
) -> TextExamples:
    """Examples of a mixture of tasks over training histories.

    Args:
        tasks: Prompts, weights and schedules; the first decides how many rows an epoch has.
        histories: Training part only.
        items: Texts of the catalogue; their code tokens are known to ``tokenizer``.
        tokenizer: Of the model.
        seq2seq: Whether the model is an encoder-decoder.
        prompts: Budget and chat.
        max_items: Longest history that is read.
        epochs: Length of the training, which schedules refer to.
        whole: Train tasks that can be on whole histories: a decoder learns every item of one in a single row.
        drop: Share of items that are left out of histories at random.
        seed: Of all draws.

    Raises:
        ConfigError: Unknown task; schedules that leave a moment without a task.
        DataError: A task has nothing to learn from, or does not fit the budget.
        ModelError: A chat is asked for and the tokenizer has no chat template.
    """
    prompts = prompts or PromptSettings()
    mixture = TaskMixture(tasks, epochs, seed)
    renderers = [
        make_renderer(task.prompt, items, tokenizer, seq2seq=seq2seq, prompts=prompts, whole=whole) for task in tasks
    ]
    return TextExamples(mixture, renderers, histories, max_items=max_items, rows=prompts.rows_per_epoch, drop=drop)
