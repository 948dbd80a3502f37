"""The network that scores items by what it learned and by vectors: training, leaks, padding, growth, beams."""

import numpy as np
import polars as pl
import pytest
import torch

from genrec.data import Catalog, Interactions
from genrec.data.histories import Histories
from genrec.data.split import split_for
from genrec.errors import ArtifactError, ConfigError, ModelError
from genrec.evaluation.concepts import find_concepts, read_states
from genrec.generative.config import load_train_config
from genrec.generative.recommender import GenerativeRecommender
from genrec.models import build_model
from genrec.models.vector_decoder.pairs import folds_of, pair_vectors
from genrec.training.session import TrainingStoppedError
from genrec.training.train import train
from genrec.training.trainer import StopOnRequest

TINY = [
    "model.backbone.hidden_size=16",
    "model.backbone.intermediate_size=32",
    "model.backbone.num_hidden_layers=1",
    "model.backbone.head_dim=8",
    "model.options.pair_dim=8",
    "model.max_items=6",
    "validation.users=30",
    "trainer.num_train_epochs=2",
    "trainer.per_device_train_batch_size=16",
    "trainer.warmup_steps=2",
]


@pytest.fixture(scope="module")
def fitted(tables, tiny_index, tmp_path_factory):
    """A trained recommender and its folder."""
    folder = tmp_path_factory.mktemp("vector-decoder") / "model"
    config = load_train_config("vector-decoder", TINY)
    return train(tiny_index, Interactions.read(tables[1]), config, folder), folder


@pytest.fixture
def histories(fitted):
    ids = fitted[0].item_ids
    return [list(ids[:5]), list(ids[3:6]), list(ids[8:9]), []]


def states(model, items):
    items = torch.tensor(items)
    mask = items >= 0
    batch = model._codes[items.clamp_min(0)]
    with torch.no_grad():
        return model.prefill(batch, mask, items=items).scores


def test_a_saved_recommender_recommends_the_same(fitted, histories):
    recommender, folder = fitted
    again = GenerativeRecommender.from_pretrained(folder)
    np.testing.assert_allclose(again.score_items(histories), recommender.score_items(histories), atol=1e-5)
    assert again.recommend(histories, 5).item_ids == recommender.recommend(histories, 5).item_ids
    assert recommender.metrics["start"]["ndcg@10"] >= 0


def test_beams_find_what_the_exact_ranking_finds(fitted, histories):
    recommender, _ = fitted
    exact = recommender.recommend(histories, 8, options={"exact": True})
    beams = recommender.recommend(histories, 8, options={"exact": False, "beams": 8})
    np.testing.assert_allclose(beams.scores, exact.scores, atol=1e-4)
    assert beams.item_ids[:3] == exact.item_ids[:3]  # all items tie for the one without a history


