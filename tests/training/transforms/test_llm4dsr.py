"""LLM4DSR: what does not belong in a history is left out of training (arXiv 2408.08208)."""

from functools import partial

import numpy as np
import polars as pl
import pytest
import torch
from language_support import LORA, save_checkpoint

from genrec.data import Catalog
from genrec.data.histories import Histories
from genrec.errors import ConfigError
from genrec.index.recipe import load_recipe
from genrec.index.semantic_index import SemanticIndex
from genrec.training.row_parts import row_parts
from genrec.training.transforms import build_transform, llm4dsr, transformed
from genrec.training.transforms.llm4dsr import LLM4DSR, LLM4DSRSettings, _Asked

pytest.importorskip("peft")
TITLES = ["cup 1", "cup 2", "tea 3", "tea 4", "cup 5", "tea 6", "tent 7", "lamp 8", "tent 9", "lamp 0"]
GOOD = 6  # people choose the first so many


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("lm") / "llama", "llama")


@pytest.fixture(scope="module")
def index():
    items = pl.DataFrame({"item_id": [f"i{n}" for n in range(len(TITLES))], "title": TITLES})
    recipe = load_recipe("rq-kmeans-3x256", ["encoder.dim=4", "quantizer.levels=1", "quantizer.codebook_size=4"])
    return SemanticIndex.build(Catalog.from_frame(items), recipe)


def made(checkpoint, **settings):
    return build_transform({"name": "llm4dsr", "checkpoint": str(checkpoint), **{"llm": {"lora": LORA}, **settings}})


def test_probabilities_are_of_titles_among_those_of_each_history(checkpoint, index):
    transform = made(checkpoint, threshold=1e-9)
    torch.manual_seed(0)
    asked = _Asked(transform._model(index), index, transform.settings)
    histories = [
        np.array([0, 1, 6]),
        np.array([2, 9, 3, 4, 7]),
        np.array([5, 5, 8]),
    ]  # titles that begin alike, one twice
    with torch.no_grad(), asked.model.decoding():
        found = asked.probabilities(histories)
        for items, row in zip(histories, found, strict=True):
            asked.model.set_titles([*(asked.renderer.target_ids(item) for item in items), asked.nothing])
            prompt = asked.renderer.render_for_generation([items.tolist()])
            scores = asked.model.plain_scores(**prompt, items=range(len(items)))[0]
            np.testing.assert_allclose(row, scores.exp().numpy(), rtol=1e-3)
            assert row.sum() < 1
    assert found[0][0] != found[0][1]
    assert found[2][0] == found[2][1]


def test_beginnings_that_stay_below_the_threshold_are_not_read_on(checkpoint, index):
    items = np.array([0, 1, 6, 7])
    found = {}
    for threshold in (1e-9, 0.99):
        transform = made(checkpoint, threshold=threshold)
        torch.manual_seed(0)
        asked = _Asked(transform._model(index), index, transform.settings)
        with asked.model.decoding():
            found[threshold] = asked.probabilities([items])[0]
    exact, bound = found.values()
    assert exact[0] != exact[1]
    assert bound[0] == bound[1] == pytest.approx(exact[:2].mean(), rel=1e-3)
    np.testing.assert_allclose(bound[2:], exact[2:], rtol=1e-3)


def test_the_settings_of_layers_reach_the_language_model(checkpoint, index):
    llm = {"lora": LORA, "keep_layers": 1}
    assert made(checkpoint, llm=llm)._model(index).lm.config.num_hidden_layers == 1
    assert made(checkpoint)._model(index).lm.config.num_hidden_layers > 1


class Told(LLM4DSR):
    """Asks nobody: items beyond the good ones are noise, the larger the surer."""

    def _model(self, index):
        from contextlib import nullcontext
        from types import SimpleNamespace

        return SimpleNamespace(decoding=nullcontext)

    def __call__(self, histories, index, seed):
        table = np.array([0.0] * GOOD + [0.61, 0.7, 0.8, 0.9])
        asked = type(
            "Asked", (), {"model": self._model(index), "probabilities": lambda _, rows: [table[row] for row in rows]}
        )()
        return histories.take(self._kept(asked, histories))


