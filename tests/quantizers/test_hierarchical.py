import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.quantizers.hierarchical import HierarchicalKMeans, HierarchicalSettings


def placed(x, **changes):
    quantizer = HierarchicalKMeans(HierarchicalSettings(**{"iterations": 3, "rounds": 2, **changes}))
    quantizer.fit(x, seed=0)
    return quantizer, quantizer.place(x)


def test_clusters_are_about_even_and_their_items_alike():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(500, 6)) * rng.exponential(size=(500, 1)) + 3 * rng.normal(size=6)).astype(np.float32)
    quantizer, codes = placed(x, levels=3, codebook_size=8, slack=1.1, iterations=25)
    assert len(np.unique(codes, axis=0)) == 500
    assert np.bincount(codes[:, 0]).max() <= np.ceil(1.1 * 500 / 8)
    within = sum(((x[codes[:, 0] == c] - x[codes[:, 0] == c].mean(axis=0)) ** 2).sum() for c in range(8))
    assert within < 0.85 * ((x - x.mean(axis=0)) ** 2).sum()
    assert quantizer.moves
    assert quantizer.codebooks is None


@given(st.integers(1, 64), st.integers(1, 3), st.integers(1, 20))
@settings(max_examples=25)
def test_paths_are_distinct_as_long_as_there_are_any(n, distinct, cut):
    """All vectors equal included: 64 paths hold 64 items."""
    x = np.random.default_rng(n).normal(size=(n, 3)).astype(np.float32)
    x = x[np.arange(n) % min(n, distinct)] if distinct < 3 else x
    quantizer, codes = placed(x, levels=3, codebook_size=4)
    assert len(np.unique(codes, axis=0)) == n
    more = quantizer.place(x[:cut], published=codes)
    both = np.concatenate([codes, more])
    assert len(np.unique(both[:, :2], axis=0)) <= 16
    if len(both) <= 64:
        groups = np.unique(both[:, :2], axis=0, return_counts=True)[1]
        assert groups.max() <= 4
        assert len(np.unique(both, axis=0)) == len(both)


def test_a_sample_is_enough_to_place_all():
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    quantizer, codes = placed(x, levels=3, codebook_size=8, sample=60)
    assert len(np.unique(codes, axis=0)) == 300
    again = HierarchicalKMeans(quantizer.settings)
    again.load_state(*quantizer.state())
    assert (again.place(x) == codes).all()


def test_any_slack_is_at_most_all_items():
    """1e30 items of room are those that there are."""
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    free = [placed(x, levels=2, codebook_size=4, slack=slack, iterations=5)[1] for slack in (4.0, 1e30)]
    np.testing.assert_array_equal(*free)
