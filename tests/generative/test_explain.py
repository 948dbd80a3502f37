"""Why items are recommended: the parts of every score add up to it, for every network and every way to decode."""

import numpy as np
import pytest
import scipy.sparse as sp
from language_support import save_checkpoint
from networks import HISTORIES, NETWORKS, REQUESTS, N, recommender

from genrec.baselines.transitions import TransitionCounts
from genrec.data import Interactions
from genrec.data.histories import Histories
from genrec.decoding.options import PriorSettings
from genrec.errors import ConfigError, DataError
from genrec.generative.config import load_train_config
from genrec.generative.learned_prior import LearnedPrior
from genrec.training.train import train

SEARCHES = {
    "beams": {"beams": 6},
    "exact": {"exact": True},
    "groups": {"beams": 6, "groups": 3},
    "cap": {"beams": 8, "max_per_prefix": 1},
    "re-ranked": {"beams": 12, "mmr": 0.6},
}
K = 5


def priors():
    """By id for all users, a vector, one row a user, and sparse rows."""
    rng = np.random.default_rng(1)
    return {
        "none": None,
        "ids": {"i7": 2.0, "i13": -1.5},
        "rows": rng.normal(size=(len(HISTORIES), N)),
        "sparse": sp.csr_array(sp.random(len(HISTORIES), N, 0.3, rng=rng, dtype=np.float32)),
    }


def with_counts(made):
    """The recommender with a prior of counts."""
    walks = [[(3 * user + step) % N for step in range(8)] for user in range(40)]
    counts = TransitionCounts().fit(Histories.from_lists(walks), made.item_ids)
    made.prior = LearnedPrior(counts)
    return made


def assert_adds_up(made, histories, k=K, **given):
    """Explains what is recommended, with the same scores, and parts that add up to them."""
    expected, why = made.recommend(histories, k, **given), made.explain(histories, k=k, **given)
    np.testing.assert_array_equal(why.recommendations.items, expected.items)
    np.testing.assert_array_equal(why.recommendations.scores, expected.scores)
    real = expected.items >= 0
    scale = max(1.0, max(float(np.abs(values).max(initial=0)) for values in why.parts.values()))
    np.testing.assert_allclose(why.totals[real], expected.scores[real], atol=2e-4 * scale)
    assert (why.totals[~real] == 0).all()
    if why.levels is not None:
        np.testing.assert_allclose(why.levels.sum(2), why.parts["network"], atol=1e-4 * scale)
        np.testing.assert_array_equal(why.codes[real], made.index.codes[expected.items[real]])
    return why


@pytest.mark.parametrize("search", sorted(SEARCHES))
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_parts_add_up_for_every_network(name, search):
    made = with_counts(recommender(name))
    learned = PriorSettings(name="transition-counts", weight=0.7)
    ways = [("vocabulary", 0.0, None, "none"), ("codes", 1.5, learned, "ids"), ("children", 0.0, learned, "rows")]
    for number, (normalize, words, counts, prior) in enumerate([*ways, ("vocabulary", 2.0, None, "sparse")]):
        given = REQUESTS[sorted(REQUESTS)[number]]
        options = {"normalize": normalize, "words": words, "prior": counts, "prior_weight": 0.5, **SEARCHES[search]}
        why = assert_adds_up(made, HISTORIES, prior=priors()[prior], options=options, **given)
        wanted = {"network"}
        wanted |= {"words"} if words else set()
        wanted |= {"counts"} if counts else set()
        wanted |= {"prior"} if prior != "none" else set()
        assert set(why.parts) == wanted | ({"scale", "likeness"} if search == "re-ranked" else set())


LANGUAGE = [
    ("qwen3", "llm-decoder-lora"),
    ("t5", "llm-seq2seq-lora"),
    ("llama", "llm-item-head"),
    ("bert", "llm-text-encoder"),
    (None, "vector-decoder"),
]


