"""Set-Based Prompting: candidates in a prompt whose order cannot matter (arXiv 2406.06581)."""

import pytest
import torch
from language_support import build, pad, prompts, save_checkpoint

from genrec.models import load_model
from genrec.models.hf.whole_rows import own_logits
from genrec.models.llm.candidate_set import SetLayout

pytest.importorskip("peft")
TITLES = ["red cup", "red tent", "blue tea", "tea red cup", "lamp", "blue lamp 3", "tent 4"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    return {family: save_checkpoint(folder / family, family) for family in ("llama", "gpt2")}


def made(folder, **settings):
    model = build(folder, "candidate-set", **{"candidates": 4, **settings})
    model.set_titles([[*model.tokenizer(title)["input_ids"], 1] for title in TITLES])
    return model


def prompt(model):
    ids = torch.tensor([model.tokenizer("A user chose blue cup , lamp")["input_ids"]])
    return ids, torch.ones_like(ids)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_the_order_of_candidates_changes_nothing(family, checkpoint, monkeypatch):
    model = made(checkpoint[family])
    ids, mask = prompt(model)
    order, turned = [0, 3, 5, 1], [5, 1, 0, 3]
    with torch.no_grad(), model.decoding():
        one, other = model.set_scores(ids, mask, order), model.set_scores(ids, mask, turned)
        torch.testing.assert_close(one, other[[turned.index(item) for item in order]])
        original = SetLayout.of

        def in_a_row(candidates, question, answers):
            """The same as an ordinary prompt: one candidate after the other."""
            layout, n = original(candidates, question, answers), sum(map(len, candidates)) + len(question)
            shown = torch.arange(n)
            layout.places[:n] = shown
            layout.sees[:n, :n] = shown[:, None] >= shown[None]
            layout.places[n:] += n - (max(map(len, candidates)) + len(question))
            return layout

        monkeypatch.setattr(SetLayout, "of", in_a_row)
        gap = model.set_scores(ids, mask, order) - model.set_scores(ids, mask, turned)[[2, 3, 0, 1]]
        assert float(gap.abs().max()) > 1e-4  # what this is for


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_one_candidate_is_an_ordinary_prompt(family, checkpoint):
    model = made(checkpoint[family])
    ids, mask = prompt(model)
    title = torch.tensor([[*model.tokenizer(TITLES[3])["input_ids"], 1]])
    whole = torch.cat([ids, title[:, :-1], torch.tensor([model.question])], dim=1)
    with torch.no_grad(), model.decoding():
        found = model.set_scores(ids, mask, [3])
        logits = own_logits(model.base, whole, torch.ones_like(whole), title)[:, :-1].float()
        logits[..., torch.from_numpy(model.tokens.all_ids)] = -torch.inf
        wanted = logits.log_softmax(-1).gather(-1, title[..., None]).sum()
    torch.testing.assert_close(found[0], wanted, atol=1e-4, rtol=1e-4)


def test_the_best_share_out_their_probability_and_the_others_keep_theirs(checkpoint):
    model = made(checkpoint["llama"])
    ids, mask = prompts(model)
    with torch.no_grad(), model.decoding():
        first, found = model.title_scores(ids, mask).softmax(-1), model.prefill(ids, mask).scores.exp()
    best = first.topk(4).indices
    torch.testing.assert_close(found.sum(1), torch.ones(len(ids)))
    torch.testing.assert_close(found.gather(1, best).sum(1), first.gather(1, best).sum(1))
    rest = torch.ones_like(first, dtype=torch.bool).scatter(1, best, False)
    torch.testing.assert_close(found[rest], first[rest])
    assert float((found - first).abs().max()) > 1e-4


def rows(model):
    """A batch whose answers differ, and the same in another order."""
    asked = [("A user chose red", "red cup"), ("A user chose blue , tea", "blue tea"), ("user chose", "lamp")]
    parts = [(model.tokenizer(a)["input_ids"], [*model.tokenizer(b)["input_ids"], 1]) for a, b in asked]
    return {
        "input_ids": pad([source + answer for source, answer in parts], 0),
        "attention_mask": pad([[1] * (len(source) + len(answer)) for source, answer in parts], 0),
        "labels": pad([[-100] * len(source) + answer for source, answer in parts], -100),
    }


def test_training_asks_what_ranking_asks_and_learns_it(checkpoint, tmp_path):
    model = made(checkpoint["llama"])
    batch = rows(model)
    turned = {name: value[[2, 0, 1]] for name, value in batch.items()}
    model._no_words = lambda device: torch.zeros(0, dtype=torch.int64)  # codes count as words while it learns
    with torch.no_grad():
        likelihood = model(**batch).log_likelihood
        torch.testing.assert_close(model(**turned).log_likelihood, likelihood[[2, 0, 1]], atol=1e-5, rtol=1e-5)
        for user in range(3):
            prompt = batch["input_ids"][user][(batch["labels"][user] == -100) & (batch["attention_mask"][user] == 1)]
            with model.decoding():
                asked = model.set_scores(prompt[None], torch.ones_like(prompt)[None], [0, 2, 4])[user]
            assert float(likelihood[user]) == pytest.approx(float(asked), abs=1e-3)
    optimizer = torch.optim.Adam([value for value in model.parameters() if value.requires_grad], lr=2e-2)
    model.train()
    for _ in range(25):
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        assert bool((model(**batch).log_likelihood > likelihood + 1).all())
    model.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    again._no_words = model._no_words
    again.set_titles([model.known_titles.different[n] for n in model.known_titles.of_items])
    ids, mask = prompts(model)
    with torch.no_grad(), model.decoding(), again.decoding():
        torch.testing.assert_close(
            again.prefill(ids, mask).scores, model.prefill(ids, mask).scores, atol=1e-5, rtol=1e-5
        )
