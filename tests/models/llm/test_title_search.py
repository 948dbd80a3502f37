"""Titles whose tokens share out what can follow: the best are found exactly, without reading the others."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from language_support import build, pad, save_checkpoint, trie

from genrec.models.llm.title_search import TitleSearch, TitleTree
from genrec.training.policy.distribution import ItemDistribution

pytest.importorskip("peft")
TITLES = ["red cup", "red tent", "red", "blue tea", "blue tea", "tea red cup", "lamp", "red cup 3", "red cup 4 lamp"]


def reader(tree, scores, log):
    """Reads from a table, and looks whether every node is said to stand below the one above it."""

    def read(nodes, above):
        for node, place in zip(nodes.tolist(), above.tolist(), strict=True):
            if place >= 0:
                assert node in tree.leads_to[tree.starts[log[place]] : tree.starts[log[place] + 1]]
            log.append(node)
        return scores[tree.edges(nodes)[0]]

    return read


def spelt(tree, titles, scores):
    """Log-probability of every title by walking down, with a look at what stands on the way."""
    found = np.zeros(len(titles))

    def walk(node, before, total):
        edges = np.arange(tree.starts[node], tree.starts[node + 1])
        values = total + scores[edges] - np.logaddexp.reduce(scores[edges])
        for edge, value in zip(edges, values, strict=True):
            below, token = int(tree.leads_to[edge]), int(tree.following[edge])
            if below < 0:
                found[-1 - below] = value
                assert titles[-1 - below][: len(before) + 1] == (*before, token)
            else:
                assert tree.tokens[below][0] == token
                assert tree.depths[below] == len(before)
                walk(below, (*before, *tree.tokens[below]), value)

    walk(0, (), 0.0)
    return found


@given(
    st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=30),
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(0, 9999),
)
def test_the_best_are_those_of_brute_force(rows, n, together, seed):
    titles, rng = sorted({(*row, 9) for row in rows}), np.random.default_rng(seed)
    tree = TitleTree.of(titles)
    scores = (3 * rng.normal(size=len(tree.following))).astype(np.float32)
    right, shares = spelt(tree, titles, scores), -np.log(rng.integers(1, 4, len(titles))).astype(np.float32)
    search = TitleSearch(tree, reader(tree, scores, []), together)
    least = search.best(n, shares)
    np.testing.assert_allclose(search.found[search.known], right[search.known], atol=1e-4)
    k = min(n, len(titles))
    np.testing.assert_allclose(np.sort(search.found + shares)[-k:], np.sort(right + shares)[-k:], atol=1e-4)
    assert ((right + shares)[~search.known] <= least + 1e-4).all()
    assert ((search.found + shares)[~search.known] <= least + 1e-5).all()
    assert np.logaddexp.reduce(search.found.astype(float)) == pytest.approx(0, abs=1e-3)
    everything = TitleSearch(tree, reader(tree, scores, []), together)
    found = everything.everything(lambda: reader(tree, scores, [0]), most=2 * together)
    np.testing.assert_allclose(found, right, atol=1e-4)
    assert everything.known.all()


def test_likely_titles_are_found_without_reading_the_others():
    titles = [(a, b, c, 9) for a in range(6) for b in range(6) for c in range(6)]
    tree, log = TitleTree.of(titles), []
    scores = np.tile(np.array([9, 3, 0, 0, 0, 0], dtype=np.float32), 1 + 6 + 36)
    TitleSearch(tree, reader(tree, scores, log), together=2).best(3, np.zeros(len(titles), dtype=np.float32))
    assert len(log) < 10 < 43 == len(tree.tokens)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    return {family: save_checkpoint(folder / family, family) for family in ("llama", "gpt2")}


def made(folder, architecture="title-likelihood", **settings):
    model = build(folder, architecture, renormalize="token", **settings)
    model.set_titles([[*model.tokenizer(title)["input_ids"], 1] for title in TITLES])
    torch.manual_seed(3)
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value.add_(0.3 * torch.randn_like(value))
    return model


def some_prompts(model):
    rows = [model.tokenizer(text)["input_ids"] for text in ("A user chose blue cup", "A user chose lamp , red tent 3")]
    return pad(rows, 0), pad([[1] * len(row) for row in rows], 0)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("best", [1, 3, 100])
def test_scores_are_those_of_plain_forwards(family, best, checkpoint):
    model = made(checkpoint[family], best=best)
    ids, mask = some_prompts(model)
    with torch.inference_mode(), model.decoding():
        right = model.plain_scores(ids, mask, range(len(TITLES)))
        torch.testing.assert_close(right.exp().sum(1), torch.ones(2))  # nothing but titles is said
        torch.testing.assert_close(model.title_scores(ids, mask), right, atol=1e-4, rtol=1e-4)
        state = model.prefill(ids, mask)
        exact = state.scores >= state.known_from[:, None]
        assert (exact.sum(1) >= min(best, len(TITLES))).all()
        torch.testing.assert_close(state.scores[exact], right[exact], atol=1e-4, rtol=1e-4)
        assert (right <= state.known_from[:, None] + 1e-4)[~exact].all()
        torch.testing.assert_close(state.whole().scores, right, atol=1e-4, rtol=1e-4)
        if best == 1:
            worst = right.argmin(1, keepdim=True)
            only = torch.stack([worst[0], torch.tensor([-1])])
            settled = state.settled(only)  # the first user asks for what was not read; the second for nothing
            torch.testing.assert_close(settled.scores[0], right[0], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(settled.scores[1], state.scores[1])
            assert state.settled(right.argmax(1, keepdim=True)) is state


def test_a_set_of_candidates_is_chosen_from_what_was_read(checkpoint):
    model = made(checkpoint["llama"], "candidate-set", candidates=3, best=1)
    ids, mask = some_prompts(model)
    with torch.inference_mode(), model.decoding():
        state = model.prefill(ids, mask)
        whole = state.whole()
        for user in range(2):
            known = state.scores[user] >= state.known_from[user]
            torch.testing.assert_close(state.scores[user, known], whole.scores[user, known], atol=1e-4, rtol=1e-4)
            shown = model.title_scores(ids, mask)[user].topk(3).indices
            torch.testing.assert_close(state.scores[user, shown], whole.scores[user, shown], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("block", [2, 100])
def test_with_gradients_all_titles_are_read(checkpoint, block):
    model = made(checkpoint["llama"], block=block)
    ids, mask = some_prompts(model)
    distribution, inputs = ItemDistribution(model, trie()), {"input_ids": ids, "attention_mask": mask}
    with model.decoding():
        with torch.no_grad():
            right = distribution.of_all(model, inputs)
        found = distribution.of_all(model, inputs)
    torch.testing.assert_close(found, right, atol=1e-4, rtol=1e-4)
    found[:, 0].sum().backward()
    assert max(float(value.grad.abs().max()) for value in model.parameters() if value.grad is not None) > 1e-4
