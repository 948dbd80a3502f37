"""Draws docs/images/house.svg: the floors of the package and what imports what, from the real imports.

python scripts/draw_house.py          writes the picture
python scripts/draw_house.py --check  says whether it is out of date, for the tests
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "images" / "house.svg"
WIDTH, ROW, BOX, GAP, LEFT = 1120, 92, 46, 14, 190
SHELF, ABREAST = 58, 7
"""Where more rooms are on a floor than can stand abreast, they stand on several shelves, so far apart."""
LETTER = 0.68
"""Width of a bold letter, for one of its size, in the widest fonts that browsers take."""
LABELS = ("data", "codes", "", "networks", "search", "recommenders", "", "", "", "learning", "measuring", "people")


def floors() -> tuple[tuple[str, ...], ...]:
    """The floors, from the test that guards them."""
    tree = ast.parse((ROOT / "tests" / "test_layout.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FLOORS":
            return ast.literal_eval(node.value)
    raise SystemExit("tests/test_layout.py has no FLOORS")


def room(path: Path) -> str:
    """The part of the package that a file belongs to."""
    return path.relative_to(ROOT / "genrec").with_suffix("").parts[0]


def arrows() -> tuple[set[tuple[str, str]], set[str]]:
    """Which room imports from which other, and all rooms."""
    found: set[tuple[str, str]] = set()
    rooms: set[str] = set()
    for path in sorted((ROOT / "genrec").rglob("*.py")):
        own = room(path)
        if own == "__init__":
            continue
        rooms.add(own)
        targets = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("genrec"):
                parts = node.module.split(".")
                targets |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        for target in targets - {own}:
            found.add((own, target))
    return found, rooms


def essential(found: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Arrows that no chain of other arrows says: the picture stays readable, and nothing is lost."""
    below: dict[str, set[str]] = {}

    def reached(name: str) -> set[str]:
        if name not in below:
            direct = {target for own, target in found if own == name}
            below[name] = direct.union(*(reached(target) for target in direct))
        return below[name]

    return sorted(
        (own, target)
        for own, target in found
        if not any(target in reached(between) for start, between in found if start == own and between != target)
    )


def picture() -> str:
    """The drawing as SVG."""
    levels = floors()
    found, rooms = arrows()
    shelves = [[name for name in names if name in rooms and name != "__main__"] for names in levels]
    stacked = [[there[at : at + ABREAST] for at in range(0, len(there), ABREAST)] for there in shelves]
    height = ROW * len(levels) + SHELF * sum(len(rows) - 1 for rows in stacked if rows) + 40
    place: dict[str, tuple[float, float, float]] = {}
    middle = (LEFT + WIDTH - 20) / 2
    boxes = []
    bottom = height - 30.0
    for number, rows in enumerate(stacked):
        y = bottom - ROW + (ROW - BOX) / 2
        for there in reversed(rows):
            width = min(150.0, (WIDTH - LEFT - 20 - GAP * (len(there) - 1)) / max(len(there), 1))
            for at, name in enumerate(there):
                x = middle - (len(there) * (width + GAP) - GAP) / 2 + at * (width + GAP)
                place[name] = (x, y, width)
                size = min(14, int((width - 10) / len(name) / LETTER))
                boxes.append(
                    f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{BOX}" rx="7"/>'
                    f'<text x="{x + width / 2:.0f}" y="{y + 28:.0f}" class="name" font-size="{size}">{name}</text>'
                )
            y -= SHELF
        if number < len(LABELS) and LABELS[number]:
            middle_y = y + SHELF + (len(rows) - 1) * SHELF / 2 + 29
            boxes.append(f'<text x="{LEFT - 24}" y="{middle_y:.0f}" class="floor">{LABELS[number]}</text>')
        bottom = y + SHELF - (ROW - BOX) / 2
    lines = []
    floor = {name: number for number, names in enumerate(levels) for name in names}
    down = {pair for pair in found if floor[pair[0]] > floor.get(pair[1], 99)}
    for own, target in essential(down):
        if own in place and target in place:
            (x1, y1, w1), (x2, y2, w2) = place[own], place[target]
            start, stop = x1 + w1 / 2, x2 + w2 / 2
            half = (y1 + BOX + y2) / 2
            lines.append(
                f'<path d="M{start:.0f},{y1 + BOX:.0f} C{start:.0f},{half:.0f} {stop:.0f},{half:.0f} '
                f'{stop:.0f},{y2:.0f}" '
                'stroke-width="1.6"/>'
            )
    style = (
        "rect{fill:#eef2ff;stroke:#4f46e5;stroke-width:1.2}"
        ".name{font-weight:600;font-family:sans-serif;text-anchor:middle;fill:#1e1b4b}"
        ".floor{font:600 15px sans-serif;text-anchor:end;fill:#475569}"
        "path{fill:none;stroke:#94a3b8;stroke-opacity:.8}.page{fill:#ffffff;stroke:none}"
    )
    title = "The floors of genrec: each part imports only from those below"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n"
        f'<rect class="page" width="{WIDTH}" height="{height}"/>\n' + "\n".join([*lines, *boxes]) + "\n</svg>\n"
    )


def main() -> None:
    """Write the picture, or say that it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    text = picture()
    if parser.parse_args().check:
        if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text:
            sys.exit("docs/images/house.svg is out of date; run python scripts/draw_house.py")
        return
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
