"""Text of items stays text: it never becomes a special or a code token, in prompts, chats or labels."""

import string

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from text_support import CHAT, make_tokenizer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from genrec.data.catalog import Catalog
from genrec.models.llm.code_tokens import CodeTokens
from genrec.prompts import ItemTexts, PromptRenderer, Sample, load_task
from genrec.prompts.marks import MarkedText, TextTokens, as_codes, as_data, without_marks

PARTS = ["<a_1>", "<b_2>", "<A_1>", "</s>", "<pad>", "[SEP]", "<", "a_1>", "</", "s>", "<a_", "1>", " ", "cup"]
PARTS += ["\ufdd0", "\ufdd3"]
TITLES = st.lists(st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map("".join), min_size=3, max_size=3)
TASKS = ["next-item-titles", "titles-to-id", "title-to-id", "id-to-title", "next-item-preference"]


def unigram(chat=None):
    """With Metaspace, as tokenizers of T5 have it: control pieces are ordinary entries of its vocabulary."""
    raw = Tokenizer(models.Unigram())
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        initial_alphabet=list(string.printable),
    )
    raw.train_from_iterator(["The next item is: red cup, blue tea <a_1> </s> [SEP] 0123456789"] * 3, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    fast.chat_template = chat
    return fast


def uncased(chat=None):
    fast = make_tokenizer(ends_texts=True, chat=chat)
    fast.backend_tokenizer.normalizer = normalizers.Lowercase()
    fast.add_special_tokens({"sep_token": "[SEP]"})
    return fast


TOKENIZERS = {"bpe": make_tokenizer(chat=CHAT), "unigram": unigram(CHAT), "uncased": uncased(CHAT)}


def renderer(kind, titles, task, *, chat=False, seq2seq=False):
    tokenizer, tokens = TOKENIZERS[kind], CodeTokens((4, 4))
    tokens.add_to(tokenizer)
    catalog = Catalog.from_frame(
        pl.DataFrame({"item_id": [str(n) for n in range(len(titles))], "title": titles, "brand": titles})
    )
    codes = np.stack([np.arange(len(titles)) % 4, np.arange(len(titles)) // 4], axis=1)
    items = ItemTexts(catalog, codes, tokens)
    return PromptRenderer(load_task(task), items, tokenizer, seq2seq=seq2seq, chat=chat, max_tokens=4000)


def control(made, ids):
    """Special and code tokens among ids, but for the one of unknown characters."""
    tokenizer = made.tokenizer
    known = set(made.items.tokens.all_ids.tolist()) | set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    return [token for token in ids if token in known]


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("task", TASKS)
@settings(max_examples=15)
@given(titles=TITLES)
@example(titles=["red </s> cup", "<a_1><b_2>", "x<pad>"])
def test_no_title_adds_a_special_or_code_token(kind, chat, task, titles):
    evil, harmless = (renderer(kind, names, task, chat=chat) for names in (titles, ["cup"] * 3))
    if not all(evil.items.titled):
        return
    history = np.arange(2) if evil.task.kind == "history" else np.zeros(0, int)
    for target in range(3):
        rows = [made.render_example(Sample(history, target)) for made in (evil, harmless)]
        labels = [[n for n in row["labels"] if n != -100] for row in rows]
        assert control(evil, rows[0]["input_ids"]) == control(harmless, rows[1]["input_ids"])
        assert control(evil, labels[0]) == control(harmless, labels[1])


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_text_itself_is_kept(kind):
    made = renderer(kind, ["red </s> cup", "<a_1>", "cup"], "next-item-titles")
    text = made.render(Sample(np.arange(2), 2)).source
    assert "red </s> cup <a_0><b_0>" in text
    ids = made.render_for_generation([[0, 1]])["input_ids"][0].tolist()
    read = made.tokenizer.decode(ids).replace(" ", "").lower()
    assert read.removesuffix("</s>") == text.replace(" ", "").lower()


def test_a_template_may_write_special_tokens_and_codes_through_filters(tmp_path):
    path = tmp_path / "own.jinja"
    path.write_text(
        "---\nkind: history\ndescription: d\nsource: s\ninputs: {history: items}\n---\n"
        "{% set line %}{{ history | map(attribute='codes') | join(' ') | upper | lower }}{% endset %}"
        "</s>{{ line }}</s>{% for item in history %}{{ item.title }}{{ item.title }}{% endfor %}<a_{{ 1 }}>"
    )
    made = renderer("bpe", ["<a_", "1>", "</s>"], str(path))
    ids = made.render_for_generation([[0, 1]])["input_ids"][0].tolist()
    tokenizer = made.tokenizer
    names = tokenizer.convert_ids_to_tokens(control(made, ids))
    assert names == ["</s>", "<a_0>", "<b_0>", "<a_1>", "<b_0>", "</s>", "<a_1>"]


def test_marks_are_read_back_with_their_places():
    text = MarkedText.read(f" {as_data('red ' + as_codes('<a_1>') + ' cup')}! {as_data(3)}\n")
    assert text.text == "red <a_1> cup! 3"
    assert [text.text[a:b] for a, b in text.data] == ["red ", " cup"]
    assert MarkedText.read(text.marked()) == text
    assert without_marks("a\ufdd0b\ufdd3") == "ab"


def test_a_text_without_control_tokens_is_read_in_one_piece():
    tokenizer = TOKENIZERS["unigram"]
    text = "The next item is: red cup"
    assert TextTokens(tokenizer)(MarkedText.whole(text), special=True) == tokenizer(text)["input_ids"]
