import polars as pl
import pytest

from genrec.data.markup import plain_field, plain_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Caf&eacute; Cup &#8482; &amp;quot;XL&amp;quot; &#039;", 'Café Cup ™ "XL" \''),
        ("<b>red</b> cup<br />of &nbsp; tea", "red cup of tea"),
        ("<p>Hello</p><script>if (a<b) x()</script><!-- no -->World", "Hello World"),
        ("&lt;b&gt;bold&lt;/b&gt; &amp;lt;3", "bold <3"),
        ('<A HREF="x">link</A>', "link"),
        ("R&amp;amp;D &#x1F600;", "R&D 😀"),
        ("&#0;&#xD800;", "\ufffd\ufffd"),
    ],
)
def test_entities_and_tags_become_text(text, plain):
    assert plain_text(text) == plain
    assert plain_text(plain) == plain


@pytest.mark.parametrize(
    "text",
    [
        "The <div> tag",
        "a < b > c",
        "AT&T; Q&A",
        "R&D",
        "&notit; &unknown;",
        "x?a=1&copy=2",
        "I <3 you</b",
        "two  blanks",
    ],
)
def test_what_only_looks_like_html_stays(text):
    assert plain_text(text) == text


def test_fields_and_lists_tell_which_rows_changed():
    text, changed = plain_field(pl.Series("t", ["&amp;", None, "x", "<b>q</b>"]))
    assert text.to_list() == ["&", None, "x", "q"]
    assert changed.to_list() == [True, False, False, True]
    lists, changed = plain_field(pl.Series("t", [["&amp;", "x"], None, ["x"], []]))
    assert lists.to_list() == [["&", "x"], None, ["x"], []]
    assert changed.to_list() == [True, False, False, False]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<b>" * 20_000, "<b>" * 20_000),
        ("<!--" * 20_000 + "<br>", "<!--" * 20_000),
        ("<" * 50_000 + "<br>", "<" * 50_000),
        ("&amp;" * 20_000, "&" * 20_000),
    ],
)
def test_long_text_without_an_end_is_no_burden(text, plain):
    assert plain_text(text) == plain
