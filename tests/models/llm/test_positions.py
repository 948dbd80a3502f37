"""Prompts that are longer than a model reads lose their oldest items, or are refused before training."""

import numpy as np
import pytest
import torch
from language_support import make_tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    BartConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LEDConfig,
    LlamaConfig,
    OPTConfig,
)

from genrec.data import Interactions
from genrec.errors import DataError
from genrec.generative.config import load_train_config
from genrec.models.llm.positions import longest_input, reads_answers
from genrec.training.train import train

pytest.importorskip("peft")
IDS = {"vocab_size": 60, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 3}
SIZE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SMALL = [
    "model.llm.lora.r=2",
    "model.max_items=12",
    "prompts.rows_per_epoch=16",
    "validation.users=6",
    "validation.beams=4",
    "trainer.num_train_epochs=1",
    "trainer.per_device_train_batch_size=8",
]


def network(kind, positions):
    torch.manual_seed(0)
    if kind == "gpt2":
        return GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=positions, **IDS))
    if kind == "opt":
        config = OPTConfig(**SIZE, ffn_dim=16, word_embed_proj_dim=16, max_position_embeddings=positions, **IDS)
    elif kind == "llama":
        config = LlamaConfig(**SIZE, intermediate_size=16, max_position_embeddings=positions, **IDS)
    else:
        sizes = {f"{part}_{name}": 1 for part in ("encoder", "decoder") for name in ("layers", "attention_heads")}
        sizes |= {"d_model": 16, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "decoder_start_token_id": 1}
        return AutoModelForSeq2SeqLM.from_config(BartConfig(**sizes, max_position_embeddings=positions, **IDS))
    return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize(("kind", "expected"), [("gpt2", 40), ("opt", 40), ("bart", 40), ("llama", 300)])
def test_the_longest_input_is_found_by_trying(kind, expected):
    model = network(kind, 40).eval()
    assert longest_input(model, 300) == expected
    assert longest_input(model, 20) == 20
    assert reads_answers(model, 30)
    assert reads_answers(model, 50) == (kind != "bart")


@pytest.fixture(scope="module")
def interactions(tables):
    return Interactions.read(tables[1])


def config(folder, kind, *more):
    preset = "llm-seq2seq-lora" if kind == "bart" else "llm-decoder-lora"
    return load_train_config(preset, [f"model.checkpoint={folder}", *SMALL, *more])


@pytest.mark.parametrize("kind", ["gpt2", "bart"])
def test_long_prompts_are_cut_in_training_and_recommending(kind, tiny_index, interactions, tmp_path, caplog):
    network(kind, 40).save_pretrained(tmp_path / "base")
    make_tokenizer().save_pretrained(tmp_path / "base")
    made = train(tiny_index, interactions, config(tmp_path / "base", kind), tmp_path / "out")
    assert "reads 40 tokens at most" in caplog.text
    ids = tiny_index.item_ids
    long, short = [str(ids[n]) for n in range(12)], [str(ids[n]) for n in range(2, 12)]
    known = made.to_histories([long]).last(12)
    read = made.model.reader(made.index, made.config)(known)["input_ids"]
    assert read.shape[1] <= 40
    found = made.score_items([long, short[-3:]])
    assert np.isfinite(found).all()
    again = type(made).from_pretrained(tmp_path / "out")
    np.testing.assert_allclose(again.score_items([long]), found[:1], atol=1e-4)


def test_a_prompt_that_never_fits_is_refused_before_training(tiny_index, interactions, tmp_path):
    network("gpt2", 14).save_pretrained(tmp_path / "base")
    make_tokenizer().save_pretrained(tmp_path / "base")
    with pytest.raises(DataError, match="does not fit"):
        train(tiny_index, interactions, config(tmp_path / "base", "gpt2"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_answers_longer_than_the_decoder_are_refused_before_training(tables, tiny_index, interactions, tmp_path):
    model = network("bart", 300)
    table = model.model.decoder.embed_positions
    table.weight = torch.nn.Parameter(table.weight[:6].detach().clone())
    assert not reads_answers(model.eval(), 300)
    # a network whose decoder has fewer positions than a title has tokens
    config_of = LEDConfig(
        **{"d_model": 16, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "attention_window": 8},
        **{f"{part}_{name}": 1 for part in ("encoder", "decoder") for name in ("layers", "attention_heads")},
        **{"max_encoder_position_embeddings": 300, "max_decoder_position_embeddings": 3, "decoder_start_token_id": 1},
        **IDS,
    )
    AutoModelForSeq2SeqLM.from_config(config_of).save_pretrained(tmp_path / "base")
    make_tokenizer().save_pretrained(tmp_path / "base")
    tasks = "tasks=[{prompt: next-item}, {prompt: id-to-title}]"
    with pytest.raises(DataError, match=r"id-to-title.*decoder has fewer positions"):
        train(tiny_index, interactions, config(tmp_path / "base", "bart", tasks), tmp_path / "out")
