"""Code tokens: one piece each, in every kind of tokenizer."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from genrec.errors import ModelError
from genrec.models.llm.code_tokens import CodeTokens


def lower_casing_tokenizer():
    words = {word: n for n, word in enumerate(["<pad>", "<unk>", "red", "cup", "<", "a", "_", "1", ">"])}
    raw = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", unk_token="<unk>")


def test_code_tokens_are_one_piece_and_adding_twice_changes_nothing():
    tokenizer, tokens = lower_casing_tokenizer(), CodeTokens((3, 2))
    tokens.add_to(tokenizer)
    size = len(tokenizer)
    again = CodeTokens((3, 2))
    again.add_to(tokenizer)
    assert len(tokenizer) == size == 9 + 5
    assert tokens.all_ids.tolist() == again.all_ids.tolist() == list(range(9, 14))
    text = f"Red cup {tokens.text([1, 0])} cup{tokens.text([2, 1])}"
    ids = tokens.ids_of(np.array([[1, 0], [2, 1]]))
    assert tokenizer(text)["input_ids"] == [2, 3, *ids[0], 3, *ids[1]]
    assert tokenizer.decode(ids[0]).replace(" ", "") == "<a_1><b_0>"


def test_ids_have_the_shape_of_the_codes():
    tokens = CodeTokens((3, 2))
    with pytest.raises(ModelError, match="no ids yet"):
        tokens.ids_of(np.zeros((1, 2), dtype=int))
    tokens.add_to(lower_casing_tokenizer())
    assert tokens.ids_of(np.zeros((4, 5, 2), dtype=int)).shape == (4, 5, 2)
    with pytest.raises(ModelError, match="shape"):
        tokens.ids_of(np.zeros((4, 3), dtype=int))
