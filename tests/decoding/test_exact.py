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


def test_candidates_are_a_smaller_trie():
    items, table = catalogue(60), Table(2, SIZES, 0)
    whole = Trie.from_codes(items, SIZES)
    wanted = np.arange(60) % 3 == 0
    scores = score_items(table, table.prefill(), DeviceTrie(whole.restrict(wanted)), 2)
    np.testing.assert_allclose(scores[:, wanted[: scores.shape[1]]].numpy(), table.scores(items)[:, wanted], atol=1e-4)
    assert (scores[:, ~wanted[: scores.shape[1]]] == -torch.inf).all()
