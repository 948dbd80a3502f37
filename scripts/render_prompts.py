"""Write the rendered prompt of every task into prompts/README.md, from the demo shop.

    python scripts/render_prompts.py            # writes
    python scripts/render_prompts.py --print    # shows

The codes are made up (shelf, type, number on the shelf); everything else is what training renders.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from genrec.data.catalog import Catalog
from genrec.data.interactions import Interactions
from genrec.data.shop import make_shop
from genrec.models.llm.code_tokens import CodeTokens
from genrec.prompts import ItemTexts, PromptRenderer, Sample, load_task, task_names

README = Path(__file__).resolve().parent.parent / "prompts" / "README.md"
MARK = "<!-- Everything below is written by scripts/render_prompts.py. -->\n"
SIZES = (10, 15, 10)
ITEMS_SHOWN = 4


def render() -> str:
    """All tasks as Markdown."""
    tables = make_shop(n_users=20)
    catalog, interactions = Catalog.from_frame(tables[0]), Interactions.from_frame(tables[1])
    histories = interactions.histories(catalog)
    numbers = np.arange(len(catalog))
    codes = np.stack([numbers // 150, numbers // 10 % 15, numbers % 10], axis=1)
    items = ItemTexts(catalog, codes, CodeTokens(SIZES))
    history, times = histories[0][: ITEMS_SHOWN + 1], histories.timestamps
    parts = []
    for name in task_names():
        task = load_task(name)
        made = PromptRenderer(task, items, None, seq2seq=False)
        target = int(history[-1])
        if task.kind == "code":
            target = int(codes[target][0])
        about_one = Sample(history[:0], target)
        about_user = Sample(history[:-1], target, None if times is None else times[:ITEMS_SHOWN])
        prompt = made.source(about_user if task.kind == "history" else about_one)
        parts.append(
            f"### {name}\n\n{task.description.strip()}\nSource: {_linked(task.source)}. Answer: {task.target}.\n\n"
            f"```text\n{prompt}\n```\n\n```text\n→ {made.targets[target]}\n```\n"
        )
    return "\n".join(parts)


def _linked(source: str) -> str:
    """``https://… (NAME), …`` as Markdown links."""
    links = []
    for part in source.strip().split(", "):
        url, _, name = part.partition(" ")
        links.append(f"[{name.strip('()')}]({url})")
    return ", ".join(links)


def page(before: str) -> str:
    """The page with everything below the mark written anew."""
    return before.partition(MARK)[0] + MARK + "\n" + render()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="show instead of writing")
    if parser.parse_args().print:
        print(render())
    else:
        README.write_text(page(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
