"""The page in one file, in a real browser: what people do with it, by mouse, by keys, on a phone, in the dark.

Run with ``pytest -m browser tests/page``; skipped where there is no installed chromium, or no playwright to drive it.
"""

import re

import numpy as np
import pytest
from page_support import CHROMIUM, HOSTILE, hostile_recommender, need_browser

from genrec.baselines.popularity import Popularity
from genrec.data.histories import Histories
from genrec.page.assembly import whole_page
from genrec.page.content import page_content
from genrec.page.people import sampled_people

pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")

from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture(scope="module")
def browser():
    need_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    rng = np.random.default_rng(0)
    made = hostile_recommender()
    walks = [rng.permutation(60)[:6] for _ in range(12)]
    walks[0] = np.arange(10)  # all hostile titles in one history
    histories = Histories.from_lists(walks, ["u0", "</script>", *(f"u{n}" for n in range(2, 12))])
    recommenders = {"a/first": made, "second": hostile_recommender(1, "seq2seq", made.index)}
    recommenders["popular"] = Popularity().fit(histories, made.item_ids)
    people = sampled_people(histories, made.item_ids, users=12, hold_out=1)
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(whole_page(page_content(recommenders, people, k=8)), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def tab(browser, file, request):
    """A tab with the page; a test fails where the page logs anything, or asks for anything but itself."""
    settings = getattr(request, "param", {})
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda one: asked.append(one.url))
    page.set_default_timeout(5000)
    page.goto(file)
    page.wait_for_selector("#lists .card")
    yield page
    assert page.title() == "genrec: recommendations"  # nobody's script ran
    assert said == []
    assert {url.split("#")[0] for url in asked} == {file}
    context.close()


def user_of(tab):
    return tab.input_value("#user")


def test_two_models_and_a_baseline_stand_side_by_side(tab):
    assert tab.locator("#lists h2").all_inner_texts() == ["a/first", "second", "popular"]
    left = [tab.locator(f"[data-model='{name}']").bounding_box()["x"] for name in ("a/first", "second")]
    assert left[0] < left[1]
    for name in ("a/first", "second", "popular"):
        assert tab.locator(f"[data-model='{name}'] .card").count() == 8
    assert tab.locator(".badge", has_text=" in second").count() > 0


def test_hostile_titles_are_text(tab):
    tab.evaluate("location.hash = '#/user/u0'")
    expect(tab.locator("#items .card")).to_have_count(10)
    titles = tab.locator("#items .title").evaluate_all("all => all.map((one) => one.textContent)")
    for title in HOSTILE:
        assert title.strip()[:200] in [one[:200] for one in titles] or title in titles
    assert tab.locator("main img, main svg, main script, main b").count() == 0
    odd = tab.locator("#items [data-item^='<b>'] .title")
    odd.click()
    assert "<b>'\"&/#?%00" in tab.locator("#card dd").first.inner_text()
    tab.keyboard.press("Escape")
    tab.fill("#user", "</script>")
    tab.keyboard.press("Enter")
    expect(tab.locator("#history-meta")).to_contain_text("</script>: ")


def test_parts_are_shown_and_add_up(tab):
    tab.keyboard.press("w")
    assert tab.locator(".why[open]").count() == 24
    for card in tab.locator("[data-model='a/first'] .card").all():
        texts = card.locator("[data-part]").all_inner_texts()
        assert len(texts) == 2  # network and words
        numbers = [float(text.replace("−", "-")) for text in texts]
        assert sum(numbers) == pytest.approx(float(card.locator(".score").inner_text().replace("−", "-")), abs=0.011)
        walked = card.locator(".walk .value").all_inner_texts()
        logs = [float(re.search(r"\((.*)\)", text)[1].replace("−", "-")) for text in walked]
        assert sum(logs) == pytest.approx(numbers[0], abs=0.03)
    tab.keyboard.press("w")
    assert tab.locator(".why[open]").count() == 0
    tab.locator(".why summary").first.click()
    assert tab.locator(".why[open]").count() == 1


def test_what_came_next_is_marked(tab):
    assert tab.locator("#items .badge.next").count() == 1
    assert "was not shown" in tab.inner_text("#history-meta")


def test_users_by_button_key_and_address(tab):
    first = user_of(tab)
    seen = {first}
    for _ in range(12):
        tab.click("#random")
        seen.add(user_of(tab))
    assert len(seen) > 2
    tab.evaluate("location.hash = '#/user/u0'")
    expect(tab.locator("#user")).to_have_value("u0")
    tab.locator("body").click(position={"x": 5, "y": 400})
    tab.keyboard.press("ArrowLeft")
    expect(tab.locator("#user")).to_have_value("u11")
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#user")).to_have_value("u0")
    tab.keyboard.press("r")
    expect(tab.locator("#user")).not_to_have_value("u0")
    tab.go_back()
    expect(tab.locator("#user")).to_have_value("u0")
    tab.evaluate("location.hash = '#/user/%E0%A4%A'")  # no text at all
    tab.evaluate("location.hash = '#/user/nobody'")
    expect(tab.locator("#status")).to_contain_text("nobody")


