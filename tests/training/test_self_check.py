"""Before training: families are decoded in the fastest way that is right, or refused with the reason."""

import numpy as np
import pytest
import torch
import transformers
from language_support import build, catalogue, fit, make_tokenizer, save_checkpoint, trie

from genrec.data.histories import Histories
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.exact import score_items
from genrec.errors import ModelError
from genrec.models import load_model
from genrec.models.hf.whole_rows import decoder_start
from genrec.training.self_check import check_language_model

pytest.importorskip("peft")
IDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 3}
SIZE = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
HEADS = {"num_key_value_heads": 2, "head_dim": 8}
T5 = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0}
STACKS = {f"{part}_{name}": 2 for part in ("encoder", "decoder") for name in ("layers", "attention_heads")}
GATED = {f"linear_{name}": 8 if name.endswith("dim") else 2 for name in ("key_head_dim", "value_head_dim")}
GATED |= {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "layer_types": ["linear_attention", "full_attention"]}
GEMMA = {**SIZE, **HEADS, "query_pre_attn_scalar": 8, "sliding_window": 16}
BERT = {**SIZE, **IDS, "model_type": "bert"}
GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2}

# name: configuration, its fields, the way that is found, whether training goes through the model's own logits
FAMILIES = {
    "hybrid": ("Qwen3_5TextConfig", {**SIZE, **HEADS, **GATED}, "rows", False),
    "mamba": ("MambaConfig", {"hidden_size": 16, "state_size": 4, "num_hidden_layers": 2}, "rows", False),
    "no sdpa": ("BloomConfig", {"hidden_size": 16, "n_layer": 2, "n_head": 2}, "rows", False),
    "two windows": ("Gemma2Config", GEMMA, "shared", False),
    "window by another name": (
        "GPTNeoConfig",
        {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "window_size": 8, "attention_types": [[["local"], 2]]},
        "shared",
        False,
    ),
    "recurrent": ("RwkvConfig", {"hidden_size": 16, "num_hidden_layers": 2}, "whole", None),
    "head with a bias": ("GPTJConfig", {**GPT, "rotary_dim": 4}, "shared", False),
    "decoder with a table of its own": (
        "T5GemmaConfig",
        {"encoder": {**GEMMA, **IDS}, "decoder": {**GEMMA, **IDS, "cross_attention_hidden_size": 16}},
        "rows",
        False,
    ),
    "two networks put together": (
        "EncoderDecoderConfig",
        {"encoder": BERT, "decoder": {**BERT, "is_decoder": True, "add_cross_attention": True}},
        "whole",
        True,
    ),
    "scaled head": ("LongT5Config", {**T5, "local_radius": 8, "tie_word_embeddings": True}, "rows", False),
    "untied head": ("MT5Config", T5, "shared", False),
}


def checkpoint(folder, name, fields):
    tokenizer = make_tokenizer()
    size = {"vocab_size": len(tokenizer) + 3}
    fields = {key: {**value, **size} if isinstance(value, dict) else value for key, value in fields.items()}
    config = getattr(transformers, name)(**{**IDS, **size, **fields})
    torch.manual_seed(0)
    both = config.is_encoder_decoder
    kind = transformers.AutoModelForSeq2SeqLM if both else transformers.AutoModelForCausalLM
    model = kind.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2.0 if "T5" in name else 5.0)
        if name == "EncoderDecoderConfig":
            model.decoder.cls.predictions.bias.normal_()
    if name == "MT5Config":
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def read(model):
    """Histories → prompts of the items' codes, padded on the left for decoders."""

    def prompts(histories):
        words = model.tokenizer("The next item is", add_special_tokens=False)["input_ids"]
        rows = [[*model.tokens.ids_of(catalogue()[items]).ravel(), *words] for items in histories]
        longest = max(map(len, rows))
        ids, mask = torch.zeros(len(rows), longest, dtype=torch.int64), torch.zeros(len(rows), longest).long()
        for n, row in enumerate(rows):
            place = slice(0, len(row)) if model.reads_apart else slice(longest - len(row), longest)
            ids[n, place], mask[n, place] = torch.tensor([int(token) for token in row]), 1
        return {"input_ids": ids, "attention_mask": mask}

    return prompts


def histories():
    rng = np.random.default_rng(0)
    return Histories.from_lists([rng.integers(0, 30, n).tolist() for n in (1, 4, 7, 2, 5)])


def scores(model, users):
    batch = read(model)(users)
    with torch.no_grad(), model.decoding():
        return score_items(model, model.prefill(**batch), DeviceTrie(trie(), "cpu"), len(users))


