"""Exact scoring against a table of known scores, and against a search as wide as the catalogue."""

import numpy as np
import pytest
import torch
from decoding_oracle import SIZES, Table, catalogue
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_items
from genrec.decoding.filters import make_filter
from genrec.trie import Trie


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    rows=st.integers(1, 40),
    data=st.data(),
)
def test_equals_the_known_scores(sizes, seed, rows, data):
    sizes, users = tuple(sizes), 3
    n = data.draw(st.integers(1, int(np.prod(sizes))))
    items, table = catalogue(n, sizes, seed), Table(users, sizes, seed)
    scores = score_items(table, table.prefill(), DeviceTrie(Trie.from_codes(items, sizes)), users, rows=rows)
    np.testing.assert_allclose(scores.numpy(), table.scores(items), atol=1e-4)


@pytest.mark.parametrize("normalize", ["codes", "children", "vocabulary"])
@pytest.mark.parametrize("rows", [6, 1000])
def test_equals_a_search_as_wide_as_the_catalogue(architecture, tiny_model, normalize, rows):
    model = tiny_model(architecture, SIZES)
    trie = DeviceTrie(Trie.from_codes(catalogue(70), SIZES))
    generator = torch.Generator().manual_seed(0)
    codes = torch.stack([torch.randint(0, size, (3, 5), generator=generator) for size in SIZES], dim=-1)
    mask = torch.arange(5) < torch.tensor([[5], [2], [3]])
    state = model.prefill(codes, mask)
    scores = score_items(model, state, trie, 3, normalize=normalize, rows=rows)
    found, best = beam_search(model, state, trie, 3, beams=70, normalize=normalize)
    torch.testing.assert_close(scores.gather(1, found), best, atol=1e-4, rtol=0)
    torch.testing.assert_close(scores.sort(dim=1, descending=True).values, best, atol=1e-4, rtol=0)


def shared_out(table, items, user, may):
    """Log-probabilities of a user's allowed items, each level over the codes that lead to one; written as loops."""
    scores, codes = np.full(len(items), -np.inf), items.tolist()
    for item in np.flatnonzero(may):
        total, prefix = 0.0, 0
        for level, code in enumerate(codes[item]):
            logits = table.logits[level][user, prefix].double().numpy()
            legal = {
                codes[other][level] for other in np.flatnonzero(may) if codes[other][:level] == codes[item][:level]
            }
            total += logits[code] - np.logaddexp.reduce(logits[sorted(legal)])
            prefix = prefix * table.sizes[level] + code
        scores[item] = total
    return scores


@pytest.mark.parametrize("spread", [1, 200])
@pytest.mark.parametrize("kind", ["forbidden", "allowed", "both"])
def test_children_are_those_that_a_user_may_get(kind, spread):
    items, table = catalogue(50), Table(4, SIZES, 0)
    table.logits = [logits * spread for logits in table.logits]  # beyond what exp can hold, too
    trie, rng = DeviceTrie(Trie.from_codes(items, SIZES)), np.random.default_rng(0)
    denied = [[], [3, 3, 7], list(range(0, 50, 2)), list(range(50))]
    given = [list(range(50)), [1], rng.permutation(50)[:20].tolist(), [4, 5]]
    forbidden = pad(denied) if kind != "allowed" else None
    allowed = pad(given) if kind != "forbidden" else None
    keep = make_filter(trie, forbidden, allowed)
    scores = score_items(table, table.prefill(), trie, 4, normalize="children", keep=keep, rows=8)
    filters = {"forbidden": forbidden, "allowed": allowed}
    found, best = beam_search(table, table.prefill(), trie, 4, beams=50, normalize="children", **filters)
    for user in range(4):
        may = np.ones(50, dtype=bool)
        if allowed is not None:
            may = np.isin(np.arange(50), given[user])
        if forbidden is not None:
            may[denied[user]] = False
        expected = shared_out(table, items, user, may)
        np.testing.assert_allclose(scores[user].numpy(), expected, atol=1e-3, rtol=1e-5)
        assert may.sum() == 0 or np.exp(expected).sum() == pytest.approx(1)
        live = found[user] >= 0
        assert int(live.sum()) == may.sum()
        np.testing.assert_allclose(best[user][live].numpy(), expected[found[user][live]], atol=1e-3, rtol=1e-5)


def pad(lists):
    longest = max(map(len, lists))
    return torch.tensor([row + [-1] * (longest - len(row)) for row in lists])


def test_candidates_are_a_smaller_trie():
    items, table = catalogue(60), Table(2, SIZES, 0)
    whole = Trie.from_codes(items, SIZES)
    wanted = np.arange(60) % 3 == 0
    scores = score_items(table, table.prefill(), DeviceTrie(whole.restrict(wanted)), 2)
    np.testing.assert_allclose(scores[:, wanted[: scores.shape[1]]].numpy(), table.scores(items)[:, wanted], atol=1e-4)
    assert (scores[:, ~wanted[: scores.shape[1]]] == -torch.inf).all()


class Separable:
    """Scores that do not depend on the prefix, so a hundred thousand items are summed up in one line."""

    def __init__(self, users, sizes):
        generator = torch.Generator().manual_seed(0)
        self.tables = [torch.randn(users, 1, size, generator=generator) for size in sizes]

    def prefill(self):
        return {"level": 0}

    def step(self, state, codes=None, parents=None):
        state["level"] += 1
        table = self.tables[state["level"] - 1]
        return table if codes is None else table.expand(-1, codes.shape[1], -1)

    def scores(self, items):
        rows = [table[:, 0].log_softmax(-1).numpy() for table in self.tables]
        return sum(row[:, items[:, level]] for level, row in enumerate(rows))


@pytest.mark.parametrize("sizes", [(256,) * 4, (3, 40_000, 16), (100_000,)])
def test_a_hundred_thousand_items(sizes):
    rng = np.random.default_rng(0)
    items = np.unique(np.stack([rng.integers(0, size, 150_000) for size in sizes], axis=1), axis=0)
    items = rng.permutation(items)[:100_000].astype(np.int32)
    table, trie = Separable(2, sizes), DeviceTrie(Trie.from_codes(items, sizes))
    expected = table.scores(items)
    scores = score_items(table, table.prefill(), trie, 2, rows=2_000)
    np.testing.assert_allclose(scores.numpy(), expected, atol=1e-4)
    seen = torch.from_numpy(rng.integers(0, len(items), (2, 500)))
    found, best = beam_search(table, table.prefill(), trie, 2, beams=50, forbidden=seen)
    assert found.shape == (2, 50)
    np.testing.assert_allclose(np.take_along_axis(expected, found.numpy(), 1), best.numpy(), atol=1e-4)
    for user in range(2):
        assert len(set(found[user].tolist()) - set(seen[user].tolist())) == 50
