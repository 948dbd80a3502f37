"""The promises of the design that hold for the whole toolkit, each by name (promise 6 is in test_layout.py)."""

import hashlib
import socket
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support import TINY_TOKENIZER

from genrec.baselines import TransitionCounts
from genrec.baselines.fit import fit_baselines
from genrec.data import Catalog, Interactions
from genrec.data.histories import Histories
from genrec.data.split import split_for
from genrec.generative.recommender import GenerativeRecommender
from genrec.index.recipe import load_recipe
from genrec.index.semantic_index import SemanticIndex
from genrec.training.train import train
from genrec.training.trainer import StopOnRequest


def every_file(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("k", [3, 40, 500])
def test_promise_1_recommendations_are_real_distinct_items_and_never_fillers(trained, k):
    recommender, _ = trained
    ids = recommender.item_ids.tolist()
    histories = [ids[:2], ids[5:9], [], ids]
    allow = set(ids[:30])
    found = recommender.recommend(histories, k, allow=allow, deny={ids[29]})
    for history, items in zip(histories, found.item_ids, strict=True):
        allowed = allow - {ids[29]} - set(history)
        assert set(items) <= allowed
        assert len(items) == len(set(items)) == min(k, len(allowed))
    assert found.item_ids[3] == []
    assert (np.diff(np.where(np.isinf(found.scores), -1e9, found.scores), axis=1) <= 1e-6).all()


def test_promise_2_items_that_collided_all_stay_reachable(trained):
    recommender, _ = trained
    index = recommender.index
    quantized = index.codes[:, : index.quantizer_levels]
    assert len(np.unique(quantized, axis=0)) < len(index)
    found = recommender.recommend([["i000"]], len(index), exclude_seen=False).item_ids[0]
    assert sorted(found) == sorted(recommender.item_ids.tolist())


def test_promise_3_a_user_does_not_depend_on_the_batch(trained):
    recommender, _ = trained
    rng = np.random.default_rng(0)
    histories = [rng.permutation(60)[: rng.integers(1, 12)].tolist() for _ in range(20)]
    together = recommender.recommend(Histories.from_lists(histories), 8)
    for user, history in enumerate(histories):
        alone = recommender.recommend(Histories.from_lists([history]), 8)
        np.testing.assert_array_equal(alone.items[0], together.items[user])
        np.testing.assert_allclose(alone.scores[0], together.scores[user], atol=1e-4)


def test_promise_4_the_same_seed_gives_the_same_index_bytes(tables, tmp_path):
    for name in "ab":
        recipe = load_recipe("rq-kmeans-3x256", TINY_TOKENIZER)
        SemanticIndex.build(Catalog.read(tables[0]), recipe).save(tmp_path / name)
    assert every_file(tmp_path / "a") == every_file(tmp_path / "b")


def test_promise_4_resumed_training_ends_where_uninterrupted_training_ends(
    trained, tables, tiny_index, tiny_config, tmp_path
):
    whole, _ = trained

    class StopAt(StopOnRequest):
        def __init__(self, step):
            super().__init__()
            self.step = step

        def on_step_end(self, args, state, control, **kwargs):
            self.requested = state.global_step == self.step
            return super().on_step_end(args, state, control, **kwargs)

    from genrec.training.session import TrainingStoppedError

    interactions = Interactions.read(tables[1])
    for step in (2, 7):  # in the middle of the first epoch and of the second
        with pytest.raises(TrainingStoppedError, match="nothing is lost"):
            train(tiny_index, interactions, tiny_config, tmp_path / "model", callbacks=[StopAt(step)])
        assert not (tmp_path / "model").exists()
    resumed = train(tiny_index, interactions, tiny_config, tmp_path / "model")
    for name, weight in whole.model.state_dict().items():
        np.testing.assert_array_equal(weight.numpy(), resumed.model.state_dict()[name].numpy(), err_msg=name)
    assert resumed.metrics["validation"] == whole.metrics["validation"]
    assert not (tmp_path / "model.training").exists()


def test_promise_5_held_out_interactions_change_nothing_that_is_learned(tables, tiny_index, tiny_config):
    frame = pl.read_csv(tables[1])
    last_two = pl.int_range(pl.len()).over("user_id") >= pl.len().over("user_id") - 2
    another_kind = "i" + ((pl.col("item_id").str.tail(3).cast(pl.Int32) + 1) % 60).cast(pl.String).str.zfill(3)
    other = frame.with_columns(pl.when(last_two).then(another_kind).otherwise("item_id").alias("item_id"))
    recipe = load_recipe("rq-kmeans-3x256-fused", ["quantizer.levels=2", "quantizer.codebook_size=8"])
    catalog, learned = Catalog.read(tables[0]), []
    for table in (frame, other):
        split = split_for(Interactions.from_frame(table), tiny_index, tiny_config)
        index = SemanticIndex.build(catalog, recipe, train=split.train)
        baselines = fit_baselines(split, index.item_ids, ["popularity"])
        baselines.append(TransitionCounts(window=3, last=3).fit(split.train, index.item_ids))
        lists = [baseline.recommend([["i000"], ["i007", "i013"]], 20).items.tolist() for baseline in baselines]
        learned.append((split.train.items.tolist(), index.fingerprint, lists))
    assert not frame.equals(other)
    assert learned[0] == learned[1]


def test_promise_8_indexing_training_and_recommending_need_no_network(tables, tiny_config, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("something asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    index = SemanticIndex.build(Catalog.read(tables[0]), load_recipe("rq-kmeans-3x256", TINY_TOKENIZER))
    config = tiny_config.model_copy(update={"trainer": {**tiny_config.trainer, "num_train_epochs": 1}})
    train(index, Interactions.read(tables[1]), config, tmp_path / "model")
    again = GenerativeRecommender.from_pretrained(tmp_path / "model")
    assert len(again.recommend([["i001"]], 5).item_ids[0]) == 5