def plain(model, users):
    """What the plain model says of all items, one prompt at a time."""
    answers, base, found = torch.from_numpy(model.tokens.ids_of(catalogue())), model.base, []
    with torch.no_grad(), model.decoding():
        for user in range(len(users)):
            prompt = read(model)(users.select([user]))["input_ids"].expand(len(answers), -1)
            mask = torch.ones_like(prompt)
            if model.seq2seq:
                start = torch.full((len(answers), 1), decoder_start(base))
                known = torch.cat([start, answers[:, :-1]], dim=1)
                logits = base(input_ids=prompt, attention_mask=mask, decoder_input_ids=known, use_cache=False).logits
            else:
                whole = torch.cat([prompt, answers], dim=1)
                logits = base(input_ids=whole, attention_mask=torch.ones_like(whole), use_cache=False).logits
                logits = logits[:, prompt.shape[1] - 1 : -1]
            found.append(logits.log_softmax(-1).gather(-1, answers[..., None])[..., 0].sum(1))
    return torch.stack(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_scored_as_its_plain_forward_scores(family, tmp_path):
    name, fields, way, own = FAMILIES[family]
    model = build(checkpoint(tmp_path / "base", name, fields))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    check_language_model(model, read(model), histories(), catalogue())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert model.config.decoding == way
    assert own is None or model.config.own_logits == own
    fit(model, steps=2)
    found = scores(model, histories())
    torch.testing.assert_close(found, plain(model, histories()), atol=1e-3, rtol=0)
    alone = torch.cat([scores(model, histories().select([user])) for user in range(5)])
    torch.testing.assert_close(found, alone, atol=1e-3, rtol=0)
    model.save_pretrained(tmp_path / "saved")
    again = load_model(tmp_path / "saved")
    assert again.config.decoding == way
    torch.testing.assert_close(scores(again, histories()), found, atol=1e-4, rtol=0)
    model.merge()
    torch.testing.assert_close(scores(model, histories()), found, atol=1e-3, rtol=0)
    model.save_pretrained(tmp_path / "merged")
    torch.testing.assert_close(scores(load_model(tmp_path / "merged"), histories()), found, atol=1e-3, rtol=0)


N_GRAMS = {"hidden_size": 16, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "ngram": 2, "decoder_start_token_id": 0}
N_GRAMS |= {f"num_{part}_{name}": 2 for part in ("encoder", "decoder") for name in ("layers", "attention_heads")}


@pytest.mark.parametrize(("name", "fields"), [("BertGenerationConfig", SIZE), ("ProphetNetConfig", N_GRAMS)])
def test_a_model_whose_scores_depend_on_what_comes_later_is_refused(name, fields, tmp_path):
    """Its training loss reads the answer: a BERT without ``is_decoder`` under another name, for one."""
    model = build(checkpoint(tmp_path / "base", name, fields))
    with pytest.raises(ModelError, match="cannot be used here"):
        check_language_model(model, read(model), histories(), catalogue())


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    model = build(save_checkpoint(tmp_path / "base", "llama"))
    with torch.no_grad():
        next(model.base.model.layers.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="no numbers"):
        check_language_model(model, read(model), histories(), catalogue())


@pytest.mark.parametrize("architecture", ["item-head", "text-encoder"])
def test_heads_are_checked_alone_and_in_a_batch(architecture, tmp_path, monkeypatch):
    model = build(save_checkpoint(tmp_path / "base", "bert"), architecture)
    check_language_model(model, read(model), histories(), catalogue())
    forward = type(model.base).forward

    def careless(self, input_ids, attention_mask, **more):
        return forward(self, input_ids=input_ids, attention_mask=torch.ones_like(attention_mask), **more)

    monkeypatch.setattr(type(model.base), "forward", careless)
    with pytest.raises(ModelError, match="depends on padding"):
        check_language_model(model, read(model), histories(), catalogue())


@pytest.mark.parametrize("architecture", ["item-head", "text-encoder"])
def test_a_network_of_several_parts_is_as_wide_as_its_text_is(architecture, tmp_path):
    tokenizer = make_tokenizer()
    size = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**size, "vocab_size": len(tokenizer) + 3, "cls_token_id": 1, "sep_token_id": 1, **IDS}
    config = transformers.ModernVBertConfig(
        text_config=text, vision_config={**size, "image_size": 28, "patch_size": 14}
    )
    transformers.ModernVBertModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = build(tmp_path, architecture)
    check_language_model(model, read(model), histories(), catalogue())
    assert scores(model, histories()).isfinite().all()


def test_a_little_that_depends_on_padding_is_too_much(tmp_path, monkeypatch):
    model = build(save_checkpoint(tmp_path / "base", "bert"), "text-encoder")
    forward = type(model.base).forward

    def leaks(self, input_ids, attention_mask, **more):
        output = forward(self, input_ids=input_ids, attention_mask=attention_mask, **more)
        output.last_hidden_state += 3e-4 * (attention_mask == 0).sum(1)[:, None, None]
        return output

    monkeypatch.setattr(type(model.base), "forward", leaks)
    with pytest.raises(ModelError, match="depends on padding"):
        check_language_model(model, read(model), histories(), catalogue())


def test_the_check_draws_no_numbers_that_training_would_draw(tmp_path):
    model = build(save_checkpoint(tmp_path / "base", "llama"))
    state = torch.get_rng_state()
    check_language_model(model, read(model), histories(), catalogue())
    assert torch.equal(torch.get_rng_state(), state)
    assert not model.training


def test_a_loss_over_legal_codes_is_checked_too(tmp_path):
    model = build(save_checkpoint(tmp_path / "base", "t5"))
    model.prepare(trie(), trie_masked_loss=True)
    check_language_model(model, read(model), histories(), catalogue())
    assert model.legal is not None
    assert model.config.decoding == "shared"


@pytest.mark.parametrize("items", [1, 2, 5])
def test_scores_of_titles_are_checked_in_the_smallest_catalogue(items, tmp_path):
    model = build(save_checkpoint(tmp_path / "base", "llama"), "title-likelihood")
    titles = ["red cup", "blue tea", "lamp", "tent 3", "red tea 4"][:items]
    model.set_titles([[*model.tokenizer(title)["input_ids"], 1] for title in titles])
    check_language_model(model, read(model), histories(), catalogue()[:items])
    with torch.no_grad(), model.decoding():
        found = model.title_scores(**read(model)(histories()))
    assert found.shape == (len(histories()), items)
    assert found.isfinite().all()
