"""LABOR-LLM: items ranked by the likelihood of their titles, renormalised over the catalogue (arXiv 2406.17972)."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from language_support import build, prompts, save_checkpoint
from transformers import AutoModelForCausalLM

from genrec.errors import ConfigError, ModelError
from genrec.models import load_model
from genrec.models.llm.title_paths import TitlePaths

pytest.importorskip("peft")
TITLES = ["red cup", "red tent", "red", "blue tea", "blue tea", "tea red cup", "lamp"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    return {family: save_checkpoint(folder / family, family) for family in ("llama", "gpt2", "t5")}


def with_titles(folder, **settings):
    model = build(folder, "title-likelihood", **settings)
    model.set_titles([[*model.tokenizer(title)["input_ids"], 1] for title in TITLES])
    return model


def moved(model):
    """With an adapter that does something."""
    torch.manual_seed(3)
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value.add_(0.3 * torch.randn_like(value))
    return model


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("block", [1, 3, 100])
def test_every_score_is_that_of_plain_forwards(family, block, checkpoint):
    model = moved(with_titles(checkpoint[family]))
    model.config.block = block
    model.set_titles(model._titles.different[n] for n in model._titles.of_items)
    ids, mask = prompts(model)
    with torch.no_grad(), model.decoding():
        found = model.prefill(ids, mask).scores
        wanted = model.plain_scores(ids, mask, range(len(TITLES)))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[:, 3], found[:, 4])  # one title: the items share it
    assert float(found.exp().sum(1).max()) < 1  # other texts than titles could be said


def test_before_training_it_is_what_the_checkpoint_says(checkpoint):
    """Zero-shot: neither new tokens nor an adapter change what the language model thinks of a title."""
    model, plain = with_titles(checkpoint["llama"]), AutoModelForCausalLM.from_pretrained(checkpoint["llama"]).eval()
    ids = torch.tensor([model.tokenizer("A user chose blue cup , lamp")["input_ids"]])
    with torch.no_grad(), model.decoding():
        found = model.prefill(ids, torch.ones_like(ids)).scores[0]
        for item in (0, 2, 6):
            title = [*model.tokenizer(TITLES[item])["input_ids"], 1]
            logits = plain(torch.tensor([[*ids[0].tolist(), *title]])).logits[0, ids.shape[1] - 1 : -1]
            logits = logits[:, : len(model.tokenizer) - len(model.tokens.all_ids)]  # the tail is padding of the table
            each = logits.log_softmax(-1)[range(len(title)), title]
            assert float(found[item]) == pytest.approx(float(each.sum()), abs=1e-4)


def test_padding_and_batch_do_not_change_a_user(checkpoint):
    model = with_titles(checkpoint["llama"])
    ids, mask = prompts(model)
    with torch.no_grad(), model.decoding():
        together = model.prefill(ids, mask).scores
        for user, length in enumerate(mask.sum(1).tolist()):
            alone = model.prefill(ids[user : user + 1, :length], mask[user : user + 1, :length]).scores
            torch.testing.assert_close(alone[0], together[user], atol=1e-5, rtol=1e-5)


def test_it_learns_titles_and_is_saved(checkpoint, tmp_path):
    model = with_titles(checkpoint["llama"])
    prompt = model.tokenizer("A user chose red tent")["input_ids"]
    answer = [*model.tokenizer("tea red cup")["input_ids"], 1]
    batch = {"input_ids": torch.tensor([prompt + answer]), "attention_mask": torch.ones(1, len(prompt + answer))}
    batch["labels"] = torch.tensor([[-100] * len(prompt) + answer])
    ask = {"input_ids": torch.tensor([prompt]), "attention_mask": torch.ones(1, len(prompt), dtype=torch.long)}

    def share(model):
        with torch.no_grad(), model.decoding():
            return float(model.prefill(**ask).scores.softmax(-1)[0, 5])

    before, optimizer = share(model), torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    model.train()
    for _ in range(20):
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    assert share(model) > max(2 * before, 0.3)
    model.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    with pytest.raises(ModelError, match="no titles"):
        again.prefill(**ask)
    again.set_titles([model._titles.different[n] for n in model._titles.of_items])
    assert share(again) == pytest.approx(share(model), abs=1e-6)
    with pytest.raises(TypeError, match="at once"):
        model.step(None)


def test_an_encoder_decoder_and_unknown_options_are_refused(checkpoint):
    with pytest.raises(ModelError, match="need a decoder"):
        build(checkpoint["t5"], "title-likelihood")


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), min_size=1, max_size=12), st.integers(1, 9))
def test_paths_of_all_blocks_spell_the_titles(rows, most):
    titles = [[*row, 9] for row in rows]
    paths, spelt = TitlePaths(titles), {}
    for block in paths.blocks(most):
        tokens = np.r_[-1, block.tokens]
        assert len(set(map(tuple, np.c_[block.parents, block.following].tolist()))) == len(block.parents)
        for title, path in zip(block.titles.tolist(), block.paths.tolist(), strict=True):
            edges = [edge for edge in path if edge >= 0]
            spelt[title] = [int(block.following[edge]) for edge in edges]
            for place, edge in enumerate(edges[1:], start=1):
                node = int(block.parents[edge])
                assert int(tokens[node]) == spelt[title][place - 1]
                assert int(block.depths[node - 1]) == place - 1
                seen = np.flatnonzero(block.ancestors[node - 1])
                assert block.tokens[seen[np.argsort(block.depths[seen])]].tolist() == spelt[title][:place]
    assert [spelt[number] for number in paths.of_items.tolist()] == titles
    assert sum(1 / paths.shared) == pytest.approx(len(paths.different))


def test_options_that_the_network_does_not_have():
    from types import SimpleNamespace

    from genrec.generative.config import load_train_config
    from genrec.models.llm.creation import language_fields
    from genrec.models.llm.title_likelihood import TitleLikelihoodConfig

    config = load_train_config("llm-decoder-lora", ["model.checkpoint=x", "model.options.blok=3"])
    with pytest.raises(ConfigError, match="Did you mean 'block'"):
        language_fields(config, SimpleNamespace(), TitleLikelihoodConfig)
