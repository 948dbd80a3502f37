"""A batch of texts in parts: the same gradient, with few tokens in memory at a time."""

from functools import partial

import numpy as np
import pytest
import torch
from language_support import build, examples

from genrec.data import Interactions
from genrec.generative.config import load_train_config
from genrec.training import trainer as trainers
from genrec.training.row_parts import TOKENS, is_text, row_parts
from genrec.training.train import train

pytest.importorskip("peft")


def batch_of(lengths, answers=None):
    """Rows of so many tokens, padded on the right; labels are the tokens, or answers apart of so many."""
    longest = max(lengths)
    ids = torch.arange(1, longest + 1) + 100 * torch.arange(1, len(lengths) + 1)[:, None]
    mask = (torch.arange(longest) < torch.tensor(lengths)[:, None]).long()
    labels = ids.masked_fill(mask == 0, -100)
    if answers:
        labels = torch.arange(answers).expand(len(lengths), -1) + ids[:, :1]
    return {"input_ids": ids * mask, "attention_mask": mask, "labels": labels}


@pytest.mark.parametrize("answers", [None, 3, 9])
@pytest.mark.parametrize("tokens", [1, 10, 24, 1000])
def test_every_row_stands_in_one_part_of_few_tokens(tokens, answers):
    batch = batch_of([4, 9, 2, 9, 1, 3], answers)
    assert is_text(batch)
    found = []
    for part in row_parts(batch, tokens):
        assert part["input_ids"].numel() <= tokens or len(part["input_ids"]) == 1
        for ids, mask, labels in zip(*part.values(), strict=True):
            kept = labels[labels != -100]
            found.append((ids[mask.bool()].tolist(), kept.tolist()))
    whole = zip(*batch.values(), strict=True)
    assert sorted(found) == sorted((i[m.bool()].tolist(), y[y != -100].tolist()) for i, m, y in whole)


def test_a_part_has_no_columns_of_longer_rows_and_a_small_batch_stays_as_it_is():
    shapes = [tuple(part["labels"].shape) for part in row_parts(batch_of([4, 9, 2, 9, 1, 3]), 20)]
    assert shapes == [(2, 9), (4, 4)]
    [whole] = row_parts(batch_of([4, 9]))
    assert whole["input_ids"].shape == (2, 9)
    assert TOKENS >= 512  # fewer, and products would be slow


@pytest.mark.parametrize(
    ("family", "architecture"),
    [("qwen3", "language-model"), ("t5", "language-model"), ("bert", "text-encoder"), ("llama", "item-head")],
)
def test_parts_have_the_gradient_of_the_batch(family, architecture, checkpoint):
    model = build(checkpoint(family), architecture)
    batch, _ = examples(model)
    trained = [value for value in model.parameters() if value.requires_grad]
    targets = (batch["labels"] != -100).sum()
    loss = model(**batch, num_items_in_batch=targets).loss
    whole = torch.autograd.grad(loss, trained, allow_unused=True)
    parts = list(row_parts(batch, 2 * batch["input_ids"].shape[1]))
    assert len(parts) > 1
    losses = [model(**part, num_items_in_batch=targets).loss for part in parts]
    torch.testing.assert_close(sum(losses), loss)
    pieces = torch.autograd.grad(sum(losses), trained, allow_unused=True)
    for one, other in zip(whole, pieces, strict=True):
        assert (one is None) == (other is None)
    one, other = (torch.cat([grad.flatten() for grad in grads if grad is not None]) for grads in (whole, pieces))
    assert float((one - other).norm()) < 1e-4 * float(one.norm())


@pytest.mark.parametrize(("family", "preset"), [("qwen3", "llm-decoder-lora"), ("bert", "llm-text-encoder")])
def test_training_reads_few_tokens_at_once_and_ends_with_the_same_weights(
    family, preset, checkpoint, tiny_index, tables, tmp_path, monkeypatch
):
    changes = ["model.llm.lora.lora_dropout=0", "model.dropout=0", "prompts.rows_per_epoch=16", "validation.users=4"]
    changes += ["tasks=[{prompt: next-item}]", "trainer.num_train_epochs=1", "trainer.per_device_train_batch_size=8"]
    changes += [f"model.checkpoint={checkpoint(family)}", "model.llm.dtype=float32", "model.llm.fit_code_rows=0"]
    config = load_train_config(preset, [*changes, "trainer.warmup_steps=0", "validation.beams=4"])
    seen = []

    def parts(batch, tokens):
        for part in row_parts(batch, tokens):
            seen.append(part["input_ids"].shape)
            yield part

    def weights(tokens, out):
        seen.clear()
        monkeypatch.setattr(trainers, "row_parts", partial(parts, tokens=tokens))
        trained = train(tiny_index, Interactions.read(tables[1]), config, tmp_path / out)
        return np.concatenate([value.detach().numpy().ravel() for value in trained.model.parameters()])

    whole = weights(10**6, "whole")
    assert len(seen) == 2
    longest = max(width for _, width in seen)
    pieces = weights(2 * longest, "pieces")
    assert len(seen) > 2
    assert all(rows * width <= 2 * longest for rows, width in seen)
    # AdamW makes something of gradients that are nothing but rounding, so single numbers may differ
    assert np.abs(whole - pieces).mean() < 1e-3 * config.trainer["learning_rate"]
