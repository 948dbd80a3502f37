"""The compiled bookkeeping against the tensor operations that it stands for."""

import numpy as np
import pytest
import torch
from decoding_oracle import Table, catalogue
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.beam import beam_search, search_by_tensors
from genrec.decoding.cpu_beams import CompiledBeams, reads_prior
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.filters import ForbiddenItems, make_filter
from genrec.decoding.prior_bounds import PriorBounds, SparsePrior
from genrec.trie import Trie


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    seed=st.integers(0, 10_000),
    beams=st.integers(1, 9),
    normalize=st.sampled_from(["codes", "children"]),
    data=st.data(),
)
def test_the_same_items_and_scores_as_tensor_operations(sizes, seed, beams, normalize, data):
    sizes, users = tuple(sizes), 3
    n = data.draw(st.integers(1, int(np.prod(sizes))))
    rng = np.random.default_rng(seed)
    forbidden = torch.from_numpy(rng.integers(-2, n + 2, size=(users, rng.integers(0, 2 * n + 1))))
    trie, table = DeviceTrie(Trie.from_codes(catalogue(n, sizes, seed), sizes)), Table(users, sizes, seed)
    keep = make_filter(trie, forbidden, None)
    items, scores = beam_search(
        table, table.prefill(), trie, users, beams=beams, forbidden=forbidden, normalize=normalize
    )
    expected, expected_scores = search_by_tensors(table, table.prefill(), trie, users, beams, normalize, keep)
    assert items.tolist() == expected.tolist()
    torch.testing.assert_close(scores, expected_scores)


@settings(max_examples=80, deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4), seed=st.integers(0, 10_000), data=st.data())
def test_dead_nodes_are_those_of_the_filter(sizes, seed, data):
    n = data.draw(st.integers(1, int(np.prod(sizes))))
    forbidden = torch.from_numpy(np.random.default_rng(seed).integers(-1, n + 1, size=(2, n)))
    trie = DeviceTrie(Trie.from_codes(catalogue(n, tuple(sizes), seed), tuple(sizes)))
    levels, wanted = CompiledBeams(trie, 2, forbidden).dead, ForbiddenItems(trie, forbidden)
    for level, (nodes, counts) in enumerate(levels):
        for user in range(2):
            dead = wanted._nodes[level][user][wanted._dead[level][user]].unique()
            assert nodes[user, : counts[user]].tolist() == dead.tolist()


@pytest.mark.parametrize("code_type", [np.uint8, np.int16, np.int32])
def test_of_equal_candidates_the_first_are_chosen(code_type):
    trie = DeviceTrie(Trie.from_codes(catalogue(36, (6, 6)), (6, 6)))
    trie.codes = [codes.to(torch.from_numpy(np.zeros(0, dtype=code_type)).dtype) for codes in trie.codes]
    beams = after_one_level(trie, [4, 2], [0.0, 0.0])
    beams.advance(torch.zeros(1, 2, 6), "codes", 8)
    assert sorted(beams.nodes[0].tolist()) == [12, 13, 24, 25, 26, 27, 28, 29]
    assert (beams.nodes[0] - beams.codes[0].numpy()).tolist() == [
        (12, 24)[first == 0] for first in beams.parents[0].tolist()
    ]
    np.testing.assert_allclose(beams.scores, np.full((1, 8), -np.log(6)), rtol=1e-6)


def test_beams_that_are_no_more_have_no_children():
    trie = DeviceTrie(Trie.from_codes(catalogue(4, (2, 2)), (2, 2)))
    beams = after_one_level(trie, [0, 1], [-np.inf, 0.0])
    beams.advance(torch.zeros(1, 2, 2), "children", 4)
    assert beams.nodes[0].tolist() == [2, 3, 0, 0]
    assert beams.scores[0, 2:].tolist() == [-np.inf] * 2
    assert beams.parents[0, :2].tolist() == [1, 1]
    assert (beams.items()[0][0, 2:] == -1).all()


def after_one_level(trie, nodes, scores):
    beams = CompiledBeams(trie, 1)
    beams.level, beams.nodes, beams.scores = 1, np.array([nodes]), np.array([scores], dtype=np.float32)
    return beams


def test_without_a_folder_for_compiled_code_it_is_compiled_in_every_process(monkeypatch):
    from genrec import compiling

    def njit(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(compiling, "njit", njit)
    assert compiling.compiled(len) is len


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    seed=st.integers(0, 10_000),
    beams=st.integers(1, 9),
    normalize=st.sampled_from(["codes", "children"]),
    negative=st.booleans(),
    share=st.floats(0, 1),
    data=st.data(),
)
def test_a_prior_of_few_items_is_added_as_tensor_operations_add_it(
    sizes, seed, beams, normalize, negative, share, data
):
    sizes, users = tuple(sizes), 3
    n = data.draw(st.integers(1, int(np.prod(sizes))))
    rng = np.random.default_rng(seed)
    trie, table = DeviceTrie(Trie.from_codes(catalogue(n, sizes, seed), sizes)), Table(users, sizes, seed)
    forbidden = torch.from_numpy(rng.integers(-2, n + 2, size=(users, rng.integers(0, n + 1))))
    row, item = (rng.random((users, n + 2)) < share).nonzero()  # two items that the trie does not hold
    order = rng.permutation(len(row))  # in no order
    row, item = row[order], item[order]
    values = rng.normal(size=len(row)) * 3 if negative else rng.uniform(0, 9, len(row))
    prior = SparsePrior(trie, *(torch.from_numpy(one) for one in (row, item, values.astype(np.float32))))
    more = {"beams": beams, "normalize": normalize, "prior": prior}
    items, scores = beam_search(table, table.prefill(), trie, users, forbidden=forbidden, **more)
    expected, expected_scores = search_by_tensors(
        table, table.prefill(), trie, users, keep=make_filter(trie, forbidden, None), **more
    )
    assert items.tolist() == expected.tolist()
    torch.testing.assert_close(scores, expected_scores)


def test_only_a_prior_that_knows_few_items_and_no_others_is_read():
    trie, none = DeviceTrie(Trie.from_codes(catalogue(4, (2, 2)), (2, 2))), torch.zeros(0, dtype=torch.int64)
    everybody = PriorBounds(trie, torch.ones(4))
    assert reads_prior(None)
    assert reads_prior(SparsePrior(trie, none, none, none.float()))
    assert not reads_prior(SparsePrior(trie, none, none, none.float(), everybody))
    assert not reads_prior(everybody)
