"""The folder of a decoder is a sentence model, too: the mean over the states of its tokens, or the last one."""

import numpy as np
import polars as pl
import pytest
import torch
from language_support import save_checkpoint
from transformers import AutoTokenizer, LlamaForCausalLM

from genrec.data.catalog import Catalog
from genrec.encoders import build_encoder

pytest.importorskip("sentence_transformers")


@pytest.mark.parametrize("pooling", ["mean", "last", None])
def test_a_decoder_gives_the_mean_of_its_states_or_the_last(pooling, tmp_path, monkeypatch):
    monkeypatch.setenv("GENREC_CACHE", "off")
    folder = save_checkpoint(tmp_path / "llama", "llama")
    titles = ["red cup", "blue tea lamp item next", "tent", ""]
    catalog = Catalog.from_frame(pl.DataFrame({"item_id": list("abcd"), "title": titles}))
    encoder = build_encoder({"name": "sentence", "model": str(folder), "device": "cpu", "pooling": pooling})
    encoder.fit(catalog)
    found = encoder.encode(catalog)
    network, tokenizer = LlamaForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for row, text in enumerate(encoder.texts(catalog)[:3]):
        assert titles[row] in text
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            states = network.model(input_ids=ids).last_hidden_state[0]
        vector = states.mean(0) if pooling == "mean" else states[-1]
        np.testing.assert_allclose(found[row], vector / vector.norm(), atol=1e-5)
    assert not found[3].any()
