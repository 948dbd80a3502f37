"""The steering benchmark finds words that steer, and finds nothing where words are ignored."""

import numpy as np
import polars as pl
import pytest
import torch
from language_support import save_checkpoint

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.errors import ConfigError, DataError
from genrec.evaluation.steering import Wishes, stating, steering
from genrec.generative.config import load_train_config
from genrec.generative.recommender import GenerativeRecommender
from genrec.models import find_network

BRANDS = ["Acme", "Bolt", "Cord", "Unknown"]


@pytest.fixture
def catalog():
    rng = np.random.default_rng(0)
    n = 80
    return Catalog.from_frame(
        pl.DataFrame(
            {
                "item_id": [f"i{n}" for n in range(n)],
                "title": [f"Thing {n}" for n in range(n)],
                "brand": [BRANDS[n % 4] for n in range(n)],
                "categories": [["Cups"] if n % 2 else ["Lamps", "Cups"] for n in range(n)],
                "price": rng.uniform(1, 50, n),
            }
        )
    )


@pytest.fixture
def histories():
    rng = np.random.default_rng(1)
    return Histories.from_lists([rng.choice(80, 6, replace=False) for _ in range(40)])


@pytest.fixture
def tiny_llm(tiny_index, tmp_path):
    """A language model of random weights that was trained on nothing, with prompts of a task."""
    pytest.importorskip("peft")

    def made(task):
        changes = [f"model.checkpoint={save_checkpoint(tmp_path / 'lm', 'llama')}", f"tasks=[{{prompt: {task}}}]"]
        config = load_train_config("llm-decoder-lora", [*changes, "examples.mode=prefixes", "model.llm.lora.r=2"])
        torch.manual_seed(0)
        model = find_network("language-model").create(tiny_index, config)
        model.prepare(tiny_index.trie, trie_masked_loss=False)
        return GenerativeRecommender(model, tiny_index, config)

    return made


def obeying(catalog, k=10):
    """Lists of what is wished for, else of anything."""
    prices, brands = catalog.frame["price"].to_numpy(), catalog.frame["brand"].to_list()
    categories = [row[0] for row in catalog.frame["categories"].to_list()]

    def lists(histories, statements):
        rows = []
        for said in statements:
            kind, _, value = said.partition(" ")
            score = np.zeros(80)
            if kind == "brand":
                score = np.array([brand == value for brand in brands], dtype=float)
            if kind == "category":
                score = np.array([category == value for category in categories], dtype=float)
            if said in ("cheaper", "more expensive"):
                score = prices if said == "more expensive" else -prices
            rows.append(np.argsort(-score, kind="stable")[:k])
        return np.stack(rows)

    return lists


def test_a_recommender_that_obeys_moves_towards_every_wish(catalog, histories):
    wishes = Wishes(catalog)
    assert wishes.kinds == ("brand", "category", "cheaper", "more expensive")
    rows = {row.kind: row for row in steering(obeying(catalog), wishes, histories)}
    assert rows.keys() == set(wishes.kinds)
    for kind in ("brand", "category"):
        assert rows[kind].wished == 1
        assert rows[kind].moved.mean == pytest.approx(1 - rows[kind].without)
        assert rows[kind].moved.p_value < 0.01
        assert rows[kind].own.mean > 0.9  # with another's wish nothing agrees with the own one
    assert rows["cheaper"].moved.mean > 0.5
    assert rows["more expensive"].moved.mean > 0.5


def test_a_recommender_that_ignores_words_does_not_move(catalog, histories):
    def lists(histories, statements):
        return np.tile(np.arange(10), (len(histories), 1))

    for row in steering(lists, Wishes(catalog), histories):
        assert (row.moved.mean, row.moved.p_value) == (0, 1)
        assert row.own is None if row.kind in ("cheaper", "more expensive") else row.own.mean == 0


def test_words_that_change_a_list_without_being_understood_are_told_apart(catalog, histories):
    def lists(histories, statements):  # any wish gives Acme, none gives Bolt
        return np.stack([np.arange(0 if said else 1, 80, 4)[:10] for said in statements])

    row = steering(lists, Wishes(catalog), histories, ["brand"])[0]
    assert row.own.mean == 0


def test_a_wish_comes_from_the_history_and_is_not_what_the_user_has_most_of(catalog):
    wishes = Wishes(catalog)
    wish = wishes.of("brand", np.array([0, 4, 8, 1, 5, 2]))
    assert wish.text == "brand Bolt"
    assert np.flatnonzero(wish.agrees).tolist() == list(range(1, 80, 4))
    assert wishes.of("brand", np.array([0, 4, 3, 7])) is None  # one brand, and what is not known
    assert wishes.of("category", np.array([0, 1])).text == "category Cups"
    with pytest.raises(ConfigError, match="colour"):
        wishes.of("colour", np.array([0]))
    with pytest.raises(DataError, match="No user has a wish"):
        steering(obeying(catalog), wishes, Histories.from_lists([[0, 4]]), ["brand"])


def test_prompts_without_a_place_for_wishes_are_refused(tiny_llm):
    with pytest.raises(ConfigError, match="next-item-preference"):
        stating(tiny_llm("next-item"))


def test_statements_stand_in_the_prompts_of_a_language_model(tiny_llm):
    recommender = tiny_llm("next-item-preference")
    lists = stating(recommender, 5, beams=8)
    histories = Histories.from_lists([[0, 1, 2], [3, 4], [5, 6, 7, 8]])
    none, again, said = (lists(histories, words) for words in ([""] * 3, [""] * 3, ["red blue cup tea"] * 3))
    assert none.shape == (3, 5)
    assert np.array_equal(none, again)
    assert not np.array_equal(none, said)
    for user, history in enumerate(histories):
        assert not set(none[user]) & set(history.tolist())
