"""The fast way through a training step says what the plain way says: losses, gradients, what is dropped."""

import pytest
import torch
from language_support import LORA, build, catalogue, examples, fit, pad, save_checkpoint, trie
from torch.nn import functional as F
from transformers import MistralConfig, MistralForCausalLM

from genrec.data.histories import Histories
from genrec.errors import ModelError
from genrec.models import load_model
from genrec.models.hf.packed_prompts import PackedPrompts
from genrec.models.llm import label_scores, number_format
from genrec.models.llm.fast_layers import LowRankProduct, _Drop
from genrec.models.llm.label_scores import LabelScores
from genrec.models.llm.source import LanguageSource
from genrec.training.self_check import check_language_model

peft = pytest.importorskip("peft")
CLOSE = {"atol": 2e-5, "rtol": 2e-5}


def moved(folder, **settings):
    """A model whose adapter adds something."""
    model = build(folder, **settings)
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value.add_(0.1 * torch.randn_like(value))
    return model


def batch_of(model, front=4):
    """Rows of several lengths that begin alike, with labels that are codes and one that is a word."""
    batch, _ = examples(model)
    words = torch.arange(5, 5 + front).expand(len(batch["input_ids"]), -1)
    found = {name: torch.cat([words, value], 1) for name, value in batch.items()}
    found["attention_mask"][:, :front] = 1
    found["labels"][:, :front] = -100
    found["labels"][0, front - 1] = int(words[0, -1])
    return found


def learned(model, batch):
    model.zero_grad()
    output = model(**batch)
    output.loss.backward()
    gradients = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    return output.loss.detach(), output.log_likelihood.detach(), gradients


def as_peft(model):
    """The same model with the layers of peft as they are."""
    for module in model.modules():
        if type(module).__name__ in ("FastLinear", "FastRows"):
            module.__class__ = type(module).__base__
    return model


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2", "t5"])
@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.1}, {"train_code_rows": False}])
def test_loss_and_gradients_are_those_of_peft_and_of_all_logits(family, settings, checkpoint, monkeypatch):
    monkeypatch.setattr(label_scores, "_CHUNK", 7)
    model = moved(checkpoint(family), **settings).train()
    batch, _ = examples(model) if model.seq2seq else (batch_of(model), None)
    fast = learned(model, batch)
    monkeypatch.setattr(LabelScores, "of", classmethod(lambda *_: None))
    plain = learned(as_peft(model), batch)
    close = {"atol": 2e-4, "rtol": 2e-4} if family == "t5" else CLOSE  # its random weights are large
    torch.testing.assert_close(fast, plain, **close)
    assert plain[2].keys() == fast[2].keys()
    assert len(plain[2]) > 3


def test_a_low_rank_product_has_the_gradients_of_what_it_computes():
    torch.manual_seed(1)
    make = {"dtype": torch.float64, "requires_grad": True}
    x, down, up = torch.randn(2, 3, 4, **make), torch.randn(2, 4, **make), torch.randn(5, 2, **make)
    weight, bias = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, dtype=torch.float64)

    def product(x, down, up):
        torch.manual_seed(0)  # the same numbers are left out every time
        return LowRankProduct.apply(x, weight, bias, down, up, 1.7, 0.3)

    assert torch.autograd.gradcheck(product, (x, down, up))


def test_what_a_layer_gives_may_be_changed_in_place(checkpoint):
    model = build(checkpoint("llama")).train()
    layer = next(module for module in model.modules() if type(module).__name__ == "FastLinear")
    x = torch.randn(2, 3, layer.in_features, generator=torch.Generator().manual_seed(0))
    gradients = []
    for change in (lambda found: found.mul_(0.5), lambda found: found * 0.5):
        model.zero_grad()
        change(layer(x)).square().sum().backward()
        gradients.append(layer.lora_B["default"].weight.grad.clone())
    torch.testing.assert_close(*gradients)
    assert gradients[0].any()


