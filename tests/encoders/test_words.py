"""Words of items as sparse vectors."""

import numpy as np
import polars as pl

from genrec.data.catalog import Catalog
from genrec.encoders.text import TextTemplate, short_fields
from genrec.encoders.words import word_vectors


def catalog(**fields):
    n = len(next(iter(fields.values())))
    return Catalog(pl.DataFrame({"item_id": [f"i{n}" for n in range(n)], **fields}))


def test_weights_are_those_of_the_formula():
    found = word_vectors(catalog(title=["Red red SHOE", "shoe; größe 42"])).toarray()
    idf = 1 + np.log(np.array([3 / 2, 3 / 2, 3 / 2, 3 / 3]))  # 42, größe, red, shoe
    expected = np.array([[0, 0, (1 + np.log(2)) * idf[2], idf[3]], [idf[0], idf[1], 0, idf[3]]])
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


def test_long_descriptions_are_not_read_beside_titles():
    long = [" ".join(f"word{n}" for n in range(40))] * 2
    both = catalog(title=["red shoe", "blue shoe"], brand=["acme", None], description=long)
    assert word_vectors(both).shape == (2, 4)
    assert word_vectors(catalog(description=long)).shape == (2, 40)


def test_a_template_leaves_long_fields_out_and_remembers_it():
    long = [" ".join(f"word{n}" for n in range(40))] * 2
    items = catalog(title=["red shoe", "blue shoe"], description=long)
    template = TextTemplate(name="item-values", max_words=30)
    view = template.view(items)
    assert view.fields == ("title",)
    assert view.render(catalog(title=[" ".join(["long"] * 50)], description=["short"])) == [" ".join(["long"] * 50)]
    assert TextTemplate(name="item-values", max_words=30, fields=("description",)).view(items).fields == (
        "description",
    )
    assert TextTemplate(name="item-values").view(items).fields == ("title", "description")


def test_long_texts_are_read_where_short_fields_are_empty():
    long = [" ".join(f"word{n}" for n in range(40))] * 5
    for title in ([""] * 5, ["red shoe", *[""] * 4]):
        fields = ("title", "description")
        assert short_fields(catalog(title=title, description=long), fields, 30) == fields


def test_lists_count_and_numbers_do_not():
    found = word_vectors(catalog(tags=[["dark blue", "blue"], []], price=[1.5, 2.0]))
    assert found.shape == (2, 2)
    assert found[[1]].nnz == 0


def test_a_catalogue_without_text_has_no_words():
    found = word_vectors(catalog(price=[1.5, 2.0]))
    assert found.shape == (2, 0)


def test_the_order_of_items_does_not_matter():
    titles = ["red shoe", "blue shoe", "red hat"]
    there, back = word_vectors(catalog(title=titles)), word_vectors(catalog(title=titles[::-1]))
    assert np.array_equal(there.toarray(), back.toarray()[::-1])
