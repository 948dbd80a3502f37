from html.parser import HTMLParser

import numpy as np
import pytest

from genrec import drawing
from genrec.baselines import Popularity, RepeatLast, TransitionCounts
from genrec.data.histories import Histories
from genrec.data.split import leave_one_out
from genrec.errors import MissingExtraError
from genrec.evaluation import html, plots
from genrec.evaluation.beyond import ItemFacts
from genrec.evaluation.compare import compare
from genrec.evaluation.evaluator import evaluate
from genrec.evaluation.html import ReportContent, render_html
from genrec.evaluation.report import rows
from genrec.evaluation.robustness import robustness
from genrec.evaluation.slices import default_slices

N_ITEMS = 20
IDS = np.array([f"i{n}" for n in range(N_ITEMS)], dtype=object)
VOID = {"meta", "br", "link", "img"}


class Checker(HTMLParser):
    """Tags must be closed in order, and nothing may be fetched."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        assert tag not in ("script", "link", "img", "iframe")
        assert not names.get("href", "#").startswith("http")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def content():
    rng = np.random.default_rng(0)
    split = leave_one_out(Histories.from_lists([rng.integers(0, N_ITEMS, rng.integers(3, 30)) for _ in range(120)]))
    facts = ItemFacts.of(split.train, N_ITEMS, codes=np.arange(N_ITEMS)[:, None] // 3)
    made = [Popularity(), RepeatLast(), TransitionCounts(window=3, last=3)]
    made[2].name = "model <b>"
    fitted = [one.fit(split.train, IDS) for one in made]
    slices = default_slices(split, IDS)
    results = [evaluate(one, split.test, facts=facts, slices=slices) for one in fitted]
    about = {"benchmark": "evaluate", "dataset": "toy & co"}
    targets = [name for name, mask in results[0].masks.items() if mask.any()]
    noisy = robustness(fitted[2], split.test, np.ones(N_ITEMS), shares=(0.5,))
    lines = [row for result in results for row in rows(result, targets=targets, **about)]
    return ReportContent("toy & co", "test", "leave-one-out", "genrec evaluate x", lines, compare(results), noisy)


def test_the_page_is_whole_and_needs_nothing_else(content):
    page = render_html(content)
    text = " ".join(Checker(page).text)
    assert page.count("<svg") == 3
    assert "toy & co" in text
    assert "model <b>" in text
    for words in ("In short", "What is really different", "head", "Beyond accuracy", "noisy histories", "How to read"):
        assert words in text
    assert "genrec evaluate x" in text
    assert "seen items allowed" in text
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


def test_the_same_results_give_the_same_page(content):
    assert render_html(content) == render_html(content)


def test_without_matplotlib_there_are_tables_and_a_hint(content, monkeypatch):
    for module in (plots, drawing):
        monkeypatch.setattr(module, "available", lambda: False)
    page = render_html(content)
    text = " ".join(Checker(page).text)
    assert "<svg" not in page
    assert "pip install 'genrec[report]'" in text
    with pytest.raises(MissingExtraError):
        plots.interval_plot(content.rows, ["recall@10"], {})


def test_sentences_say_no_more_than_the_tests(content):
    sentences = html._in_short(content.comparison, content.rows)
    verdicts = {row.verdict for row in content.comparison.rows}
    assert any("cannot be told from" in one for one in sentences) == ("not different" in verdicts)
    assert any("really better" in one for one in sentences) == ("better" in verdicts)
    broken = [{**row, "valid": 0.9} for row in content.rows]
    assert "not all" in html._in_short(content.comparison, broken)[-1].lower()


def test_many_recommenders_leave_the_slice_plot_readable(content):
    names = [row.recommender for row in content.comparison.rows]
    assert html._drawn(content.rows[:3], content.comparison) == set(names)
    assert len(html._drawn(content.rows[:1] * 9, content.comparison)) <= 5
