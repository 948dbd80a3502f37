"""LLaRA: soft tokens from the vectors of a sequence model beside titles, and its curriculum (arXiv 2312.02445)."""

import numpy as np
import pytest
import torch
from language_support import build, catalogue, examples, prompts, save_checkpoint, trie

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_items
from genrec.errors import ModelError
from genrec.generative.config import load_train_config
from genrec.models import load_model
from genrec.models.legal_codes import LegalCodes
from genrec.prompts.mixture import TaskMixture

pytest.importorskip("peft")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    return {family: save_checkpoint(folder / family, family) for family in ("llama", "gpt2", "t5")}


def vectors(seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(30, 5)).astype(np.float32))


def soft(folder, **settings):
    model = build(folder, "soft-items", vector_dim=5, projector=8, **settings)
    model.set_items(LegalCodes(trie()), vectors())
    return model


def scores(model, ids, mask):
    with torch.no_grad(), model.decoding():
        return score_items(model, model.prefill(ids, mask), DeviceTrie(trie()), len(ids))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_only_the_last_code_of_a_whole_item_is_replaced(family, checkpoint):
    model = soft(checkpoint[family])
    item = model.tokens.ids_of(catalogue()[4]).tolist()
    nobody = model.tokens.ids_of(np.argwhere(np.ones((4, 5, 6)))).tolist()
    known = {tuple(row) for row in model.tokens.ids_of(catalogue()).tolist()}
    stranger = next(row for row in nobody if tuple(row) not in known)
    ids = torch.tensor(
        [[5, *item, 6, *item[:2], 7], [*stranger, 8, *item, item[0]], [*item[1:], *item[:2], 9, 9, 9, 9]]
    )
    table, plain = model.base.get_input_embeddings(), None
    with torch.no_grad():
        model._now.items = None
        plain = table(ids)
        model._mean_these()
        read = table(ids)
        wanted = model.projector(vectors()[4])
    changed = (read != plain).any(-1)
    assert changed.nonzero().tolist() == [[0, 3], [1, 6]]
    torch.testing.assert_close(read[0, 3], wanted)


def test_training_and_search_agree_and_the_vector_of_a_history_item_counts(checkpoint):
    model = soft(checkpoint["llama"])
    batch, codes = examples(model)
    ids, mask = prompts(model)
    before = scores(model, ids, mask)
    items = torch.from_numpy(trie().find(codes.numpy())).long()
    with torch.no_grad():
        likelihood = model(**batch).log_likelihood
    torch.testing.assert_close(before.gather(1, items[:, None])[:, 0], likelihood, atol=1e-4, rtol=1e-4)
    model.set_items(LegalCodes(trie()), vectors(seed=1))
    assert float((scores(model, ids, mask) - before).abs().max()) > 1e-3
    text = torch.tensor([model.tokenizer("A user chose red cup")["input_ids"]])
    one = scores(model, text, torch.ones_like(text))
    model.set_items(LegalCodes(trie()), vectors(seed=2))
    torch.testing.assert_close(scores(model, text, torch.ones_like(text)), one)  # a prompt of text alone has no items


def test_text_teaches_the_projector_nothing_and_hybrid_prompts_do(checkpoint):
    model = soft(checkpoint["llama"])
    batch, _ = examples(model)
    model(**batch).loss.backward()
    assert all(value.grad is not None and bool(value.grad.any()) for value in model.projector[1].parameters())
    model.zero_grad()
    answer = [n for n in model.tokens.ids_of(catalogue()[3]).tolist()]
    text = model.tokenizer("A user chose red cup")["input_ids"]
    only = {"input_ids": torch.tensor([text + answer]), "labels": torch.tensor([[-100] * len(text) + answer])}
    model(attention_mask=torch.ones_like(only["input_ids"]), **only).loss.backward()
    assert not any(value.grad is not None and bool(value.grad.any()) for value in model.projector.parameters())


def test_the_preset_goes_from_text_to_hybrid_prompts():
    config = load_train_config("llara", ["model.checkpoint=x"])
    shares = TaskMixture(config.tasks, config.epochs).shares(np.array([0.01, 0.5, 0.99]))
    names = [task.prompt for task in config.tasks]
    hybrid, text = shares[:, names.index("next-item-titles")], shares[:, names.index("titles-to-id")]
    assert hybrid[0] < 0.05 < 0.45 < hybrid[1] < 0.55 < 0.95 < hybrid[2]
    np.testing.assert_allclose(hybrid + text, 1)


def test_it_learns_is_saved_and_merged(checkpoint, tmp_path):
    from language_support import fit

    model = soft(checkpoint["llama"])
    losses = fit(model)
    assert losses[-1] < losses[0] - 0.02
    ids, mask = prompts(model)
    before = scores(model, ids, mask)
    model.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    with pytest.raises(ModelError, match="no items"):
        again.prefill(ids, mask)
    again.set_items(LegalCodes(trie()), vectors())
    torch.testing.assert_close(scores(again, ids, mask), before, atol=1e-6, rtol=1e-6)
    again.merge()
    torch.testing.assert_close(scores(again, ids, mask), before, atol=1e-4, rtol=1e-4)
