"""Draws the pictures of docs/page.md with an installed chromium, from a page that `genrec page` wrote.

genrec demo --out runs/demo
genrec baseline item-knn runs/demo/data/items.jsonl runs/demo/data/interactions.csv --out runs/item-knn
genrec page runs/demo/model runs/item-knn --histories runs/demo/data/interactions.csv --hold-out 1 --out page.html
python scripts/page_pictures.py page.html
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "docs" / "images"
PICTURES = {
    "page-desktop": ((1280, 860), "light", "", "w"),
    "page-phone": ((390, 780), "light", "", ""),
    "page-dark": ((1280, 700), "dark", "", ""),
    "page-tree": ((1280, 640), "light", "#/tree/0/53", ""),
}
"""Window, colour scheme, place in the page, and key pressed there, by name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--user", default="u0011")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, ((width, height), scheme, place, key) in PICTURES.items():
            tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            tab.goto(f"{options.page.resolve().as_uri()}{place or f'#/user/{options.user}'}")
            tab.wait_for_selector("#children li" if place else "#lists .card")
            if key:
                tab.keyboard.press(key)
            tab.wait_for_timeout(400)
            picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB").quantize(128)
            picture.save(options.out / f"{name}.png", optimize=True)
            print(options.out / f"{name}.png", (options.out / f"{name}.png").stat().st_size)
        browser.close()


if __name__ == "__main__":
    main()