@pytest.mark.parametrize(("family", "preset"), LANGUAGE, ids=[preset for _, preset in LANGUAGE])
def test_parts_add_up_for_language_models_and_vectors(family, preset, tables, tiny_index, tmp_path):
    settings = ["validation.users=2", "validation.beams=2", "trainer.num_train_epochs=1", "model.max_items=4"]
    if family:
        settings += [
            f"model.checkpoint={save_checkpoint(tmp_path / 'lm', family)}",
            *("model.llm.lora.r=2", "prompts.rows_per_epoch=8", "trainer.learning_rate=0.05"),
            *("trainer.per_device_train_batch_size=4", "trainer.warmup_steps=0", "tasks=[{prompt: next-item}]"),
        ]
    config = load_train_config(preset, settings)
    made = with_counts(train(tiny_index, Interactions.read(tables[1]), config, tmp_path / "model"))
    histories = [tiny_index.item_ids[:3].tolist(), [], tiny_index.item_ids[20:21].tolist()]
    counts = PriorSettings(name="transition-counts", weight=0.7)
    for normalize in ("vocabulary", "codes", "children"):
        for search in ({"beams": 8}, {"exact": True}):
            assert_adds_up(made, histories, options={"normalize": normalize, "prior": counts, "words": 1.0, **search})


def test_other_items_than_the_best_are_explained_in_order():
    made = with_counts(recommender("item-decoder"))
    counts = PriorSettings(name="transition-counts", weight=1.0)
    options = {"exact": True, "words": 1.0, "prior": counts}
    every = made.recommend([["i3", "i9"]], N, options=options)
    scores = dict(zip(every.item_ids[0], every.scores[0].tolist(), strict=False))
    why = made.explain([["i3", "i9"]], [["i40", "i7", "i12"]], options=options)
    assert [one.item_id for one in why[0]] == sorted(["i40", "i7", "i12"], key=lambda item: -scores[item])
    for one in why[0]:
        assert one.score == pytest.approx(scores[one.item_id], abs=1e-4)
        assert sum(one.parts.values()) == pytest.approx(one.score, abs=1e-4)
        assert sum(one.levels) == pytest.approx(one.parts["network"], abs=1e-4)
        assert one.names[0] == f"<a_{one.codes[0]}>"


@pytest.mark.parametrize(
    ("items", "given", "error", "says"),
    [
        ([["i3"]], {}, DataError, "'i3' cannot be recommended"),
        ([["i5"]], {"deny": ["i5"]}, DataError, "'i5' cannot be recommended"),
        ([["i5"]], {"allow_each": [["i6"]]}, DataError, "'i5' cannot be recommended"),
        ([["i5"], ["i6"]], {}, DataError, "Items of 2 users for 1 history"),
        ([["nothing"]], {}, DataError, "nothing"),
        ([["i5"]], {"options": {"mmr": 0.5}}, ConfigError, "Re-ranking scores lists"),
    ],
)
def test_items_that_cannot_be_explained_are_told(items, given, error, says):
    with pytest.raises(error, match=says):
        recommender("item-decoder").explain([["i3"]], items, **given)


def test_a_baseline_has_one_part_of_its_own_name():
    walks = Histories.from_lists([[0, 1, 2], [1, 2, 3], [2, 3]])
    made = TransitionCounts().fit(walks, ["a", "b", "c", "d"])
    why = made.explain([["a"], ["c"]], k=2)
    np.testing.assert_array_equal(why.recommendations.items, made.recommend([["a"], ["c"]], 2).items)
    assert list(why.parts) == ["transition-counts"]
    assert why[0][0].parts["transition-counts"] == why[0][0].score
    assert [one.item_id for one in made.explain([["a"]], [["d", "b"]])[0]] == ["b", "d"]


def test_a_table_of_explanations_has_the_parts_and_the_codes():
    made = recommender("seq2seq")
    frame = made.explain(HISTORIES[:2], k=3, options={"words": 1.0, "beams": 5}).to_frame(["u", "v"])
    assert frame.columns == ["user_id", "rank", "item_id", "score", "part_network", "part_words", "semantic_id"]
    total = frame["part_network"] + frame["part_words"]
    np.testing.assert_allclose(total, frame["score"], atol=1e-4)
    assert frame["semantic_id"].str.starts_with("<a_").all()
