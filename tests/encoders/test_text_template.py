import polars as pl
import pytest

from genrec.assets import asset_dir
from genrec.config import parse
from genrec.data.catalog import Catalog
from genrec.encoders.text import TextTemplate, TextView, read_template
from genrec.errors import ConfigError, DataError


def shop():
    return Catalog.from_frame(
        pl.DataFrame(
            {
                "item_id": ["a", "b", "c"],
                "title": ["Red  lipstick\nmatt", "Shampoo", ""],
                "main_category": ["Beauty", None, " "],
                "price": [9.5, None, 2.0],
                "tags": [["red", "", "new"], [], None],
            },
            schema_overrides={"tags": pl.List(pl.String)},
        )
    )


def own_template(tmp_path, text):
    path = tmp_path / "own.jinja"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_pairs_of_non_empty_text_fields_in_catalogue_order():
    texts = TextTemplate().render(shop())
    assert texts == ["title: Red lipstick matt. main category: Beauty. tags: red, new", "title: Shampoo", ""]


def test_values_template_leaves_keys_out():
    assert TextTemplate(name="item-values").render(shop())[0] == "Red lipstick matt. Beauty. red, new"


def test_chosen_fields_keep_their_order_and_numbers_become_text():
    assert TextTemplate(fields=("price", "title")).render(shop()) == [
        "price: 9.5. title: Red lipstick matt",
        "title: Shampoo",
        "price: 2.0",
    ]


def test_text_is_cut():
    assert TextTemplate(max_chars=8).render(shop())[:2] == ["title: R", "title: S"]


def test_own_template_sees_fields_by_name(tmp_path):
    path = own_template(tmp_path, "{{ item.title }}{% if item.tags %} <{{ item.tags }}>{% endif %}\n")
    assert TextTemplate(name=path).render(shop()) == ["Red lipstick matt <red, new>", "Shampoo", ""]


@pytest.mark.parametrize(
    "text",
    [
        "{{ item.titel }}",
        "{{ nothing }}",
        "{% for x in %}",
        "{{ item.title.__class__.__mro__[1].__subclasses__() }}",
        "{{ 1/0 }}",
    ],
)
def test_a_wrong_or_unsafe_template_is_a_config_error(tmp_path, text):
    with pytest.raises(ConfigError, match="own"):
        TextTemplate(name=own_template(tmp_path, text)).render(shop())


def test_unknown_template_and_field_suggest_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'item-text'"):
        TextTemplate(name="item-txt").render(shop())
    with pytest.raises(ConfigError, match="Did you mean 'title'"):
        TextTemplate(fields=("titel",)).render(shop())
    with pytest.raises(ConfigError, match="Did you mean 'max_chars'"):
        parse(TextTemplate, {"max_char": 3})


def test_a_catalogue_without_text_is_refused():
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": ["a"], "price": [1.0]}))
    with pytest.raises(DataError, match="No field of the items holds text"):
        TextTemplate().render(catalog)


def test_a_frozen_view_reads_other_tables_the_same_way(caplog):
    view = TextView.from_dict(TextTemplate(fields=("title", "main_category")).view(shop()).to_dict())
    new = Catalog.from_frame(pl.DataFrame({"item_id": ["n"], "colour": ["red"], "title": ["Soap"]}))
    assert view.render(new) == ["title: Soap"]
    assert "main_category" in caplog.text
    with pytest.raises(DataError, match="none of the fields"):
        view.render(Catalog.from_frame(pl.DataFrame({"item_id": ["n"], "colour": ["red"]})))


@pytest.mark.parametrize("name", ["item-text", "item-values"])
def test_shipped_templates_are_described(name):
    front, _ = read_template(asset_dir("prompts") / f"{name}.jinja")
    assert front["name"] == name
    assert set(front) == {"name", "description", "inputs"}
    assert f"`{name}.jinja`" in (asset_dir("prompts") / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", ["---\nname: x\n", "---\n- a\n---\nx", "---\na: b: c\n---\nx"])
def test_broken_front_matter(tmp_path, content):
    with pytest.raises(ConfigError, match="front matter"):
        read_template(own_template(tmp_path, content))
