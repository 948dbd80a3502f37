"""Whitening of a catalogue's vectors."""

import numpy as np
from support import assert_equal_but_rounding

from genrec.encoders.whitening import Whitening


def test_directions_become_equal_and_rows_unit():
    rng = np.random.default_rng(0)
    raw = (rng.normal(size=(4000, 6)) * [5, 1, 1, 0.5, 0.2, 0.1] + 3).astype(np.float32)
    white = Whitening.of(raw, 0.0).apply(raw)
    np.testing.assert_allclose(np.linalg.norm(white, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.cov(white.T), np.eye(6) / 6, atol=0.02)


def test_axes_keep_their_meaning_and_constant_directions_stay_small():
    rng = np.random.default_rng(1)
    raw = rng.normal(size=(500, 4)).astype(np.float32)
    raw[:, 3] = 7
    whitening = Whitening.of(raw, 0.3)
    assert (np.diag(whitening.matrix)[:3] > 0.5).all()
    white = whitening.apply(raw)
    assert np.abs(white[:, 3]).max() < 1e-3
    assert white[:, 0] @ raw[:, 0] > 0


def test_a_catalogue_of_one_item_is_finite():
    assert np.isfinite(Whitening.of(np.ones((1, 3), np.float32)).apply(np.ones((1, 3), np.float32))).all()


def test_items_without_text_stay_zero_and_do_not_move_the_others():
    raw = np.random.default_rng(3).normal(loc=2, size=(50, 8)).astype(np.float32)
    holes = np.vstack([raw, np.zeros((30, 8), dtype=np.float32)])
    whitening = Whitening.of(holes)
    np.testing.assert_array_equal(whitening.mean, Whitening.of(raw).mean)
    white = whitening.apply(holes)
    assert not white[50:].any()
    assert_equal_but_rounding(white[:50], Whitening.of(raw).apply(raw))
    nothing = np.zeros((3, 8), dtype=np.float32)
    assert not Whitening.of(nothing).apply(nothing).any()