def test_padding_and_other_users_do_not_change_a_user(fitted):
    model = fitted[0].model.eval()
    alone = states(model, [[4, 2, 7]])
    together = states(model, [[4, 2, 7, -1, -1], [1, 2, 3, 4, 5]])
    left = states(model, [[-1, -1, 4, 2, 7]])
    torch.testing.assert_close(together[:1], alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(left, alone, atol=1e-4, rtol=1e-4)


def test_an_empty_history_gets_the_bias_of_the_items(fitted):
    model = fitted[0].model.eval()
    torch.testing.assert_close(states(model, [[-1, -1]])[0], model.bias.detach())


def test_a_user_without_a_history_may_ask_alone(fitted, histories):
    recommender, _ = fitted
    alone, beside = recommender.recommend([[]], 5), recommender.recommend([[], *histories], 5)
    np.testing.assert_array_equal(alone.items[0], beside.items[0])
    np.testing.assert_allclose(alone.scores[0], beside.scores[0], atol=1e-5)


def test_untrained_it_recommends_what_is_near_in_text(tiny_index):
    sizes = tiny_index.codebook_sizes
    width = tiny_index.vectors().shape[1]
    model = build_model(
        "vector-decoder",
        sizes,
        backbone=load_train_config("vector-decoder", TINY).model.backbone,
        n_items=len(tiny_index),
        vector_dim=width,
        pair_dim=4,
    ).eval()
    model.bind(tiny_index)
    found = states(model, [[0]])[0]
    vectors = tiny_index.vectors() - tiny_index.vectors().mean(0)
    cosine = vectors @ vectors[0] / np.maximum(np.linalg.norm(vectors, axis=1) * np.linalg.norm(vectors[0]), 1e-9)
    assert float(np.corrcoef(found.numpy(), cosine)[0, 1]) > 0.999


def test_a_user_in_training_reads_the_pairs_of_others(fitted, tables, tiny_index):
    recommender, _ = fitted
    model, config = recommender.model, recommender.config
    train_part = split_for(Interactions.read(tables[1]), tiny_index, config).train
    rows, collate = model.training_batches(tiny_index, train_part, config)
    batch = collate([rows[n] for n in range(len(rows))])
    fold = folds_of(len(train_part), 4, seed=config.seed)
    np.testing.assert_array_equal(batch["folds"].numpy(), fold[rows.users])
    others = train_part.select(np.flatnonzero(fold != 2))
    expected = pair_vectors(others, len(tiny_index), 8, 10, seed=config.seed)
    np.testing.assert_allclose(model._pairs(2).numpy(), expected, atol=1e-6)
    loss = model(**batch).loss
    loss.backward()
    assert bool(loss.isfinite())
    assert float(model.output.grad.abs().sum()) > 0
    model.zero_grad()


class StopAfterTwo(StopOnRequest):
    """Stops as Ctrl-C would."""

    def on_step_end(self, args, state, control, **kwargs):
        self.requested = state.global_step == 2
        return super().on_step_end(args, state, control, **kwargs)


def test_post_training_goes_on_from_it_and_after_a_stop(fitted, tables, tiny_index, tmp_path):
    start, folder = fitted
    more = ["validation.users=10", "validation.also=[]", "trainer.per_device_train_batch_size=8"]
    more += [f"trainer.{name}" for name in ("max_steps=3", "eval_steps=1", "save_steps=1", "learning_rate=0.01")]
    config = load_train_config("exact-reward-vector-decoder", [*more, f"init={folder}"])
    interactions = Interactions.read(tables[1])
    with pytest.raises(TrainingStoppedError):
        train(tiny_index, interactions, config, tmp_path / "cut", callbacks=[StopAfterTwo()])
    cut = train(tiny_index, interactions, config, tmp_path / "cut")
    whole = train(tiny_index, interactions, config, tmp_path / "whole")
    assert cut.metrics["post_training"] == whole.metrics["post_training"]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(cut.model.state_dict()[name], value), name
    assert whole.metrics["start"]["ndcg@10"] >= 0
    torch.testing.assert_close(whole.model.pairs.abs(), start.model.pairs.abs(), atol=1e-4, rtol=0)
    again = GenerativeRecommender.from_pretrained(tmp_path / "whole")
    histories = [list(again.item_ids[:4])]
    assert again.recommend(histories, 5).item_ids == whole.recommend(histories, 5).item_ids


def test_items_that_came_later_are_scored_by_their_texts(fitted, tiny_index):
    recommender, _ = fitted
    catalog = tiny_index.catalog
    more = catalog.select([0]).frame.with_columns(pl.lit("new").alias("item_id"))
    grown = tiny_index.encode_new(Catalog.from_frame(more))
    again = GenerativeRecommender(recommender.model, grown, recommender.config)
    assert again.model is not recommender.model
    assert again.model.rows is recommender.model.rows
    scores = again.score_items([[catalog.item_ids[0]]])
    assert scores.shape == (1, len(tiny_index) + 1)
    assert np.isfinite(scores).all()
    assert (scores[0] < scores[0, -1]).mean() > 0.5


@pytest.mark.parametrize("by_fold", [False, True])
def test_states_are_what_every_target_was_predicted_from(fitted, by_fold):
    model = fitted[0].model
    items = torch.tensor([[3, 4, 5, 4, 6], [9, 1, 2, -1, -1], [7, -1, -1, -1, -1], [2, 8, -1, -1, -1]])
    batch = {"codes": model._codes[items.clamp_min(0)], "mask": items >= 0, "items": items}
    folds = {"folds": torch.tensor([1, 0, 0, 1])} if by_fold else {}
    with torch.no_grad():
        output = model(**batch, **folds)
        expected = model._states(model._table()[items.clamp_min(0)], items >= 0)
    found = {
        (int(row), int(place)): (state, codes.tolist())
        for row, place, state, codes in zip(output.rows, output.places, output.states, output.targets, strict=True)
    }
    assert set(found) == {(0, 1), (0, 2), (0, 4), (1, 1), (1, 2), (3, 1)}  # an item again is no target
    for (row, place), (state, codes) in found.items():
        torch.testing.assert_close(state, expected[row, place - 1])
        assert codes == model._codes[items[row, place]].tolist()
    assert int(output.n_targets) == len(found)
    assert output.states.shape[1] == model.state_dim


def test_lists_are_made_from_changed_states(fitted, histories):
    recommender = GenerativeRecommender.from_pretrained(fitted[1])
    torch.nn.init.normal_(recommender.model.output)  # so few epochs may keep the start, where states say nothing yet
    before = recommender.score_items(histories)
    with recommender.model.changed_states(lambda states: states * 1.0):
        np.testing.assert_array_equal(recommender.score_items(histories), before)
    with recommender.model.changed_states(lambda states: states + 10):
        changed = recommender.score_items(histories)
    with recommender.model.changed_states(torch.zeros_like):
        nothing = recommender.score_items(histories)
    assert np.abs(changed - before)[:3].max() > 1e-3
    assert np.abs(nothing - before)[:3].max() > 1e-3
    np.testing.assert_array_equal(changed[3], before[3])  # nobody has no state
    np.testing.assert_array_equal(recommender.score_items(histories), before)


def test_concepts_of_its_states_change_its_lists(fitted):
    repeats = Histories.from_lists([[n % 30, (n * 7) % 30, n % 30, (n * 3 + 1) % 30] for n in range(60)])
    states = read_states(fitted[0], repeats)
    for newest, user, place in zip(states.newest, states.users, states.places, strict=True):
        assert repeats[user][place - 1] == newest  # also behind an item that is no target
    concepts, figures = find_concepts(fitted[0], repeats, width=24, k=3, steps=60, shown=4, lists=10)
    assert figures["states"] == len(states.newest) < 60 * 3
    assert 1 <= len(concepts) <= 4


def test_texts_of_users_are_aligned_with_its_states(tables, tiny_index, tmp_path):
    settings = ["objective.name=text-alignment", "objective.items=0", "trainer.num_train_epochs=1"]
    config = load_train_config("vector-decoder", [*TINY, *settings])
    aligned = train(tiny_index, Interactions.read(tables[1]), config, tmp_path / "model")
    assert aligned.metrics["steps"] > 0
    config = load_train_config("vector-decoder", [*TINY, "objective.name=text-alignment"])
    with pytest.raises(ConfigError, match="embed"):
        train(tiny_index, Interactions.read(tables[1]), config, tmp_path / "items")


def test_it_says_what_it_needs(tiny_index, fitted):
    with pytest.raises(ModelError, match="items with vectors"):
        build_model("vector-decoder", tiny_index.codebook_sizes, backbone={"hidden_size": 16})
    model = fitted[0].model
    with pytest.raises(ModelError, match="reads the items"):
        model.prefill(torch.zeros(1, 1, 3, dtype=torch.int64), torch.ones(1, 1, dtype=torch.bool))
    model.config.n_items += 1
    try:
        with pytest.raises(ArtifactError, match="items with vectors"):
            model.bind(tiny_index)
    finally:
        model.config.n_items -= 1
