"""Mender: a stated preference and item vectors are read apart, and a fresh decoder writes codes (arXiv 2412.08604)."""

import numpy as np
import pytest
import torch
from language_support import build, catalogue, examples, fit, pad, prompts, save_checkpoint, trie

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_items
from genrec.models import load_model
from genrec.models.legal_codes import LegalCodes

pytest.importorskip("peft")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    return {family: save_checkpoint(folder / family, family) for family in ("bert", "t5")}


def made(folder, seed=0, **settings):
    settings = {"train_code_rows": False, "vector_dim": 5, "max_items": 6, **settings}
    model = build(folder, "preference-decoder", **settings)
    vectors = np.random.default_rng(seed).normal(size=(30, 5)).astype(np.float32)
    model.set_items(LegalCodes(trie()), torch.from_numpy(vectors))
    return model


def asked(model, preference, items):
    """Scores of all items for one user with a preference."""
    words = model.tokenizer(preference, add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[*words, *model.tokens.ids_of(catalogue()[items]).ravel().tolist()]])
    return scores(model, ids, torch.ones_like(ids))


def scores(model, ids, mask):
    with torch.no_grad(), model.decoding():
        return score_items(model, model.prefill(ids, mask), DeviceTrie(trie()), len(ids))


@pytest.mark.parametrize("family", ["bert", "t5"])
def test_words_and_item_vectors_steer_apart_and_code_rows_do_not(family, checkpoint):
    model = made(checkpoint[family])
    before = asked(model, "red cup", [3, 4])
    assert float((asked(model, "blue tent", [3, 4]) - before).abs().max()) > 1e-3
    assert float((asked(model, "red cup", [4, 3]) - before).abs().max()) > 1e-4  # how long ago counts
    with torch.no_grad():
        model.base.get_input_embeddings().weight[torch.from_numpy(model.tokens.all_ids)] += 1
    torch.testing.assert_close(asked(model, "red cup", [3, 4]), before)
    other = made(checkpoint[family], seed=1)
    other.load_state_dict(model.state_dict())
    assert float((asked(other, "red cup", [3, 4]) - before).abs().max()) > 1e-4
    torch.testing.assert_close(asked(other, "red cup", []), asked(model, "red cup", []))


def test_rows_do_not_see_each_other_and_ages_count_from_the_newest(checkpoint):
    model = made(checkpoint["bert"])
    words = model.tokenizer("red cup", add_special_tokens=False)["input_ids"]
    rows = [[*words, *model.tokens.ids_of(catalogue()[items]).ravel().tolist()] for items in ([3], [5, 6, 7], [1, 2])]
    ids, mask = pad(rows, 0), pad([[1] * len(row) for row in rows], 0)
    together = scores(model, ids, mask)
    for row, items in enumerate(([3], [5, 6, 7], [1, 2])):
        torch.testing.assert_close(together[row], asked(model, "red cup", items)[0], atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        before = asked(model, "red cup", [5, 6, 7])
        model.ago.weight[3:] += 5
        torch.testing.assert_close(asked(model, "red cup", [5, 6, 7]), before)
        model.ago.weight[2] += 5
        assert float((asked(model, "red cup", [5, 6, 7]) - before).abs().max()) > 1e-3


def test_it_learns_as_it_is_searched_and_is_saved(checkpoint, tmp_path):
    model = made(checkpoint["bert"])
    losses = fit(model, steps=12)
    assert losses[-1] < losses[0] - 0.1
    batch, codes = examples(model)
    ids, mask = prompts(model)
    found = scores(model, ids, mask)
    items = torch.from_numpy(trie().find(codes.numpy())).long()
    with torch.no_grad():
        wanted = model(**batch).log_likelihood
    torch.testing.assert_close(found.gather(1, items[:, None])[:, 0], wanted, atol=1e-4, rtol=1e-4)
    model(**batch).loss.backward()
    assert [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None] == []
    model.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    again.set_items(*model.known_items())
    torch.testing.assert_close(scores(again, ids, mask), found, atol=1e-6, rtol=1e-6)
