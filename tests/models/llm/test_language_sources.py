"""Where language models come from, how new rows start, and shallower networks."""

import logging

import numpy as np
import pytest
import torch
import transformers
from language_support import DEPTH, SIZES, build, catalogue, examples, make_network, make_tokenizer, save_checkpoint

from genrec.errors import ArtifactError, ConfigError, ModelError
from genrec.models.llm.code_rows import RowStart, add_code_rows
from genrec.models.llm.code_tokens import CodeTokens
from genrec.models.llm.fewer_layers import truncate_layers
from genrec.models.llm.source import LanguageSource
from genrec.models.saved import check_counts


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("lm") / "llama", "llama")


def test_what_cannot_be_loaded_says_why(llama, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="does not exist"):
        LanguageSource(str(tmp_path / "nothing")).model()
    with pytest.raises(ConfigError, match="holds no language model"):
        LanguageSource(str(tmp_path)).model()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match=r"nobody/no-such-model[\s\S]*Hugging Face hub[\s\S]*HF_TOKEN"):
        LanguageSource("nobody/no-such-model").config()
    (tmp_path / "config.json").write_text('{"model_type": "strange", "auto_map": {"AutoConfig": "own.Strange"}}')
    with pytest.raises(ModelError, match=r"code of its own[\s\S]*trust_remote_code"):
        LanguageSource(str(tmp_path)).config()
    (tmp_path / "config.json").write_text('{"model_type": "strange"}')
    with pytest.raises(ModelError, match="cannot load"):
        LanguageSource(str(tmp_path)).config()
    bert = save_checkpoint(tmp_path / "bert", "bert")
    with pytest.raises(ModelError, match=r"does not generate[\s\S]*text-encoder"):
        LanguageSource(str(bert)).model()
    bart = save_checkpoint(tmp_path / "bart", "bart")
    with pytest.raises(ModelError, match="by itself"):
        LanguageSource(str(bart)).model("states")
    with pytest.raises(ConfigError, match="number format"):
        LanguageSource(str(llama), dtype="int3").model()


@pytest.mark.parametrize("family", ["Bert", "Electra", "MPNet", "Roberta", "DistilBert"])
def test_encoders_are_read_without_a_pooling_layer_whether_they_know_one_or_not(family, tmp_path):
    config = getattr(transformers, f"{family}Config")(vocab_size=40, **DEPTH)
    getattr(transformers, f"{family}Model")(config).save_pretrained(tmp_path)
    model = LanguageSource(str(tmp_path)).model("states")
    assert not any("pooler" in name for name, _ in model.named_parameters())


