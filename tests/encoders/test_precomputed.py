import numpy as np
import polars as pl
import pytest

from genrec.data.catalog import Catalog
from genrec.encoders import PrecomputedEncoder, build_encoder
from genrec.errors import DataError

X = np.arange(12, dtype=np.float32).reshape(4, 3)
IDS = ["a", "b", "c", "d"]


def catalog_of(ids):
    return Catalog.from_frame(pl.DataFrame({"item_id": ids, "title": ["x"] * len(ids)}))


def fitted(path, ids=IDS, **settings):
    encoder = build_encoder({"name": "precomputed", "path": str(path), **settings})
    encoder.fit(catalog_of(ids))
    return encoder


def saved(path, array):
    np.save(path, array)
    return path


def table(path, ids=IDS, vectors=None, **columns):
    lists = X.tolist() if vectors is None else vectors
    pl.DataFrame({"item_id": ids, "vector": lists, **columns}, strict=False).write_parquet(path)
    return path


def test_npy_is_memory_mapped(tmp_path):
    encoder = fitted(saved(tmp_path / "x.npy", X))
    x = encoder.encode(catalog_of(IDS))
    np.testing.assert_array_equal(x, X)
    assert isinstance(x, np.memmap)


def test_npy_of_other_types_becomes_float32(tmp_path):
    x = fitted(saved(tmp_path / "x.npy", X.astype(np.float64)), normalize=True).encode(catalog_of(IDS))
    assert x.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("array", [X[:3], X[0], X.astype(str), np.array([{}] * 4), X[:, :0]])
def test_npy_that_does_not_fit(tmp_path, array):
    with pytest.raises(DataError):
        fitted(saved(tmp_path / "x.npy", array)).encode(catalog_of(IDS))


def test_npy_never_serves_other_items(tmp_path):
    encoder = fitted(saved(tmp_path / "x.npy", X))
    with pytest.raises(DataError, match="not the items"):
        encoder.encode(catalog_of(["a", "b", "c", "new"]))
    encoder.read_from(saved(tmp_path / "new.npy", X[:1]))
    np.testing.assert_array_equal(encoder.encode(catalog_of(["new"])), X[:1])
    encoder.read_from(saved(tmp_path / "wide.npy", np.ones((1, 5))))
    with pytest.raises(DataError, match="5 numbers"):
        encoder.encode(catalog_of(["new"]))


def test_parquet_list_column_in_any_order_with_further_items(tmp_path):
    encoder = fitted(table(tmp_path / "x.parquet", note=["n"] * 4), ids=["c", "a"])
    np.testing.assert_array_equal(encoder.encode(catalog_of(["c", "a"])), X[[2, 0]])
    tensors, rest = encoder.state()
    loaded = PrecomputedEncoder(encoder.settings)
    loaded.load_state(tensors, rest)
    np.testing.assert_array_equal(loaded.encode(catalog_of(["d"])), X[[3]])


def test_parquet_array_column_and_numeric_columns(tmp_path):
    array = pl.DataFrame({"item_id": IDS, "v": pl.Series(X.tolist(), dtype=pl.Array(pl.Float32, 3))})
    array.write_parquet(tmp_path / "array.parquet")
    pl.DataFrame({"item_id": IDS, "x0": X[:, 0], "x1": X[:, 1], "x2": X[:, 2]}).write_parquet(tmp_path / "wide.parquet")
    for name in ("array", "wide"):
        np.testing.assert_array_equal(fitted(tmp_path / f"{name}.parquet").encode(catalog_of(IDS)), X)


def test_parquet_with_integer_ids(tmp_path):
    table(tmp_path / "x.parquet", ids=[1, 2, 3, 4])
    np.testing.assert_array_equal(fitted(tmp_path / "x.parquet", ids=["3"]).encode(catalog_of(["3"])), X[[2]])


def test_missing_items_are_named(tmp_path):
    with pytest.raises(DataError, match="2 items have no vector: 'y', 'z'"):
        fitted(table(tmp_path / "x.parquet"), ids=["a", "y", "z"])


def test_items_with_broken_vectors_are_named(tmp_path):
    path = table(tmp_path / "nan.parquet", vectors=[[1.0, 2.0], [float("nan"), 1.0], [1.0, 1.0], [1.0, 1.0]])
    with pytest.raises(DataError, match="'b'"):
        fitted(path).encode(catalog_of(IDS))
    with pytest.raises(DataError, match="another length: 'c'"):
        fitted(table(tmp_path / "odd.parquet", vectors=[[1.0], [1.0], [1.0, 2.0], [1.0]]))
    with pytest.raises(DataError, match="another length: 'd'"):
        fitted(table(tmp_path / "null.parquet", vectors=[[1.0], [1.0], [1.0], None]))
    with pytest.raises(DataError, match="several vectors: 'a'"):
        fitted(table(tmp_path / "twice.parquet", ids=["a", "a", "c", "d"]), ids=["a", "c"])


def test_unclear_or_unknown_columns(tmp_path):
    path = table(tmp_path / "x.parquet", other=[[1.0]] * 4)
    with pytest.raises(DataError, match="not clear"):
        fitted(path)
    assert fitted(path, column="other").encode(catalog_of(IDS)).shape == (4, 1)
    with pytest.raises(DataError, match="no column 'vectr'"):
        fitted(path, column="vectr")
    with pytest.raises(DataError, match="lists of numbers"):
        fitted(table(tmp_path / "text.parquet", vectors=[["x"]] * 4))


def test_missing_file_other_kind_and_garbage(tmp_path):
    (tmp_path / "x.txt").write_text("1 2 3")
    for name in ("x.npy", "x.parquet"):
        with pytest.raises(DataError, match="does not exist"):
            fitted(tmp_path / name)
        (tmp_path / name).write_bytes(b"\x00\x01 no vectors")
        with pytest.raises(DataError, match="cannot be read"):
            fitted(tmp_path / name)
    with pytest.raises(DataError, match="kind of file"):
        fitted(tmp_path / "x.txt")
