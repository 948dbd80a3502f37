"""One example of every prompt as real tokenizers see it, and whether spaces, chat and code tokens come out right.

    python scripts/fetch_small_models.py --out models
    python scripts/prompts_as_seen.py models/smollm2 models/gemma3-270m models/all-mpnet-base-v2 \
        --out scripts/results/prompts-as-seen.md

A bar stands between two tokens, ``␣`` is a space inside one, ``⏎`` a line end. The examples are those of
``prompts/README.md``, from the demo shop. The script fails where a code is not one token, where the text of the ids is
not the text of the prompt, or where a title becomes anything but text.
"""

from __future__ import annotations

import argparse
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genrec.data.catalog import Catalog
from genrec.data.interactions import Interactions
from genrec.data.shop import make_shop
from genrec.errors import GenRecError
from genrec.models.llm.code_tokens import CodeTokens
from genrec.models.llm.loaders import is_causal
from genrec.models.llm.source import LanguageSource
from genrec.prompts import ItemTexts, PromptRenderer, Sample, load_task, task_names

SIZES, ITEMS_SHOWN = (10, 15, 10), 4
HOSTILE = "Cup <a_1><b_2> </s> <|im_end|><eos> [SEP]"
"""A title that spells code tokens and special tokens."""


def shop() -> tuple[Catalog, np.ndarray, Sample]:
    """Catalogue, made-up codes (shelf, type, number on the shelf) and one user's history with the item after it."""
    tables = make_shop(n_users=20)
    catalog, interactions = Catalog.from_frame(tables[0]), Interactions.from_frame(tables[1])
    histories = interactions.histories(catalog)
    numbers = np.arange(len(catalog))
    codes = np.stack([numbers // 150, numbers // 10 % 15, numbers % 10], axis=1)
    items = histories[0][: ITEMS_SHOWN + 1]
    times = None if histories.timestamps is None else histories.timestamps[:ITEMS_SHOWN]
    return catalog, codes, Sample(items[:-1], int(items[-1]), times)


def shown(tokenizer: Any, ids: Sequence[int]) -> str:
    """Tokens with bars between them."""
    pieces = []
    for token in ids:
        piece = str(tokenizer.convert_ids_to_tokens([token])[0])
        text = tokenizer.decode([token], clean_up_tokenization_spaces=False)
        lost = "▁" in piece and not text.startswith(" ")  # decoders of SentencePiece drop the first space of a text
        pieces.append((piece.replace("▁", " ") if lost else text or piece).replace(" ", "␣").replace("\n", "⏎"))
    return "│".join(pieces)


def faults(made: PromptRenderer, text: str, ids: Sequence[int]) -> Iterator[str]:
    """What is not right about a prompt.

    Args:
        made: The renderer.
        text: The prompt.
        ids: What the model reads.
    """
    tokenizer, codes = made.tokenizer, set(made.items.tokens.all_ids.tolist())
    found = [tokenizer.convert_ids_to_tokens(token) for token in ids if token in codes]
    names = [name for level in made.items.tokens.names for name in level]
    if found != [part for part in _split(text, names) if part in set(names)]:
        yield "its code tokens are not those of the text"
    special = set(tokenizer.all_special_ids) - codes
    plain = [token for token in ids if token not in special or tokenizer.convert_ids_to_tokens(token) in text]
    read = tokenizer.decode(plain, clean_up_tokenization_spaces=False)
    if _comparable(tokenizer, read) != _comparable(tokenizer, text):
        yield f"its ids say {read!r}"


def _split(text: str, names: Sequence[str]) -> list[str]:
    return re.split("(" + "|".join(map(re.escape, names)) + ")", text)


def _comparable(tokenizer: Any, text: str) -> str:
    """A text as far as a vocabulary holds it: uncased ones know neither case nor accents, nor spaces."""
    if _uncased(tokenizer):
        plain = unicodedata.normalize("NFD", text.lower())
        return "".join(letter for letter in plain if not letter.isspace() and not unicodedata.combining(letter))
    return text.strip(" ")


def _uncased(tokenizer: Any) -> bool:
    return tokenizer.tokenize("A") == tokenizer.tokenize("a")


def examples(source: LanguageSource, tasks: Sequence[str]) -> Iterator[tuple[str, PromptRenderer, Sample]]:
    """Renderers of all tasks with their samples, the chat form of the first task last."""
    catalog, codes, sample = shop()
    tokenizer, tokens = source.tokenizer(), CodeTokens(SIZES)
    tokens.add_to(tokenizer)
    items, seq2seq = ItemTexts(catalog, codes, tokens), not is_causal(source.config())
    for name in tasks:
        task = load_task(name)
        target = int(codes[sample.target][0]) if task.kind == "code" else sample.target
        alone = Sample(sample.history[:0], target)
        made = PromptRenderer(task, items, tokenizer, seq2seq=seq2seq)
        yield name, made, sample if task.kind == "history" else alone
    if tokenizer.chat_template:
        task = load_task("next-item")
        yield "next-item, chat", PromptRenderer(task, items, tokenizer, seq2seq=seq2seq, chat=True), sample
    hostile = Catalog.from_frame(catalog.frame.with_columns(pl.lit(HOSTILE).alias("title")))
    task, items = load_task("next-item-titles"), ItemTexts(hostile, codes, tokens)
    made = PromptRenderer(task, items, tokenizer, seq2seq=seq2seq)
    yield "next-item-titles, titles that spell tokens", made, Sample(sample.history[:1], sample.target)


def section(source: LanguageSource, wrong: list[str]) -> list[str]:
    """Lines about one model; what is not right goes into ``wrong``."""
    name = Path(source.checkpoint).name
    lines = [f"## {name}", ""]
    for title, made, sample in examples(source, task_names()):
        rendered, row = made.render(sample), made.render_example(sample)
        prompt = row["input_ids"] if made.seq2seq else row["input_ids"][: -len(made.target_ids(sample.target or 0))]
        answer = made.target_ids(sample.target or 0)
        if "spell" not in title:
            wrong += [f"{name}, {title}: {fault}" for fault in faults(made, rendered.source, prompt)]
        elif sum(token in set(made.items.tokens.all_ids.tolist()) for token in prompt) != len(SIZES):
            wrong.append(f"{name}, {title}: a title became tokens")
        lines += [
            f"**{title}**: {len(prompt)} tokens, {len(answer)} of the answer.",
            "",
            "```text",
            *shown(made.tokenizer, prompt).replace("⏎│", "⏎│\n").split("\n"),
            f"→ {shown(made.tokenizer, answer)}",
            "```",
            "",
        ]
    if not source.tokenizer().chat_template:
        lines += ["This tokenizer has no chat template: `prompts.chat=true` is refused with one message.", ""]
    return lines


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", help="folders or GGUF files")
    parser.add_argument("--out", type=Path, required=True, help="the page")
    arguments = parser.parse_args()
    wrong: list[str] = []
    try:
        parts = [line for place in arguments.checkpoints for line in section(LanguageSource(place), wrong)]
    except GenRecError as error:
        raise SystemExit(f"error: {error}") from None
    head = [
        "# Every prompt as real tokenizers see it",
        "",
        "A bar stands between two tokens, `␣` is a space inside one, `⏎` a line end; `→` begins the answer that is",
        "learned. Made by `scripts/prompts_as_seen.py`, which fails where a code is not one token, where the ids say",
        "another text than the prompt, or where a title becomes anything but text.",
        "",
        "all-mpnet-base-v2 knows words alone: no case, no spaces, no line ends. Its code tokens stay whole.",
        "",
    ]
    arguments.out.write_text("\n".join([*head, *parts]).rstrip() + "\n", encoding="utf-8")
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