MIXED = [[0, 8, 9, 1, 6], [2, 3], [7, 8], [0, 9, 1, 2]]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, [[0, 1, 6], [2, 3], [7, 8], [0, 1, 2]]),
        ({"most": 1}, [[0, 8, 1, 6], [2, 3], [7, 8], [0, 1, 2]]),
        ({"threshold": 0.85}, [[0, 8, 1, 6], [2, 3], [7, 8], [0, 1, 2]]),
        ({"threshold": 0.95}, MIXED),
        ({"max_items": 3}, [[0, 8, 1, 6], [2, 3], [7, 8], [0, 1, 2]]),  # what is not read is not touched
        ({"max_items": 2}, MIXED),
    ],
)
def test_at_most_so_many_sure_ones_go_and_two_items_stay(changes, wanted, index):
    told = Told(LLM4DSRSettings(checkpoint="x", **changes))
    assert [row.tolist() for row in told(Histories.from_lists(MIXED), index, 0)] == wanted


def test_it_teaches_itself_to_find_what_was_put_in(checkpoint, index):
    rng = np.random.default_rng(0)
    people = [rng.permutation(GOOD)[: rng.integers(3, 5)] for _ in range(40)]
    noisy = [np.r_[row[:2], GOOD + n % 4, row[2:]] for n, row in enumerate(people[:12])]
    settings = {"batch_size": 16, "learning_rate": 1e-2, "clean": 0.3, "llm": {"tuning": "full"}}

    def told_apart(steps):
        """How much likelier than its neighbours the item is that was put in."""
        transform = made(checkpoint, steps=steps, **settings)
        torch.manual_seed(0)
        asked = _Asked(transform._model(index), index, transform.settings)
        transform._teach(asked.model, asked, Histories.from_lists([*noisy, *people[12:]]), seed=0)
        with torch.no_grad(), asked.model.decoding():
            found = asked.probabilities(noisy)
        return np.mean([row[2] for row in found]) / np.mean([np.delete(row, 2).mean() for row in found])

    assert told_apart(40) > 2 * max(1, told_apart(0))


def test_it_learns_the_same_in_parts_of_few_tokens(checkpoint, index, monkeypatch):
    people = Histories.from_lists([[0, 1, 2], [3, 4, 5, 1, 0, 2], [2, 4], [5, 3, 1, 0]])
    read = []

    def parts(batch, tokens):
        for part in row_parts(batch, tokens):
            read.append(part["input_ids"].numel() if len(part["input_ids"]) > 1 else 0)
            yield part

    def learned(tokens):
        read.clear()
        monkeypatch.setattr(llm4dsr, "row_parts", partial(parts, tokens=tokens))
        transform = made(checkpoint, steps=3, learning_rate=1e-2, llm={"tuning": "full", "dtype": "float32"})
        torch.manual_seed(0)
        model = transform._model(index)
        transform._teach(model, _Asked(model, index, transform.settings), people, seed=0)
        return torch.cat([value.detach().flatten() for value in model.parameters() if value.requires_grad])

    whole = learned(10**6)
    assert len(read) == 3
    pieces = learned(64)
    assert len(read) > 6
    assert max(read) <= 64
    # AdamW makes something of gradients that are nothing but rounding, so single numbers may differ
    assert float((whole - pieces).abs().mean()) < 1e-3 * 1e-2


def test_training_histories_pass_every_transform(checkpoint, index):
    histories, content = Histories.from_lists(MIXED), {"name": "llm4dsr", "checkpoint": str(checkpoint), "steps": 1}
    whole = transformed(histories, index, [{**content, "threshold": 1.0}], seed=0)
    np.testing.assert_array_equal(whole.items, histories.items)
    less = transformed(histories, index, [{**content, "threshold": 1e-9, "most": 1}] * 2, seed=0)
    assert less.lengths.tolist() == [3, 2, 2, 2]
    again = transformed(histories, index, [{**content, "threshold": 1e-9, "most": 1}] * 2, seed=0)
    np.testing.assert_array_equal(again.items, less.items)


def test_wrong_entries_are_refused(checkpoint):
    with pytest.raises(ConfigError, match="Did you mean 'llm4dsr'"):
        build_transform({"name": "llm4ds"})
    with pytest.raises(ConfigError, match="no name"):
        build_transform({})
    with pytest.raises(ConfigError, match="none is given"):
        transformed(Histories.from_lists(MIXED), None, [{"name": "llm4dsr"}], seed=0)
    with pytest.raises(ConfigError, match="threshold"):
        made(checkpoint, threshold=2)