def test_the_tree_of_codes_from_a_card_down_to_one_item(tab):
    card = tab.locator("[data-model='a/first'] .card").first
    item, chips = card.get_attribute("data-item"), card.locator(".code")
    names = chips.all_inner_texts()
    chips.first.click()
    tab.wait_for_selector("#tree:not([hidden]) #children li")
    assert tab.locator("#crumbs [aria-current]").inner_text() == names[0]
    total = int(re.match(r"(\d+) item", tab.inner_text("#tree-meta"))[1])
    below = [int(text.split()[0]) for text in tab.locator("#children .head span:last-child").all_inner_texts()]
    assert sum(below) == total == tab.locator("#below .card").count()
    for name in names[1:]:
        tab.locator("#children .code", has_text=re.compile(f"^{name}$")).click()
        expect(tab.locator("#crumbs [aria-current]")).to_have_text(name)
    assert tab.locator("#below .card").count() == 1
    assert tab.locator("#below .card").get_attribute("data-item") == item
    tab.locator("#crumbs button").first.click()
    expect(tab.locator("#tree-meta")).to_contain_text("60 items.")
    tab.keyboard.press("1")
    tab.wait_for_selector("#people:not([hidden])")


def test_items_are_found_by_keys_alone(tab):
    tab.keyboard.press("/")
    tab.keyboard.type("tent number")
    tab.wait_for_selector("#found li[role=option]")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    chosen = tab.locator("#found li[aria-selected=true]").get_attribute("data-item")
    assert tab.get_attribute("#query", "aria-activedescendant") == "found-1"
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#card[open]")
    assert chosen in tab.locator("#card dd").first.inner_text()
    tab.keyboard.press("Escape")
    assert tab.locator("#card[open]").count() == 0
    tab.locator("body").click(position={"x": 5, "y": 400})
    tab.keyboard.press("?")
    assert tab.locator("#keys[open]").count() == 1
    tab.keyboard.press("Escape")


def test_everything_can_be_reached_by_tab(tab):
    reached = set()
    for _ in range(60):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"skip", "theme", "help", "user", "random", "query", "title", "code"} <= reached


PHONES = [{"viewport": {"width": width, "height": 740}, "has_touch": True} for width in (320, 390)]


@pytest.mark.parametrize("tab", PHONES, indirect=True, ids=["320", "390"])
def test_nothing_is_wider_than_a_phone(tab):
    for place in ("#/user/u0", "#/tree/0", "#/tree/0/1"):
        tab.evaluate("(place) => { location.hash = place; }", place)
        tab.wait_for_timeout(100)
        tab.evaluate("for (const one of document.querySelectorAll('.why')) one.open = true")
        assert tab.evaluate("document.documentElement.scrollWidth") <= tab.viewport_size["width"]
    tab.evaluate("location.hash = '#/user/u0'")
    tops = [tab.locator(f"[data-model='{name}']").bounding_box()["y"] for name in ("a/first", "second")]
    assert tops[0] < tops[1]  # one under the other


SCHEMES = [{"color_scheme": "light"}, {"color_scheme": "dark"}]
LIGHT = """() => {
  const rgb = getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number);
  return rgb[0] + rgb[1] + rgb[2] > 380;
}"""
CONTRAST = """() => {
  const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data; };
  const light = (c) => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const ground = (node) => { for (; node; node = node.parentElement) {
    const c = rgba(getComputedStyle(node).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255, 255]; };
  return Math.min(...[...document.querySelectorAll('h1,h2,p,button,.score,.code,.badge,.value,label')]
    .filter((node) => node.offsetParent && node.textContent.trim())
    .map((node) => [light(rgba(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x))
    .map(([a, b]) => (a + 0.05) / (b + 0.05)));
}"""


@pytest.mark.parametrize("tab", SCHEMES, indirect=True, ids=["light", "dark"])
def test_light_and_dark_can_be_read_and_changed(tab, request):
    is_light = request.node.callspec.params["tab"]["color_scheme"] == "light"
    for expected in (is_light, not is_light, is_light):
        assert tab.evaluate(LIGHT) == expected
        assert tab.evaluate(CONTRAST) >= 4.5  # WCAG AA for text
        tab.click("#theme")
