import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix

from genrec.data.catalog import Catalog
from genrec.data.histories import Histories
from genrec.encoders import ENCODERS, LsaEncoder, base, build_encoder
from genrec.encoders.base import check_vectors, normalize_rows, truncated_svd
from genrec.errors import ConfigError, DataError, ModelError

IDS = np.array(["a", "b", "c"], dtype=object)


def test_not_finite_vectors_name_their_items():
    vectors = np.ones((3, 2))
    vectors[1, 0], vectors[2, 1] = np.nan, np.inf
    with pytest.raises(DataError, match="2 items are not finite: 'b', 'c'"):
        check_vectors(vectors, IDS, "here")


def test_values_beyond_float32_are_not_finite():
    with pytest.raises(DataError, match="'a'"):
        check_vectors(np.array([[1e300], [1.0], [1.0]]), IDS, "here")


@pytest.mark.parametrize("vectors", [np.ones(3), np.ones((2, 2)), np.ones((3, 0)), np.full((3, 1), "x")])
def test_wrong_shape_or_type(vectors):
    with pytest.raises(DataError):
        check_vectors(vectors, IDS, "here")


@given(arrays(np.float32, (4, 3), elements=st.floats(-1e6, 1e6, width=32)))
def test_rows_get_unit_length_or_stay_zero(x):
    lengths = np.linalg.norm(normalize_rows(x), axis=1)
    assert all(abs(n - 1) < 1e-4 or n == 0 for n in lengths)


def test_a_small_decomposition_takes_one_thread_and_a_large_one_what_is_there(monkeypatch):
    from sklearn.utils import extmath
    from threadpoolctl import threadpool_info, threadpool_limits

    seen, real = [], extmath.randomized_svd

    def watched(*args, **settings):
        seen.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
        return real(*args, **settings)

    monkeypatch.setattr(extmath, "randomized_svd", watched)
    with threadpool_limits(2):
        truncated_svd(csr_matrix(np.eye(6)), 3, seed=0)
        assert set(seen) == {1}
        before = threadpool_info()
        with base._threads_for(1e12):
            assert threadpool_info() == before


def test_truncated_svd_agrees_with_numpy_and_drops_empty_directions():
    x = np.random.default_rng(0).normal(size=(30, 4)) @ np.random.default_rng(1).normal(size=(4, 12))
    u, s, vt = truncated_svd(csr_matrix(x), 10, seed=0)
    assert len(s) == 4
    np.testing.assert_allclose(s, np.linalg.svd(x, compute_uv=False)[:4], rtol=1e-6)
    np.testing.assert_allclose(u * s @ vt, x, atol=1e-8)
    assert truncated_svd(csr_matrix((3, 3)), 2, seed=0)[1].shape == (0,)


def test_build_encoder_suggests_the_nearest_name_and_refuses_unknown_settings():
    assert isinstance(build_encoder({"name": "lsa", "dim": 8}), LsaEncoder)
    with pytest.raises(ConfigError, match="Did you mean 'lsa'"):
        build_encoder({"name": "lsi"})
    with pytest.raises(ConfigError, match="Did you mean 'dim'"):
        build_encoder({"name": "lsa", "dims": 8})
    with pytest.raises(ConfigError, match="no name"):
        build_encoder({"dim": 8})


def test_settings_of_every_encoder_build_it_again():
    for name in ENCODERS:
        encoder = build_encoder({"name": name, **({"path": "x.npy"} if name == "precomputed" else {})})
        again = build_encoder(encoder.settings.model_dump(mode="json"))
        assert again.settings == encoder.settings


@pytest.mark.parametrize("titles", [["red cup", "blue cup", "red hat"], ["", "", ""]])
@pytest.mark.parametrize("name", ["lsa", "cooccurrence", "fused"])
def test_states_survive_files(tmp_path, name, titles):
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ["a", "b", "c"], "title": titles}))
    encoder = build_encoder({"name": name})
    encoder.fit(catalog, Histories.from_lists([[0, 1], [1, 2, 0], [2, 0]]))
    tensors, rest = encoder.state()
    assert all(array.flags.c_contiguous for array in tensors.values())
    save_file(tensors, tmp_path / "state.safetensors")
    loaded = build_encoder({"name": name})
    loaded.load_state(load_file(tmp_path / "state.safetensors"), json.loads(json.dumps(rest)))
    np.testing.assert_array_equal(loaded.encode(catalog), encoder.encode(catalog))


def test_encode_before_fit_and_bad_histories():
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ["a", "b"], "title": ["x", "y"]}))
    with pytest.raises(ModelError, match="not fitted"):
        build_encoder({"name": "lsa"}).encode(catalog)
    with pytest.raises(DataError, match="interactions"):
        build_encoder({"name": "cooccurrence"}).fit(catalog)
    with pytest.raises(DataError, match="outside the catalogue"):
        build_encoder({"name": "cooccurrence"}).fit(catalog, Histories.from_lists([[0, 5]]))


def test_importing_encoders_stays_light():
    heavy = "{'torch', 'sklearn', 'sentence_transformers', 'transformers', 'scipy'}"
    code = f"import sys, genrec.encoders; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
