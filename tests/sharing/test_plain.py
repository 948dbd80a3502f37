"""A plain folder says to transformers alone what the recommender says."""

import json

import numpy as np
import pytest
import torch
from language_support import save_checkpoint
from networks import recommender as of_codes
from transformers import AutoModelForCausalLM, AutoTokenizer

from genrec.data import Interactions
from genrec.errors import ModelError
from genrec.generative.config import load_train_config
from genrec.index.imported import index_from_codes, read_codes
from genrec.sharing.plain import export_plain
from genrec.training.train import train


def test_transformers_alone_gives_the_same_scores(tables, tiny_index, tmp_path):
    settings = [
        f"model.checkpoint={save_checkpoint(tmp_path / 'lm', 'qwen3')}",
        *("model.llm.lora.r=2", "model.max_items=4", "prompts.rows_per_epoch=8", "validation.users=2"),
        *("validation.beams=2", "trainer.num_train_epochs=1", "trainer.learning_rate=0.05"),
        *("trainer.per_device_train_batch_size=4", "trainer.warmup_steps=0", "tasks=[{prompt: next-item}]"),
    ]
    interactions = Interactions.read(tables[1])
    made = train(tiny_index, interactions, load_train_config("llm-decoder-lora", settings), tmp_path / "model")
    with pytest.raises(ModelError, match="adapter is not in the weights"):
        export_plain(made, tmp_path / "plain")
    assert not (tmp_path / "plain").exists()
    made.merge()
    export_plain(made, tmp_path / "plain")
    history = made.to_histories([tiny_index.item_ids[:3].tolist()])
    options = {"normalize": "vocabulary", "words": 0.0, "prior": None}
    found = made.recommend(history, 4, options=options)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "plain").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "plain")
    codes = json.loads((tmp_path / "plain" / "codes.json").read_text())
    prompt = made.model.reader(made.index, made.config)(history)["input_ids"]
    for item, score in zip(found.item_ids[0], found.scores[0], strict=True):
        answer = torch.tensor([tokenizer.convert_tokens_to_ids(codes[item])])
        with torch.no_grad():
            logits = plain(torch.cat([prompt, answer], dim=1)).logits.log_softmax(-1)
        said = logits[0, prompt.shape[1] - 1 : -1].gather(1, answer.T).sum()
        assert float(said) == pytest.approx(float(score), abs=1e-3)
    again = index_from_codes(tiny_index.catalog, read_codes(tmp_path / "plain" / "codes.json"))
    np.testing.assert_array_equal(again.codes, tiny_index.codes)


def test_networks_over_codes_have_none(tmp_path):
    with pytest.raises(ModelError, match="no language model"):
        export_plain(of_codes("item-decoder"), tmp_path / "plain")
    assert list(tmp_path.iterdir()) == []
