"""The page of a running service, in a real browser: search, a history by hand, filters, diversity, latency, the tree.

Run with ``pytest -m browser tests/serving``; skipped where chromium is not installed, or playwright to drive it.
"""

import re
import socket
import threading
import time

import pytest
from page_support import CHROMIUM, HOSTILE, hostile_recommender, need_browser

pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
pytest.importorskip("fastapi")

import polars as pl
import uvicorn
from playwright.sync_api import expect

from genrec.baselines import Popularity
from genrec.data import Interactions
from genrec.serving import Service, Source, build_app

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    need_browser()
    folder = tmp_path_factory.mktemp("served")
    made = hostile_recommender()
    made.save_pretrained(folder / "shop")
    ids = made.item_ids.tolist()
    rows = [(f"u{user}", ids[(7 * user + 3 * step) % 60], 100 + step) for user in range(9) for step in range(5)]
    rows += [("</script>", ids[place], place) for place in range(10)]
    pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row").write_csv(folder / "log.csv")
    table = Interactions.read(folder / "log.csv")
    Popularity().fit(table.histories(made.item_ids), made.item_ids).save_pretrained(folder / "popular")
    sources = {"shop": Source(folder / "shop"), "popular": Source(folder / "popular")}
    service = Service(sources, tables={None: table})
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(build_app(service), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}/"
        server.should_exit = True
        thread.join()
    service.stop()


@pytest.fixture(scope="module")
def browser():
    need_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def tab(browser, address):
    """A tab with the page; a test fails where the page logs anything, or asks anybody else for anything."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda one: asked.append(one.url))
    page.set_default_timeout(10_000)
    page.goto(address)
    page.wait_for_selector("[data-model='popular'] .card")
    yield page
    assert page.title() == "genrec: recommendations"
    assert [line for line in said if "status of 422" not in line] == []  # which the page tells itself
    assert all(url.startswith((address, "data:")) for url in asked)
    context.close()


def items(tab, model):
    return tab.locator(f"[data-model='{model}'] .card").evaluate_all("all => all.map((one) => one.dataset.item)")


def test_lists_have_their_parts_and_say_how_long_they_took(tab):
    for model in ("shop", "popular"):
        assert len(items(tab, model)) == 10
        assert re.search(r"[\d.]+ ms", tab.locator(f"[data-model='{model}'] .meta").first.inner_text())
    tab.keyboard.press("w")
    for card in tab.locator("[data-model='shop'] .card").all():
        numbers = [float(text.replace("−", "-")) for text in card.locator("[data-part]").all_inner_texts()]
        assert sum(numbers) == pytest.approx(float(card.locator(".score").inner_text().replace("−", "-")), abs=0.011)


def test_a_history_is_built_by_hand(tab):
    tab.keyboard.press("/")
    tab.keyboard.type("tent numb")
    tab.wait_for_selector("#found li[role=option]")
    tab.keyboard.press("ArrowDown")
    chosen = tab.locator("#found li[aria-selected=true]").get_attribute("data-item")
    before = tab.locator("#items .card").count()
    tab.keyboard.press("Enter")
    expect(tab.locator("#items .card")).to_have_count(before + 1)
    expect(tab.locator("#history-title")).to_have_text("History by hand")
    assert tab.locator("#items .card").first.get_attribute("data-item") == chosen
    expect(tab.locator(f"[data-model='shop'] [data-item='{chosen}']")).to_have_count(0)  # it is seen now
    for left in range(before, -1, -1):
        tab.locator("#items .remove").first.click()
        expect(tab.locator("#items .card")).to_have_count(left)
    expect(tab.locator("#history-meta")).to_contain_text("Nothing yet")
    expect(tab.locator("[data-model='shop'] .card")).to_have_count(10)


def test_filters_and_diversity_change_the_lists(tab):
    tab.locator("#wishes summary").click()
    before = items(tab, "shop")
    tab.fill("[data-field='categories']", "tea")
    tab.keyboard.press("Enter")
    tab.locator("#k").focus()
    expect(tab.locator("[data-model='shop'] .fields").first).to_contain_text("tea")
    for text in tab.locator("[data-model='shop'] .fields").all_inner_texts():
        assert "tea" in text
    assert "no where" in tab.locator("[data-model='popular']").inner_text()  # a baseline knows no fields
    tab.click("#clear")
    expect(tab.locator("[data-model='shop'] .card").first).to_have_attribute("data-item", before[0])
    tab.fill("[data-field='price'][data-sign='<=']", "9")
    tab.locator("#k").focus()
    expect(tab.locator("#status")).to_have_text("")
    tab.click("#clear")
    tab.select_option("#diversity", "mmr")
    expect(tab.locator("[data-model='shop'] .legend")).to_contain_text("like items above")
    tab.fill("#k", "3")
    tab.locator("#beams").focus()
    expect(tab.locator("[data-model='shop'] .card")).to_have_count(3)


def test_users_by_name_at_random_and_hostile_ones(tab):
    tab.fill("#user", "u3")
    tab.keyboard.press("Enter")
    expect(tab.locator("#history-meta")).to_contain_text("u3: 5 items")
    tab.fill("#user", "</script>")
    tab.keyboard.press("Enter")
    expect(tab.locator("#history-meta")).to_contain_text("</script>: 10 items")
    titles = tab.locator("#items .title").evaluate_all("all => all.map((one) => one.textContent)")
    assert HOSTILE[0] in titles
    tab.locator("#items [data-item^='<b>'] .title").click()
    expect(tab.locator("#card .code").first).to_be_visible()
    tab.keyboard.press("Escape")
    tab.fill("#user", "nobody")
    tab.keyboard.press("Enter")
    expect(tab.locator("#status")).to_contain_text("no such user")
    tab.click("#random")
    expect(tab.locator("#status")).to_have_text("")
    expect(tab.locator("#user")).not_to_have_value("nobody")


def test_the_tree_of_codes(tab):
    name = tab.locator("[data-model='shop'] .code").first.inner_text()
    tab.locator("[data-model='shop'] .code").first.click()
    expect(tab.locator("#crumbs [aria-current]")).to_have_text(name)
    tab.wait_for_selector("#children li")
    total = int(re.match(r"(\d+) item", tab.inner_text("#tree-meta"))[1])
    assert tab.locator("#below .card").count() == total
    tab.locator("#crumbs button").first.click()
    expect(tab.locator("#tree-meta")).to_contain_text("60 items.")
