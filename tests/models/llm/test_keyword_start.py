"""TS-Rec: rows of code tokens start from words that the items of a code have in common (arXiv 2602.22632)."""

import numpy as np
import torch
from language_support import make_network, make_tokenizer

from genrec.models.llm.code_rows import RowStart, add_code_rows
from genrec.models.llm.code_tokens import CodeTokens

TEXTS = (("red cup", "blue tea", "", "red tent lamp"), ("lamp", "lamp", "tea"))


def started(texts, seed=0):
    """Rows of every level after :func:`add_code_rows`, and the rows of words."""
    tokenizer, tokens = make_tokenizer(), CodeTokens((4, 3))
    model = make_network("llama", len(tokenizer))
    words = model.model.embed_tokens.weight.detach().clone()
    add_code_rows(model, tokenizer, tokens, RowStart(code_texts=texts, seed=seed))
    table = model.model.embed_tokens.weight.detach()
    return [table[torch.from_numpy(ids)] for ids in tokens.ids], words, tokenizer


def test_a_row_is_the_mean_of_its_words_moved_and_scaled():
    (first, second), words, tokenizer = started(TEXTS)
    means = torch.stack([words[tokenizer(text)["input_ids"]].mean(0) for text in (TEXTS[0][n] for n in (0, 1, 3))])
    wanted = (means - means.mean(0)) / (means - means.mean(0)).std()
    spread = float((words - words.mean(0)).std())
    torch.testing.assert_close(first[[0, 1, 3]], words.mean(0) + spread * wanted, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(second[0], second[1])  # the same words, the same row
    assert not torch.allclose(second[0], second[2])


def test_codes_that_share_words_start_near_each_other():
    (first, _), _, _ = started(TEXTS)
    centred = first - first.mean(0)
    near, far = (float(torch.cosine_similarity(centred[0], centred[n], dim=0)) for n in (3, 1))
    assert near > far


def test_a_code_without_words_is_random_and_depends_on_the_seed():
    (first, _), _, _ = started(TEXTS)
    (other, _), _, _ = started(TEXTS, seed=1)
    assert np.isfinite(first.numpy()).all()
    assert torch.equal(first[0], other[0])
    assert not torch.equal(first[2], other[2])