def test_four_bits_need_their_package(llama, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    with pytest.raises(ModelError, match="bitsandbytes"):
        LanguageSource(str(llama), quantize="4bit").model()


def test_sampling_defaults_of_a_checkpoint_are_dropped(llama):
    assert "temperature" in (llama / "generation_config.json").read_text()
    generation = LanguageSource(str(llama)).model().generation_config
    assert (generation.do_sample, generation.temperature, generation.top_p) in ((False, None, None), (False, 1.0, 1.0))
    assert generation.eos_token_id == 1


def test_random_weights_keep_the_shape_of_the_network(llama):
    torch.manual_seed(1)
    random = LanguageSource(str(llama), random_weights=True).model()
    known = LanguageSource(str(llama)).model()
    assert [(n, p.shape) for n, p in random.named_parameters()] == [(n, p.shape) for n, p in known.named_parameters()]
    assert not torch.equal(random.lm_head.weight, known.lm_head.weight)
    assert LanguageSource(str(llama), dtype="bfloat16").model().dtype == torch.bfloat16


def test_weights_that_are_missing_are_named(llama, tmp_path, caplog):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "headless"
    save_checkpoint(folder, "llama")
    weights = load_file(folder / "model.safetensors")
    weights.pop("lm_head.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with caplog.at_level(logging.WARNING, logger="genrec"):
        LanguageSource(str(folder)).model()
    assert "lm_head.weight" in caplog.text
    assert LanguageSource(str(folder)).fingerprint() != LanguageSource(str(llama)).fingerprint()


@pytest.mark.parametrize("how", ["codebooks", "titles", "random"])
def test_new_rows_have_the_spread_of_the_table(how):
    tokenizer = make_tokenizer()
    model = make_network("llama", len(tokenizer) + 3)
    old = {"in": model.model.embed_tokens.weight.detach().clone(), "out": model.lm_head.weight.detach().clone()}
    rng = np.random.default_rng(0)
    books = [rng.normal(size=(size, 8)).astype(np.float32) for size in SIZES[:2]]
    start = RowStart(
        codebooks=[*books, None] if how == "codebooks" else None,
        texts=[f"{word} cup {n % 10}" for n, word in enumerate(["red", "blue", "tent"] * 10)]
        if how == "titles"
        else None,
        codes=catalogue(),
    )
    tokens = CodeTokens(SIZES)
    add_code_rows(model, tokenizer, tokens, start)
    assert len(model.lm_head.weight) == len(tokenizer) == len(old["in"]) - 3 + sum(SIZES)
    for name, table in (("in", model.model.embed_tokens.weight), ("out", model.lm_head.weight)):
        table = table.detach()
        words = old[name][:-3]
        assert torch.equal(table[: len(words)], words)
        rows = table[len(words) :]
        assert float(rows.std()) == pytest.approx(float(words.std()), rel=0.2)
        assert float((rows.mean(0) - words.mean(0)).abs().max()) < 3 * float(words.std()) / np.sqrt(len(rows))
        assert len(rows.unique(dim=0)) == len(rows)
    if how == "codebooks":
        wanted = torch.pdist(torch.from_numpy(books[0]))
        kept = torch.pdist(model.lm_head.weight.detach()[tokens.ids[0]])
        assert float(torch.corrcoef(torch.stack([wanted, kept]))[0, 1]) > 0.5


def test_a_padded_vocabulary_is_used_up_before_it_grows():
    tokenizer = make_tokenizer()
    model = make_network("gpt2", 128)
    add_code_rows(model, tokenizer, CodeTokens(SIZES), RowStart())
    assert len(model.get_input_embeddings().weight) == 128


@pytest.mark.parametrize("family", ["llama", "gpt2", "t5", "bart", "bert"])
@torch.no_grad()
def test_fewer_layers_are_a_network_of_its_own(family, tmp_path):
    model = make_network(family, 40).eval()
    parameters = model.num_parameters()
    truncate_layers(model, keep=1)
    assert model.num_parameters() < parameters
    ids = torch.tensor([[4, 5, 6]])
    more = {"decoder_input_ids": torch.tensor([[0, 4]])} if model.config.is_encoder_decoder else {}
    expected = model(ids, **more).logits
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path).eval()
    torch.testing.assert_close(again(ids, **more).logits, expected)
    with pytest.raises(ConfigError, match="3 of 2 layers"):
        truncate_layers(make_network(family, 40), keep=3)


@torch.no_grad()
def test_every_other_layer_is_taken_and_decoded():
    model = make_network("llama", 40).eval()
    first, _ = model.model.layers
    truncate_layers(model, every=2)
    assert list(model.model.layers) == [first]
    assert model.config.num_hidden_layers == 1
    cached = model(torch.tensor([[4, 5]]), use_cache=True).past_key_values
    step = model(torch.tensor([[6]]), past_key_values=cached).logits[:, -1]
    torch.testing.assert_close(step, model(torch.tensor([[4, 5, 6]])).logits[:, -1])


def test_a_shallower_adapter_is_loaded_as_it_was_trained(llama, tmp_path):
    pytest.importorskip("peft")
    from genrec.models import load_model

    model = build(llama, keep_layers=1)
    model.save_pretrained(tmp_path / "model")
    batch, _ = examples(model)
    with torch.no_grad():
        torch.testing.assert_close(load_model(tmp_path / "model")(**batch).loss, model(**batch).loss, atol=0, rtol=0)


def test_a_layer_may_be_named_from_the_end_and_no_count_may_be_absurd():
    shapes = {f"weight {n}": (2, 2) for n in range(20)}
    check_counts({"audio": {"feature_layer": -2}, "num_hidden_layers": 12}, shapes, "config.json")
    for count in (10**9, -(10**9)):
        with pytest.raises(ArtifactError, match="num_hidden_layers"):
            check_counts({"num_hidden_layers": count}, shapes, "config.json")