@pytest.mark.parametrize("part", ["lora_A", "lora_B"])
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_a_hook_on_an_adapter_is_called(part, kind, checkpoint):
    layer = next(one for one in moved(checkpoint("llama")).modules() if type(one).__name__ == "FastLinear")
    x, called = torch.randn(2, layer.in_features), []
    with torch.no_grad():
        before = layer(x)
        getattr(getattr(layer, part)["default"], kind)(lambda *given: called.append(given))
        torch.testing.assert_close(layer(x), before, **CLOSE)
    assert len(called) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.001])
def test_what_is_dropped_is_its_share_and_keeps_the_sum(share, dtype):
    ones, dropped, kept = torch.ones(50, 64, dtype=dtype), 0.0, 0.0
    for seed in range(400):
        drop = _Drop(share, seed)
        found = drop(ones)
        assert torch.equal(found, _Drop(share, seed)(ones))
        assert set(found.unique().tolist()) <= {0.0, 1.0}
        dropped += float((found == 0).float().mean()) / 400
        kept += float(found.float().mean()) * drop.scale / 400
    assert dropped == pytest.approx(share, abs=0.0015)
    assert kept == pytest.approx(1, abs=0.002)


def test_a_loss_among_legal_codes_reads_no_row_of_a_word(checkpoint):
    model = moved(checkpoint("llama")).train()
    batch, _ = examples(model)
    model.prepare(trie(), trie_masked_loss=True)
    before = model(**batch).loss
    head = model.base.get_output_embeddings().token_adapter.base_layer
    head.weight = torch.nn.Parameter(torch.full_like(head.weight, float("nan")), requires_grad=False)
    assert torch.equal(model(**batch).loss, before)
    batch["labels"][0, 1] = 5  # a word needs them
    assert torch.isnan(model(**batch).loss)


def test_nothing_below_the_lowest_adapter_gets_a_gradient(checkpoint):
    lora = {**LORA, "layers_to_transform": [1], "target_modules": ["q_proj"]}
    model = moved(checkpoint("llama"), lora=lora, train_code_rows=False).train()
    needs = []
    for layer in model.base.get_decoder().layers:
        layer.register_forward_hook(lambda _, args, output: needs.append(output.requires_grad))
    learned(model, examples(model)[0])
    assert needs == [False, True]


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2"])
def test_packed_prompts_give_the_same_loss_and_gradients(family, checkpoint):
    model = moved(checkpoint(family)).train()
    batch = batch_of(model)
    plain = learned(model, batch)
    model.pack_prompts(True)
    torch.testing.assert_close(learned(model, batch), plain, **CLOSE)
    alone = {name: value[:1] for name, value in batch.items()}
    packed = learned(model, alone)
    if family != "gpt2":
        model.base.get_decoder().gradient_checkpointing_enable()
    torch.testing.assert_close(learned(model, alone), packed, **CLOSE)
    model.pack_prompts(False)
    assert model.base.get_decoder().config._attn_implementation == "sdpa"
    torch.testing.assert_close(learned(model, alone), packed, **CLOSE)


def test_a_window_is_kept_when_prompts_are_packed(tmp_path):
    save_checkpoint(tmp_path, "llama")
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = MistralConfig(vocab_size=40, num_key_value_heads=1, head_dim=8, sliding_window=6, pad_token_id=0, **sizes)
    MistralForCausalLM(config).save_pretrained(tmp_path)
    model = moved(tmp_path)
    batch = batch_of(model)
    plain = learned(model, batch)
    model.pack_prompts(True)
    torch.testing.assert_close(learned(model, batch), plain, **CLOSE)


def test_what_all_rows_begin_with_stands_once():
    rows = [[3, 4, 5, 6, 7], [3, 4, 5, 9], [3, 4, 5]]
    ids, mask = pad(rows, 0), pad([[1] * len(row) for row in rows], 0)
    packed = PackedPrompts.of(ids, mask)
    assert packed.input_ids.tolist() == [[3, 4, 5, 6, 7, 5, 9, 5]]  # the shortest row keeps a token of its own
    assert packed.position_ids.tolist() == [[0, 1, 2, 3, 4, 2, 3, 2]]
    assert torch.equal(packed.input_ids[0][packed.places()][mask.bool()], ids[mask.bool()])
    assert PackedPrompts.of(ids.flip(1), mask.flip(1)) is None  # padded on the left
    assert PackedPrompts.of(ids[:1], mask[:1]).shared == 0


