"""Numbers and nouns agree: "1 item", "2 items", in every message of the code."""

import ast
import re
from pathlib import Path

import pytest

from genrec.wording import agree, count

ROOT = Path(__file__).resolve().parents[1] / "genrec"
NOUNS = """
actors batches beams candidates cases cells cells checkpoints codes columns cores dimensions
encoders entries epochs examples features fields files groups heads histories hypotheses ids indexes
interactions items labels layers levels lines lists networks neighbours nodes numbers pairs
parameters parts paths places points popularities positions presets prompts properties purchases
queries quantizers recipes recommenders records results rounds rows rules runs samples seeds
sequences settings shards shares shoppers slices slots splits steps tables targets texts times
titles tokens transitions users values vectors vocabularies weights words workers
"""
NOUNS = NOUNS.split()
NOUN = re.compile(rf"^ (?:(?!of|with|but|and|or|in|from|to)[a-z-]+ )?({'|'.join(NOUNS)})\b")
NOT_COUNTED = {
    # texts, floats, lists, and numbers that are never 1
    "_R.memory": "a share",
    "agree": "a verb",
    "attention": "a name",
    "bits": "measured",
    "cls.": "a name",
    "[": "a list",
    "codes.shape": "a shape",
    "counts.settings": "in a sentence about more than one",
    "effect": "measured",
    "figures['mean_": "measured",
    "found.how": "a name",
    "kind": "a name",
    "list(": "a list",
    "name": "a name",
    "one.lift": "measured",
    "part": "a name",
    "recipe.": "a name",
    "rounds": "a text",
    "settings['last']": "written out for 1 beside it",
    "shown": "a text",
    "size": "of fitting sizes: at least 4",
    "sizes": "a text",
    "total[used]": "measured",
    "type(": "a name",
    "usual or": "a text",
    "wanted": "a text",
    "which": "a text",
}


def numbers_before_nouns(path):
    """Values of f-strings that are followed by a plural noun, with their lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            for value, after in zip(node.values, node.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant):
                    noun = NOUN.match(str(after.value))
                    measured = value.format_spec is not None and re.search(r"[.%eg]", ast.unparse(value.format_spec))
                    text = ast.unparse(value.value)
                    if noun and not measured and not text.isupper():  # a constant is known not to be 1
                        yield node.lineno, text, noun[1]


@pytest.mark.parametrize("room", sorted({path.relative_to(ROOT).parts[0] for path in ROOT.rglob("*.py")}))
def test_no_message_puts_a_number_before_a_plural_by_itself(room):
    paths = (ROOT / room).rglob("*.py") if (ROOT / room).is_dir() else [ROOT / room]
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {{{value}}} {noun}: use genrec.wording.count"
        for path in paths
        for line, value, noun in numbers_before_nouns(path)
        if not value.startswith(tuple(NOT_COUNTED)) and not any(sign in value for sign in (".mean()", "max(", ".join("))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_walk_sees_what_it_should(tmp_path):
    (tmp_path / "one.py").write_text("x = f'{n:,} items and {share:.1%} rows of {len(rows)} test cases, {a} cups'\n")
    assert list(numbers_before_nouns(tmp_path / "one.py")) == [(1, "n", "items"), (1, "len(rows)", "cases")]


def test_log_messages_count_as_well():
    wrong = [
        f"{path.relative_to(ROOT)}: {text}"
        for path in ROOT.rglob("*.py")
        for text in re.findall(rf'"[^"\n]*%d (?:[a-z-]+ )?(?:{"|".join(NOUNS)})\b[^"\n]*"', path.read_text())
        if not re.search(r"%d (?:of %d|tokens at most|items share one)", text)
    ]
    assert not wrong, "\n".join(wrong)


def test_words():
    assert [count(n, "item") for n in (0, 1, 2, 12_101)] == ["0 items", "1 item", "2 items", "12,101 items"]
    nouns = ("history", "index", "query", "batch", "loss", "epoch", "popularity", "share", "case", "path", "box")
    assert [count(2, noun).removeprefix("2 ") for noun in nouns] == [
        *("histories", "indexes", "queries", "batches", "losses", "epochs"),
        *("popularities", "shares", "cases", "paths", "boxes"),
    ]
    assert (agree(1, "is", "are"), agree(0, "is", "are")) == ("is", "are")
