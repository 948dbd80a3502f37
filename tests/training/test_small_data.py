"""Few users: enough steps all the same, and words about what is not good yet."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from genrec.assets import asset_names
from genrec.baselines.transitions import TransitionCounts
from genrec.baselines.tuning import choose
from genrec.data import Interactions
from genrec.data.split import leave_one_out
from genrec.decoding.options import PriorSettings
from genrec.generative.config import load_train_config
from genrec.generative.recommender import GenerativeRecommender
from genrec.training.arguments import enough_steps
from genrec.training.learned import counting, remarks
from genrec.training.prior import fit_prior
from genrec.training.searched import Searched


def steps(config, rows, processes=1):
    changed = enough_steps(config, rows, processes)
    batch = changed.get("per_device_train_batch_size", config.trainer["per_device_train_batch_size"])
    return -(-rows // (batch * processes)) * int(config.epochs), changed


@pytest.mark.parametrize("rows", [1000, 2000, 4000])
def test_few_users_get_smaller_batches_and_a_short_warm_up(rows):
    config = load_train_config("item-decoder-small")
    made, changed = steps(config, rows)
    assert 1000 <= made < 2000
    assert changed["per_device_train_batch_size"] < 256
    assert config.trainer["warmup_steps"] <= made / 5 or changed["warmup_steps"] <= made / 5


@pytest.mark.parametrize("preset", [name for name in asset_names("presets", ".yaml") if name != "recgpt-pretrain"])
@pytest.mark.parametrize("rows", [100, 1000])
def test_no_preset_ends_before_a_small_shop_has_been_learned(preset, rows):
    config = load_train_config(preset)
    made, changed = steps(config, rows)
    assert config.min_steps >= (250 if preset == "demo" else 500)  # its steps are three times as large
    assert made >= min(config.min_steps, rows // 16 * int(config.epochs))
    assert changed.get("warmup_steps", config.trainer["warmup_steps"]) <= made / 5


def test_the_demo_shop_is_large_enough():
    assert enough_steps(load_train_config("demo"), 4000, 1) == {}


def test_enough_users_change_nothing():
    config = load_train_config("item-decoder-small")
    for rows in (16_000, 200_000):
        assert enough_steps(config, rows, 1) == {}


def test_batches_never_grow_and_never_shrink_below_sixteen():
    small = load_train_config("item-decoder-small", ["trainer.per_device_train_batch_size=8"])
    assert "per_device_train_batch_size" not in enough_steps(small, 50, 1)
    made, changed = steps(load_train_config("item-decoder-small"), 50)
    assert changed["per_device_train_batch_size"] == 16
    assert changed["warmup_steps"] == made // 5


def test_processes_share_a_batch_and_other_ways_to_say_the_length_win():
    config = load_train_config("item-decoder-small")
    alone, shared = (enough_steps(config, 1600, n)["per_device_train_batch_size"] for n in (1, 2))
    assert shared == max(16, alone // 2)
    for change in ("min_steps=0", "trainer.max_steps=50"):
        assert enough_steps(load_train_config("item-decoder-small", [change]), 1000, 1) == {}


def test_remarks_name_what_to_do():
    learned = {"metric": "ndcg@10", "cases": 900, "kept": "trained", "together": 0.05, "counting": 0.4}
    said = " ".join(remarks({"learned": learned, "still_rising": True, "epochs": 16.0}))
    assert "still rising" in said
    assert "num_train_epochs=32" in said
    assert "trainer.max_steps=40" in " ".join(remarks({"still_rising": True, "epochs": 2.0, "max_steps": 20}))
    assert "NDCG@10 0.4000 against 0.0500" in said
    assert "generation.prior.name=transition-counts" in said
    assert remarks({"learned": {**learned, "together": 0.5}, "still_rising": False}) == []


@pytest.mark.parametrize(("best", "most"), [(1.0, 8.0), (8.0, 16.0), (30.0, 64.0), (500.0, 64.0)])
def test_the_grid_of_weights_grows_until_its_end_is_not_the_best(copy, split, monkeypatch, best, most):
    def mean(self, recommender, **_):
        """What is best lies beyond every weight up to a certain one."""
        return -abs(recommender.options.prior.weight - best)

    monkeypatch.setattr(Searched, "mean", mean)
    tried = fit_prior(copy, split, PriorSettings())
    assert max(one["weight"] for one in tried) == most
    chosen = copy.options.prior.weight
    assert chosen == min((one["weight"] for one in tried), key=lambda weight: abs(weight - best))
    said = " ".join(remarks(copy.metrics))
    assert ("largest that was tried" in said) == (chosen == most)
    assert len(fit_prior(copy, split, PriorSettings(), weights=(1.0, 2.0))) == 3  # a given grid stays


def test_the_exact_grid_grows_too(copy, split, monkeypatch):
    copy.options = copy.options.model_copy(update={"exact": True})
    copy.__class__ = type("AllAtOnce", (GenerativeRecommender,), {"scores_all": True})

    def measured(recommender, cases, priors, *, weights, **_):
        return np.tile([min(weight, 20.0) / 20 for weight in weights], (len(priors), 1))

    monkeypatch.setattr("genrec.training.prior.ndcg_with_priors", measured)
    fit_prior(copy, split, PriorSettings())
    assert copy.options.prior.weight == 32.0
    assert max(one["weight"] for one in copy.metrics["prior"]["tried"]) == 64.0


def test_what_is_said_of_counting_uses_the_settings_that_are_best_on_validation():
    """Half of the steps follow a rule of one step back, half are noise: a longer window counts noise."""
    rng = np.random.default_rng(0)
    follows, rows = rng.permutation(40), []
    for user in range(300):
        item = int(rng.integers(40))
        for moment in range(8):
            rows.append((f"u{user}", f"i{item}", moment))
            item = int(follows[item]) if rng.random() < 0.5 else int(rng.integers(40))
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    ids = [f"i{n}" for n in range(40)]
    split = leave_one_out(Interactions.from_frame(table).histories(ids))
    chosen, usual = choose(TransitionCounts, split, ids), TransitionCounts().fit(split.train, ids)
    found = counting(SimpleNamespace(config=load_train_config("item-decoder-small"), item_ids=ids), split)
    assert found == pytest.approx(chosen.ndcg(split.validation))
    assert found > usual.ndcg(split.validation)


def test_training_measures_counting_on_the_cases_that_it_is_judged_by(trained, split):
    recommender = GenerativeRecommender.from_pretrained(trained[1])
    learned = recommender.metrics["learned"]
    assert learned["counting"] == pytest.approx(counting(recommender, split))
    assert 0 < learned["counting"] <= 1
    assert isinstance(recommender.metrics["still_rising"], bool)
