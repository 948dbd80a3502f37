"""A GGUF file is a checkpoint as any folder: loaded as plain weights, trained, merged, saved, loaded."""

import numpy as np
import pytest
import torch
from language_support import build, first_scores, fit, prompts
from transformers import AutoModelForCausalLM

from genrec.errors import ConfigError, MissingExtraError, ModelError
from genrec.models import load_model
from genrec.models.llm.source import LanguageSource

gguf = pytest.importorskip("gguf")
pytest.importorskip("peft")
WIDTH, HEADS, KEYS, INNER, LAYERS = 32, 4, 2, 64, 2
WORDS = ["<pad>", "</s>", *(chr(n) for n in range(33, 127)), "Ġ", "th", "the", "ne", "ite", "Ġi"]
MERGES = ["t h", "th e", "n e", "Ġ i"]


def write_gguf(path, quantized=False, layers=LAYERS, width=WIDTH):
    """A Qwen 2 decoder of two layers with random weights; returns them by name. The header says what it is told."""
    writer, rng, sent = gguf.GGUFWriter(path, "qwen2"), np.random.default_rng(0), {}
    writer.add_context_length(256)
    writer.add_block_count(layers)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEYS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(WORDS)
    writer.add_token_types([3, 3] + [1] * (len(WORDS) - 2))
    writer.add_token_merges(MERGES)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(0)

    def add(name, *shape):
        values = rng.normal(size=shape).astype(np.float32) * (1.0 if len(shape) == 1 else 0.3)
        sent[name] = values
        if quantized and len(shape) == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)

    side = WIDTH * KEYS // HEADS
    add("token_embd.weight", len(WORDS), WIDTH)
    add("output.weight", len(WORDS), WIDTH)
    add("output_norm.weight", WIDTH)
    for n in range(LAYERS):
        for part, size in (("q", WIDTH), ("k", side), ("v", side)):
            add(f"blk.{n}.attn_{part}.weight", size, WIDTH)
            add(f"blk.{n}.attn_{part}.bias", size)
        add(f"blk.{n}.attn_output.weight", WIDTH, WIDTH)
        add(f"blk.{n}.ffn_gate.weight", INNER, WIDTH)
        add(f"blk.{n}.ffn_up.weight", INNER, WIDTH)
        add(f"blk.{n}.ffn_down.weight", WIDTH, INNER)
        add(f"blk.{n}.attn_norm.weight", WIDTH)
        add(f"blk.{n}.ffn_norm.weight", WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sent


@pytest.mark.parametrize("quantized", [False, True])
def test_a_file_is_trained_merged_saved_and_loaded(quantized, tmp_path):
    path = tmp_path / "tiny.gguf"
    sent = write_gguf(path, quantized)
    model = build(path)
    table = model.base.get_input_embeddings().weight[: len(WORDS)]
    torch.testing.assert_close(
        table, torch.from_numpy(sent["token_embd.weight"]), atol=0.02 if quantized else 0, rtol=0
    )
    assert getattr(model.base, "hf_quantizer", None) is None
    losses = fit(model)
    assert losses[-1] < losses[0]
    scores = first_scores(model, *prompts(model))
    model.save_pretrained(tmp_path / "adapter")
    torch.testing.assert_close(first_scores(load_model(tmp_path / "adapter"), *prompts(model)), scores)
    model.merge()
    model.save_pretrained(tmp_path / "merged")
    torch.testing.assert_close(
        first_scores(load_model(tmp_path / "merged"), *prompts(model)), scores, atol=1e-4, rtol=0
    )
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged" / "language_model")
    assert not hasattr(plain.config, "quantization_config")


def test_a_folder_with_one_file_is_that_file_and_its_fingerprint_is_of_the_weights(tmp_path):
    write_gguf(tmp_path / "tiny.gguf", False)
    by_folder, by_file = LanguageSource(str(tmp_path)), LanguageSource(str(tmp_path / "tiny.gguf"))
    assert by_folder.gguf == by_file.gguf == tmp_path / "tiny.gguf"
    assert by_folder.fingerprint() == by_file.fingerprint()
    before, content = by_file.fingerprint(), bytearray((tmp_path / "tiny.gguf").read_bytes())
    content[-1] ^= 1
    (tmp_path / "tiny.gguf").write_bytes(content)
    assert by_file.fingerprint() != before


def test_any_damage_is_one_message(tmp_path):
    path = tmp_path / "tiny.gguf"
    write_gguf(path, True)
    whole = path.read_bytes()
    damaged = [whole[:length] for length in (0, 3, 30, 700, 2000, len(whole) - 2000)]
    for key in (b"qwen2.block_count", b"tokenizer.ggml.merges", b"tokenizer.ggml.tokens", b"blk.1.attn_q.weight"):
        place = whole.index(key) - 3  # of eight bytes that say how long the name is
        damaged.append(whole[:place] + b"\xff" + whole[place + 1 :])

    def read():
        source = LanguageSource(str(path))
        return source.tokenizer(), source.model()

    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ModelError, match="transformers cannot load this model"):
            read()


def test_a_path_without_a_model_says_what_is_there(tmp_path):
    for name in ("a-q4.gguf", "a-q8.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(ConfigError, match=r"2 GGUF files here; name one of them: a-q4.gguf, a-q8.gguf"):
        LanguageSource(str(tmp_path)).config()
    (tmp_path / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match="This file holds no language model"):
        LanguageSource(str(tmp_path / "weights.safetensors")).config()


def test_what_cannot_be_read_says_why(tmp_path, monkeypatch):
    write_gguf(tmp_path / "tiny.gguf", False)
    with pytest.raises(ConfigError, match="not quantized again"):
        LanguageSource(str(tmp_path / "tiny.gguf"), quantize="4bit").model()
    monkeypatch.setattr("genrec.models.llm.gguf.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"genrec\[gguf\]"):
        LanguageSource(str(tmp_path / "tiny.gguf")).model()


@pytest.mark.parametrize("said", [{"layers": 50_000}, {"width": 10**6}])
def test_a_header_that_promises_more_than_the_tensors_hold_is_refused_before_anything_is_built(said, tmp_path):
    path = tmp_path / "large.gguf"
    write_gguf(path, **said)
    with pytest.raises(ModelError, match="The header of this GGUF file says"):
        LanguageSource(str(path)).model()
