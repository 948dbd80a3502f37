"""White space around code tokens is read as it is written, by every kind of tokenizer; codes stay whole."""

import string

import numpy as np
import pytest
from text_support import make_tokenizer
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import (
    AutoTokenizer,
    DebertaV2Tokenizer,
    MBartTokenizer,
    PegasusTokenizer,
    PreTrainedTokenizerFast,
    T5Tokenizer,
    XLMRobertaTokenizer,
)

from genrec.models.llm.code_tokens import CodeTokens
from genrec.prompts.marks import MarkedText, TextTokens

TEXTS = (
    "A first: <a_1><b_0>, <a_0><b_2>\nRed cup <a_2><b_1>\nthe next:",
    "<a_1><b_0>",
    "<a_1> <b_0>",
    "ID: <a_1> cups, and <b_2>; <b_1>!",
    " <a_1>, <b_1>",
    "no code at all, two  spaces",
)


def pieces():
    words = ["▁", "▁first", "▁the", "▁Red", "▁cup", "s", "▁A", ":", ",", "▁next"]
    letters = [letter for letter in string.printable if letter.strip() and letter not in words]
    names = ["<pad>", "</s>", "<unk>", "<s>", "[CLS]", "[SEP]", "[PAD]", "[UNK]", *words, *letters]
    return [(name, 0.0 if n < 8 else -3.0 if len(name) > 1 else -6.0) for n, name in enumerate(names)]


def llama2():
    """Byte-pair pieces whose normalizer puts the space in front, as old tokenizers of Llama have it."""
    vocabulary = {name: n for n, (name, _) in enumerate(pieces())}
    raw = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", fuse_unk=True))
    raw.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


MAKERS = {
    "t5": lambda: T5Tokenizer(vocab=pieces()),
    "xlm-roberta": lambda: XLMRobertaTokenizer(vocab=pieces()),
    "deberta-v2": lambda: DebertaV2Tokenizer(vocab=pieces()),
    "pegasus": lambda: PegasusTokenizer(vocab=pieces()),
    "mbart": lambda: MBartTokenizer(vocab=pieces()),
    "llama-2": llama2,
    "bytes": make_tokenizer,
}


def read(tokenizer, text):
    """Token ids without special tokens, and the text that they say."""
    tokens = CodeTokens((3, 3))
    tokens.add_to(tokenizer)
    ids = TextTokens(tokenizer)(MarkedText(text), special=False)
    names = tokenizer.convert_ids_to_tokens(ids)
    said = "".join(name if name.startswith("<") and len(name) > 1 else name.replace("▁", " ") for name in names)
    return ids, said if "▁" in tokenizer.get_vocab() else tokenizer.decode(ids)


@pytest.mark.parametrize("kind", sorted(set(MAKERS) - {"llama-2"}))
@pytest.mark.parametrize("text", TEXTS)
def test_a_prompt_says_what_is_written(kind, text):
    tokenizer = MAKERS[kind]()
    ids, said = read(tokenizer, text)
    codes = CodeTokens((3, 3))
    codes.add_to(tokenizer)
    assert np.isin(ids, codes.all_ids).sum() == text.count("_")
    # these pieces have one kind of space, and stand after one where a text begins
    assert said.removeprefix(" ") == (text.removeprefix(" ") if kind == "bytes" else " ".join(text.split()))


@pytest.mark.parametrize("kind", ["t5", "xlm-roberta", "pegasus", "llama-2"])
def test_no_space_comes_after_a_code_and_none_goes_before_one(kind):
    tokenizer = MAKERS[kind]()
    ids, _ = read(tokenizer, "cup: <a_1><b_0>, <a_0><b_2>")
    names = tokenizer.convert_ids_to_tokens(ids)
    assert names[-7:] == [":", "▁", "<a_1>", "<b_0>", ",", "▁", "<a_0>", "<b_2>"][-7:]


@pytest.mark.parametrize("kind", ["t5", "xlm-roberta", "mbart"])
def test_special_tokens_stand_where_the_tokenizer_puts_them(kind):
    tokenizer = MAKERS[kind]()
    CodeTokens((3, 3)).add_to(tokenizer)
    text = "Red cup <a_1><b_0>, the next"
    made = TextTokens(tokenizer)
    inside, whole = made(MarkedText(text), special=False), made(MarkedText(text), special=True)
    plain = tokenizer("Red cup")["input_ids"]
    begin, end = (1 if kind == "xlm-roberta" else 0), (2 if kind == "mbart" else 1)
    assert whole == [*plain[:begin], *inside, *plain[-end:]]


def test_text_without_codes_is_read_as_the_tokenizer_reads_it():
    for make in MAKERS.values():
        tokenizer = make()
        for text in ("Red cup, the next:", "first\nthe", "a"):
            assert TextTokens(tokenizer)(MarkedText(text), special=True) == tokenizer(text)["input_ids"]


def test_code_tokens_of_uncased_tokenizers_stay_whole_also_when_they_are_loaded(tmp_path):
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    ids, _ = read(tokenizer, "Red CUP <a_1><b_0>")
    tokenizer.save_pretrained(tmp_path)
    again, _ = read(AutoTokenizer.from_pretrained(tmp_path), "Red CUP <a_1><b_0>")
    assert ids == again
    assert tokenizer.convert_ids_to_tokens(ids)[-2:] == ["<a_1>", "<b_0>"]