def histories():
    return Histories.from_lists([[1, 2], [3, 4, 5, 6], [2]])


def read(model):
    words = model.tokenizer("A user chose these items", add_special_tokens=False)["input_ids"]

    def prompts(histories):
        rows = [words + [5 + int(item) for item in histories[user]] for user in range(len(histories))]
        return {"input_ids": pad(rows, 0), "attention_mask": pad([[1] * len(row) for row in rows], 0)}

    return prompts


def test_the_check_before_training_lets_a_model_pack_only_where_that_is_the_same(checkpoint, tmp_path, monkeypatch):
    model = build(checkpoint("llama"))
    check_language_model(model, read(model), histories(), catalogue())
    assert model.packs
    model.save_pretrained(tmp_path / "model")
    assert "pack" not in (tmp_path / "model" / "config.json").read_text()
    assert not load_model(tmp_path / "model").packs
    other = build(checkpoint("llama"))
    right = PackedPrompts.places
    monkeypatch.setattr(PackedPrompts, "places", lambda self: right(self).roll(1, 1))
    check_language_model(other, read(other), histories(), catalogue())
    assert not other.packs
    eager = build(checkpoint("llama"), source={"attention": "eager"})
    check_language_model(eager, read(eager), histories(), catalogue())
    assert not eager.packs
    with pytest.raises(ModelError, match="cannot be packed"):
        eager.pack_prompts(True)


def test_the_fastest_number_format_is_half_for_large_frozen_decoders_where_products_of_it_are_fast(
    checkpoint, tmp_path, monkeypatch
):
    def chosen(family="llama", frozen=True, **settings):
        source = LanguageSource(str(checkpoint(family)), dtype="fastest", **settings)
        return number_format.settled(source, "generation", frozen=frozen).dtype

    monkeypatch.setattr(number_format, "multiplies_bfloat16", lambda: True)
    assert chosen() == "float32"  # small
    monkeypatch.setattr(number_format, "_ENOUGH", 100)
    assert (chosen(), chosen(frozen=False), chosen("t5")) == ("bfloat16", "float32", "float32")
    torch.manual_seed(0)
    exact, half = build(checkpoint("llama")), build(checkpoint("llama"), source={"dtype": "fastest"})
    assert (half.base.dtype, half.config.source["dtype"]) == (torch.bfloat16, "bfloat16")
    assert {value.dtype for value in half.parameters() if value.requires_grad} == {torch.float32}
    half.pack_prompts(True)
    for one, other in zip(fit(exact), fit(half), strict=True):
        assert one == pytest.approx(other, abs=0.05)
    half.save_pretrained(tmp_path / "half")
    batch, _ = examples(half)
    again = load_model(tmp_path / "half")
    assert again.base.dtype == torch.bfloat16
    assert float(again(**batch).loss.detach()) == pytest.approx(float(half(**batch).loss.detach()), abs=0.02)
    monkeypatch.setattr(number_format, "multiplies_bfloat16", lambda: False)
    assert chosen() == "float32"
    slow = load_model(tmp_path / "half")
    assert slow.base.dtype == torch.float32
    assert float(slow(**batch).loss.detach()) == pytest.approx(float(half(**batch).loss.detach()), abs=0.05)


def test_merged_rows_and_other_adapters_go_the_way_of_peft(checkpoint):
    model = moved(checkpoint("llama"))
    batch, _ = examples(model)
    with torch.no_grad(), model.decoding():
        inside = model(**batch).loss
    torch.testing.assert_close(inside, model(**batch).loss.detach(), **CLOSE)
    with model.lm.disable_adapter(), torch.no_grad():
        without = model(**batch).loss
        logits = model.base(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    plain = F.cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=-100)
    torch.testing.assert_close(without, plain, **CLOSE)
    assert abs(float(without) - float(inside)) > 1e-3
