"""LLM2Rec: next titles, blanked tokens, SimCSE; then vectors of items (arXiv 2506.21579)."""

import numpy as np
import polars as pl
import pytest
import torch
from language_support import save_checkpoint

from genrec.data import Catalog, Histories
from genrec.encoders import build_encoder
from genrec.encoders.llm2rec_model import TitleReader
from genrec.encoders.sentence_model import find_model
from genrec.errors import DataError, ModelError

TITLES = ["red cup 1", "red cup 2", "blue tent 3", "blue tent 4", "tea 5", "lamp 6", None, "lamp 8"]
STEPS = {"next_title_steps": 0, "masked_steps": 0, "contrast_steps": 0}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    return {family: save_checkpoint(folder / family, family) for family in ("llama", "qwen3", "bert")}


@pytest.fixture
def catalog():
    return Catalog.from_frame(pl.DataFrame({"item_id": [f"i{n}" for n in range(8)], "title": TITLES}))


def people(n=30):
    """Who takes a red cup takes tea next; who takes a blue tent takes a lamp."""
    rng = np.random.default_rng(0)
    return Histories.from_lists([[rng.integers(0, 2), 4] if n % 2 else [rng.integers(2, 4), 5] for n in range(n)])


def encoder(folder, **settings):
    return build_encoder({"name": "llm2rec", "model": str(folder), "batch_size": 8, **STEPS, **settings})


def reader(folder):
    return TitleReader(find_model(str(folder)), 16)


@pytest.mark.parametrize("family", ["llama", "qwen3", "bert"])
def test_padding_does_not_count_and_a_decoder_reads_both_ways(family, checkpoint):
    model = reader(checkpoint[family])
    rows = [model.tokens(text) for text in ("red cup 1", "tea")]
    with torch.no_grad():
        together = model.pooled(rows, both_ways=True)
        torch.testing.assert_close(together[1], model.pooled(rows[1:], both_ways=True)[0], atol=1e-5, rtol=1e-5)
        ids, mask = model.padded([rows[0]])
        other = ids.clone()
        other[0, -1] = rows[1][0]
        for both_ways in (True, False):
            gap = (model.states(ids, mask, both_ways=both_ways) - model.states(other, mask, both_ways=both_ways))[0, 0]
            assert (float(gap.abs().max()) > 1e-5) == (both_ways or not model.causal)


@pytest.mark.parametrize("family", ["llama", "bert"])
def test_every_stage_learns_what_it_asks(family, checkpoint, catalog):
    def loss_after(stage, steps):
        made = encoder(checkpoint[family], learning_rate=1e-2, **{f"{stage}_steps": steps})
        values = []
        original = type(made)._tune
        made._tune = lambda reader, what, count, loss: original(
            made, reader, what, count, lambda: values.append(loss()) or values[-1]
        )
        made.fit(catalog, people())
        return [float(value.detach()) for value in values]

    for stage in ("next_title", "masked", "contrast"):
        found = loss_after(stage, 24)
        assert np.mean(found[-6:]) < 0.9 * np.mean(found[:6]), stage


def test_next_titles_bring_what_is_bought_alike_together(checkpoint, catalog):
    """Cups of one kind come before tea, tents before lamps: cups grow alike, and unlike tents."""
    before, after = (encoder(checkpoint["llama"], learning_rate=1e-2, next_title_steps=steps) for steps in (0, 60))
    for made in (before, after):
        made.fit(catalog, people())

    def gap(made):
        vectors = made.encode(catalog)
        cosines = vectors @ vectors.T
        return cosines[0, 1] + cosines[2, 3] - cosines[:2, 2:4].mean() * 2

    assert gap(after) > gap(before)


def test_it_is_kept_with_what_has_changed_and_nothing_else(checkpoint, catalog):
    made = encoder(checkpoint["llama"], last_layers=1, next_title_steps=2, masked_steps=1, contrast_steps=1)
    made.fit(catalog, people())
    tensors, rest = made.state()
    assert tensors
    assert all(".layers.1." in name for name in tensors)
    again = encoder(checkpoint["llama"], last_layers=1)
    again.load_state(tensors, rest)
    np.testing.assert_allclose(again.encode(catalog), made.encode(catalog), atol=1e-6)
    vectors = made.encode(catalog)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 1, 1, 1, 0, 1], atol=1e-5)
    new = Catalog.from_frame(pl.DataFrame({"item_id": ["n"], "title": ["red cup 2"]}))
    np.testing.assert_allclose(again.encode(new)[0], vectors[1], atol=1e-5)
    twin = encoder(checkpoint["llama"], last_layers=1, next_title_steps=2, masked_steps=1, contrast_steps=1)
    twin.fit(catalog, people())
    np.testing.assert_array_equal(twin.encode(catalog), vectors)
    other = encoder(checkpoint["qwen3"], last_layers=1)
    other.load_state(tensors, rest)
    with pytest.raises(ModelError, match="not the one"):
        other.encode(catalog)


def test_every_stage_has_its_name_in_the_progress(checkpoint, catalog):
    told = []
    made = encoder(checkpoint["llama"], next_title_steps=2, masked_steps=1, contrast_steps=1)
    made.progress = lambda *args: told.append(args)
    made.fit(catalog, people())
    made.encode(catalog)
    assert told == [
        ("tuning on next texts", 1, 2),
        ("tuning on next texts", 2, 2),
        ("tuning on blanked tokens", 1, 1),
        ("tuning by contrast", 1, 1),
        ("encoding items", 7, 7),
    ]


def test_histories_are_needed(checkpoint, catalog):
    with pytest.raises(DataError, match="learns from interactions"):
        encoder(checkpoint["llama"]).fit(catalog)
