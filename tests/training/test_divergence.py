"""A loss that is no number ends training: with the best epoch so far, or with one clear error."""

import json
import logging

import numpy as np
import pytest
import torch
from language_support import save_checkpoint
from support import TINY_TRAINING
from transformers import TrainerCallback

from genrec.data import Interactions
from genrec.generative.config import load_train_config
from genrec.recommender import Recommender
from genrec.training.divergence import DivergedError
from genrec.training.train import train

SMALL = [
    "model.max_items=4",
    "validation.users=8",
    "validation.beams=4",
    "validation.patience=9",
    "generation.beams=8",
    "trainer.num_train_epochs=3",
    "trainer.per_device_train_batch_size=8",
    "trainer.warmup_steps=1",
]


class Break(TrainerCallback):
    """Makes one trained weight infinite at a step, as too high a learning rate does."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, model=None, **kwargs):
        if state.global_step == self.step:
            with torch.no_grad():
                next(p for p in model.parameters() if p.requires_grad).fill_(float("inf"))


@pytest.fixture(scope="module", params=["own", "lora"])
def settings(request, tmp_path_factory):
    if request.param == "own":
        sizes = [one for one in TINY_TRAINING if one.startswith("model.backbone.")]
        return load_train_config("decoder-small", [*SMALL, *sizes])
    pytest.importorskip("peft")
    folder = save_checkpoint(tmp_path_factory.mktemp("base") / "base", "llama")
    more = ["model.llm.lora.r=2", "prompts.rows_per_epoch=16", f"model.checkpoint={folder}"]
    return load_train_config("llm-decoder-lora", [*SMALL, *more])


@pytest.fixture(scope="module")
def interactions(tables):
    return Interactions.read(tables[1])


@pytest.fixture(scope="module")
def whole(settings, tiny_index, interactions, tmp_path_factory):
    """A training in which every loss is a number, and the steps of an epoch."""
    done = train(tiny_index, interactions, settings, tmp_path_factory.mktemp("whole") / "model")
    return done, done.metrics["steps"] // 3


def test_the_best_epoch_before_it_is_kept(settings, whole, tiny_index, interactions, tmp_path, caplog):
    done, epoch = whole
    with caplog.at_level(logging.WARNING, logger="genrec"):
        kept = train(tiny_index, interactions, settings, tmp_path / "out", callbacks=[Break(epoch + 1)])
    (message,) = [record.getMessage() for record in caplog.records if "no number" in record.getMessage()]
    assert "trainer.learning_rate" in message
    first = done.metrics["log"]
    assert kept.metrics["best_epoch"] == 1
    assert "no number" in kept.metrics["diverged"]
    assert [x for x in kept.metrics["log"] if "eval_ndcg@10" in x] == [x for x in first if "eval_ndcg@10" in x][:1]
    assert not (tmp_path / "out.training").exists()
    loaded = Recommender.from_pretrained(tmp_path / "out")
    lists = loaded.recommend([[str(loaded.item_ids[0])]], k=5)
    assert len(lists.item_ids[0]) == 5
    assert np.isfinite(lists.scores).all()
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["diverged"]


@pytest.mark.parametrize("step", ["first", "last of an epoch"])
def test_nothing_is_saved_where_no_epoch_was_good(settings, step, whole, tiny_index, interactions, tmp_path):
    at = 1 if step == "first" else whole[1]
    with pytest.raises(DivergedError) as caught:
        train(tiny_index, interactions, settings, tmp_path / "out", callbacks=[Break(at)])
    assert "Lower trainer.learning_rate" in str(caught.value)
    assert not (tmp_path / "out").exists()
    # a corrected command is not blocked by what is left of this one
    corrected = settings.model_copy(update={"trainer": {**settings.trainer, "learning_rate": 1e-4}})
    assert train(tiny_index, interactions, corrected, tmp_path / "out").metrics["validation"]
