"""All levels in one pass of a pretrained decoder: mask vectors and gated LoRA (arXiv 2507.11851)."""

import numpy as np
import pytest
import torch
from language_support import build, catalogue, examples, fit, prompts, save_checkpoint, trie
from transformers import AutoModel

from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_items
from genrec.decoding.options import DecodingOptions
from genrec.decoding.search import search
from genrec.errors import ModelError
from genrec.models import load_model

pytest.importorskip("peft")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    return {family: save_checkpoint(folder / family, family) for family in ("llama", "gpt2", "qwen3", "bert")}


def moved(model):
    """With an adapter that does something."""
    torch.manual_seed(3)
    with torch.no_grad():
        for name, value in model.lm.named_parameters():
            if "lora_" in name:
                value.add_(torch.randn_like(value))
    return model


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3"])
def test_the_adapter_works_at_the_mask_vectors_alone(family, checkpoint):
    model = build(checkpoint[family], "mask-slots")
    plain = AutoModel.from_pretrained(checkpoint[family]).eval()
    ids = torch.tensor([model.tokenizer("A user chose red cup , blue tea")["input_ids"]])
    mask = torch.ones_like(ids)
    with torch.no_grad():
        before, words = model._hidden(ids, mask), plain(ids).last_hidden_state
        after = moved(model)._hidden(ids, mask)
        torch.testing.assert_close(after[:, : ids.shape[1]], words, atol=1e-5, rtol=1e-5)
        assert float((after - before)[:, ids.shape[1] :].abs().amin(-1).max()) > 1e-3
        open_ = moved(build(checkpoint[family], "mask-slots", gated=False))._hidden(ids, mask)
    assert float((open_[:, : ids.shape[1]] - words).abs().max()) > 1e-3


def test_one_pass_scores_every_item_and_the_search_finds_the_best(checkpoint):
    model = moved(build(checkpoint["llama"], "mask-slots"))
    calls = []
    model.base.register_forward_hook(lambda *_: calls.append(1))
    ids, mask = prompts(model)
    codes = torch.from_numpy(catalogue()).long()
    with torch.no_grad(), model.decoding():
        state = model.prefill(ids, mask)
        slots = torch.stack([one.gather(1, codes[:, n].expand(len(ids), -1)) for n, one in enumerate(state.slots)])
        exact = score_items(model, state, DeviceTrie(trie()), len(ids))
        torch.testing.assert_close(exact, slots.sum(0))
        wide = search(model, model.prefill(ids, mask), DeviceTrie(trie()), len(ids), 10, DecodingOptions(beams=200))
        best = search(model, model.prefill(ids, mask), DeviceTrie(trie()), len(ids), 10, DecodingOptions(exact=True))
    assert len(calls) == 3  # one a reading, none a level
    assert torch.equal(wide[0], best[0])
    torch.testing.assert_close(wide[1], exact.topk(10).values)


def test_it_learns_as_it_is_searched_and_is_saved(checkpoint, tmp_path):
    model = build(checkpoint["llama"], "mask-slots")
    losses = fit(model, steps=40, rate=3e-2)
    assert losses[-1] < losses[0] / 3
    batch, codes = examples(model)
    ids, mask = prompts(model)
    with torch.no_grad(), model.decoding():
        scores = score_items(model, model.prefill(ids, mask), DeviceTrie(trie()), len(ids))
        items = torch.from_numpy(trie().find(codes.numpy())).long()
        right = scores.gather(1, items[:, None])[:, 0]
        torch.testing.assert_close(right, model(**batch).log_likelihood, atol=1e-4, rtol=1e-4)
        assert np.mean((scores.argmax(1) == items).numpy()) > 0.5
    model.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    with torch.no_grad(), again.decoding():
        found = score_items(again, again.prefill(ids, mask), DeviceTrie(trie()), len(ids))
    torch.testing.assert_close(found, scores, atol=1e-6, rtol=1e-6)
    with pytest.raises(ModelError, match="cannot be merged"):
        again.merge()


def test_padding_does_not_change_a_user(checkpoint):
    model = moved(build(checkpoint["llama"], "mask-slots"))
    ids, mask = prompts(model)
    with torch.no_grad():
        together = model.prefill(ids, mask).slots
        for user, length in enumerate(mask.sum(1).tolist()):
            alone = model.prefill(ids[user : user + 1, :length], mask[user : user + 1, :length]).slots
            for one, all_ in zip(alone, together, strict=True):
                torch.testing.assert_close(one[0], all_[user], atol=1e-5, rtol=1e-5)


def test_an_encoder_is_refused(checkpoint):
    with pytest.raises(ModelError, match="is none"):
        build(checkpoint["bert"], "mask-slots")
