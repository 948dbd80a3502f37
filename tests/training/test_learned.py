import json

import numpy as np
import pytest

from genrec.baselines import TransitionCounts
from genrec.data.interactions import Interactions
from genrec.data.split import leave_one_out
from genrec.decoding.options import PriorSettings
from genrec.generative.learned_prior import LearnedPrior
from genrec.generative.recommender import GenerativeRecommender
from genrec.training.learned import figures_line, remarks, what_was_learned
from genrec.training.prior import fit_prior
from genrec.training.searched import Searched


@pytest.fixture(scope="module")
def split(tables, tiny_index):
    return leave_one_out(Interactions.read(tables[1]).histories(tiny_index.item_ids))


def with_counts(trained, split):
    given, _ = trained
    made = GenerativeRecommender(given.model, given.index, given.config)
    made.name = "m"
    made.prior = LearnedPrior(TransitionCounts(window=1, last=1).fit(split.train, made.item_ids))
    made.options = made.options.model_copy(update={"prior": PriorSettings(name="transition-counts", weight=0.02)})
    return made


def test_every_figure_is_of_the_same_cases(trained, split):
    found = what_was_learned(with_counts(trained, split), split.validation, kept_start=False)
    assert found["metric"] == "ndcg@10"
    assert found["cases"] == 40
    assert found["gain"] == pytest.approx(found["together"] - found["without_network"])
    assert found["gain_low"] < found["gain"] < found["gain_high"]
    assert 0 < found["network_alone"] < found["without_network"]  # two epochs of a tiny network learn little
    assert json.loads(json.dumps(found)) == found


def test_what_was_searched_to_choose_a_weight_is_not_searched_again(trained, split, monkeypatch):
    made = with_counts(trained, split)
    searched, asked = Searched(made, split.validation), []
    recommend = GenerativeRecommender.recommend

    def counted(self, *arguments, **options):
        asked.append(self.options.prior)
        return recommend(self, *arguments, **options)

    monkeypatch.setattr(GenerativeRecommender, "recommend", counted)
    tried = fit_prior(made, split, PriorSettings(), weights=(0.5, 2.0), searched=searched)
    assert len(asked) == len(tried) == 3
    found = what_was_learned(made, split.validation, kept_start=False, searched=searched)
    assert len(asked) == 3
    assert found == what_was_learned(made, split.validation, kept_start=False)
    assert len(asked) == 5
    assert found["network_alone"] == tried[0]["ndcg@10"]
    assert found["together"] == max(one["ndcg@10"] for one in tried)
    assert len({round(one["ndcg@10"], 9) for one in tried}) > 1  # weights make a difference


def test_other_counts_and_other_options_are_searched_anew(trained, split):
    made = with_counts(trained, split)
    searched = Searched(made, split.validation)
    light = searched.values(made)
    made.options = made.options.model_copy(update={"prior": PriorSettings(name="transition-counts", weight=9.0)})
    heavy = searched.values(made)
    assert (light != heavy).any()
    few = split.train.select(np.arange(1))
    made.prior = LearnedPrior(TransitionCounts(window=1, last=1).fit(few, made.item_ids))
    assert (searched.values(made) != heavy).any()
    alone = searched.values(made, prior=None)
    np.testing.assert_array_equal(alone, Searched(made, split.validation).values(made, prior=None))
    made.options = made.options.model_copy(update={"prior": PriorSettings(name="transition-counts", weight=0.0)})
    assert searched.values(made) is alone  # counts that weigh nothing are none


def test_a_network_by_itself_has_one_figure(trained, split):
    found = what_was_learned(trained[0], split.validation, kept_start=False)
    assert set(found) == {"metric", "cases", "kept", "together"}
    assert "the network alone" in figures_line(found)
    assert remarks({"learned": found}) == []
    assert what_was_learned(trained[0], split.validation.select(np.zeros(0, dtype=int)), kept_start=False) == {}


def test_a_run_keeps_the_figures(trained):
    saved = json.loads((trained[1] / "metrics.json").read_text())["learned"]
    assert saved["kept"] == "trained"
    assert saved["together"] == pytest.approx(
        json.loads((trained[1] / "metrics.json").read_text())["validation"]["ndcg@10"]
    )


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.001, 0.003, "adds +0.0020 NDCG@10"),
        (-0.001, 0.005, "adds nothing"),
        (-0.003, -0.001, "makes words and counts worse"),
    ],
)
def test_what_the_network_adds_is_said_plainly(low, high, words):
    learned = {"metric": "ndcg@10", "cases": 2000, "kept": "trained", "together": 0.1, "network_alone": 0.05}
    learned |= {"without_network": 0.098, "gain": (low + high) / 2, "gain_low": low, "gain_high": high}
    [said] = remarks({"learned": learned})
    assert words in said
    assert f"{low:+.4f} to {high:+.4f}" in said
    assert ("--config" in said) == (low <= 0)
    assert "without it 0.0980" in figures_line(learned)


def test_kept_starting_weights_are_said_plainly():
    [said] = remarks({"learned": {"metric": "ndcg@10", "cases": 10, "kept": "start", "together": 0.1}})
    assert "The weights are those from before training" in said
    assert "trainer.learning_rate" in said
    assert remarks({}) == []
