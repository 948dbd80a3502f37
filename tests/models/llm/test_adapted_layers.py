"""LoRA changes the linear layers that a text passes, by names that mean these and no others."""

import pytest
import torch
from language_support import build, examples, first_scores, fit, make_tokenizer, prompts, save_checkpoint
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    CTRLConfig,
    DeepseekV3Config,
    Gemma3Config,
    GPTJConfig,
    MambaConfig,
    MarianConfig,
    MarianMTModel,
    Qwen3MoeConfig,
)

from genrec.errors import ConfigError, ModelError
from genrec.models import load_model
from genrec.models.llm.adapted_layers import adapted_layers, read_a_few_tokens

peft = pytest.importorskip("peft")

IDS = {"vocab_size": 60, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 3}
SIZE = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
HEADS = {"num_key_value_heads": 2, "head_dim": 8}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
LATENT = {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8}
VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def network(config):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


def wide(model):
    """A checkpoint of a network as :func:`language_support.build` reads it, from a folder."""

    def save(folder):
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.mul_(8) if weight.ndim > 1 else weight.add_(0.3 * torch.randn_like(weight) * ("bias" in name))
        model.save_pretrained(folder)
        make_tokenizer().save_pretrained(folder)
        return folder

    return save


def test_towers_that_no_text_passes_are_left_alone():
    text = {**SIZE, **HEADS, **IDS, "query_pre_attn_scalar": 8}
    tower = {**VISION, "image_size": 28, "patch_size": 14}
    model = network(Gemma3Config(text_config=text, vision_config=tower, mm_tokens_per_image=4))
    names = adapted_layers(model, "all-linear")
    assert names
    assert not any("vision" in name or "projector" in name for name in names)
    by_hand = adapted_layers(model, ["q_proj"])
    assert sorted(by_hand) == [f"model.language_model.layers.{n}.self_attn.q_proj" for n in range(2)]


def test_experts_and_routers_are_not_linear_layers_to_adapt():
    moe = network(Qwen3MoeConfig(**SIZE, **HEADS, **IDS, **EXPERTS, num_experts=4))
    assert adapted_layers(moe, "all-linear") == ["k_proj", "o_proj", "q_proj", "v_proj"]


@pytest.mark.parametrize("kind", ["qwen3-moe", "deepseek"])
def test_a_mixture_of_experts_learns_with_the_dropout_of_the_preset(kind, tmp_path):
    if kind == "deepseek":
        groups = {"n_routed_experts": 4, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1}
        config = DeepseekV3Config(**SIZE, **IDS, **EXPERTS, **LATENT, **groups, num_key_value_heads=2)
    else:
        config = Qwen3MoeConfig(**SIZE, **HEADS, **IDS, **EXPERTS, num_experts=4)
    folder = wide(network(config))(tmp_path / "base")
    lora = {"r": 2, "lora_alpha": 4, "lora_dropout": 0.05, "target_modules": "all-linear"}
    model = build(folder, lora=lora)
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert any("q_" in name and "lora_" in name for name in trained)
    assert not any("experts" in name or "gate" in name for name in trained)
    fit(model, steps=2)
    scores = first_scores(model, *prompts(model))
    model.merge()
    torch.testing.assert_close(first_scores(model, *prompts(model)), scores, atol=1e-4, rtol=0)


def test_numbers_of_layers_do_not_name_whole_layers():
    """CTRL's feed-forward blocks are sequences: their last names are numbers, as those of whole layers are."""
    model = network(CTRLConfig(n_embd=16, n_layer=2, n_head=2, dff=24, **IDS))
    names = adapted_layers(model, "all-linear")
    assert {f"transformer.h.{n}.ffn.{part}" for n in range(2) for part in (0, 2)} <= set(names)
    targeted = {
        name
        for name, module in peft.get_peft_model(model, peft.LoraConfig(target_modules=names)).named_modules()
        if isinstance(module, peft.tuners.lora.LoraLayer)
    }
    assert {name.removeprefix("base_model.model.") for name in targeted} == set(names)


def test_names_that_are_the_end_of_others_become_an_expression():
    class Ends(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.fc = nn.Embedding(9, 4), nn.Linear(4, 4)
            self.other = nn.ModuleDict({"fc": nn.Linear(4, 4)})
            self.config = type("C", (), {"is_encoder_decoder": False})()

        def get_input_embeddings(self):
            return self.table

        def get_output_embeddings(self):
            return None

        def forward(self, input_ids, attention_mask):
            return self.fc(self.table(input_ids))

    assert adapted_layers(Ends(), "all-linear") == "(?:fc)"


def test_layers_that_fast_kernels_pass_by_are_not_adapted():
    model = network(MambaConfig(hidden_size=16, state_size=4, num_hidden_layers=2, **IDS))
    assert adapted_layers(model, "all-linear") == ["in_proj"]


def test_what_cannot_be_adapted_is_named():
    model = network(Qwen3MoeConfig(**SIZE, **HEADS, **IDS, **EXPERTS, num_experts=4))
    with pytest.raises(ConfigError, match=r"up_proj.*fused") as caught:
        adapted_layers(model, ["up_proj"], {"up_proj": "The experts are fused."})
    assert "q_proj" in str(caught.value)
    with pytest.raises(ConfigError, match="lm_head"):
        adapted_layers(model, ["lm_head"])


def test_a_model_that_needs_more_than_text_is_refused():
    class Needy(nn.Linear):
        config = type("C", (), {"is_encoder_decoder": False})()

        def get_input_embeddings(self):
            return self

        def forward(self, input_ids, attention_mask, pixel_values):
            return input_ids

    with pytest.raises(ModelError, match=r"does not read text alone.*pixel_values"):
        read_a_few_tokens(Needy(4, 4))


@pytest.mark.parametrize("tied", [False, True])
def test_rows_of_an_output_layer_with_a_bias_are_trained(tied, tmp_path):
    config = GPTJConfig(n_embd=16, n_layer=2, n_head=2, rotary_dim=4, tie_word_embeddings=tied, **IDS)
    folder = wide(network(config))(tmp_path / "base")
    for tuning in ("lora", "embeddings-only"):
        model = build(folder, tuning=tuning)
        fit(model, steps=3)
        scores = first_scores(model, *prompts(model))
        batch, _ = examples(model)
        with torch.no_grad():
            loss = model(**batch).loss
        model.save_pretrained(tmp_path / tuning)
        torch.testing.assert_close(first_scores(load_model(tmp_path / tuning), *prompts(model)), scores)
        model.merge()
        torch.testing.assert_close(first_scores(model, *prompts(model)), scores, atol=1e-4, rtol=0)
        with torch.no_grad():
            torch.testing.assert_close(model(**batch).loss, loss, atol=1e-4, rtol=0)
            plain = model.base(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
        labels = batch["labels"][:, 1:]
        torch.testing.assert_close(
            loss, torch.nn.functional.cross_entropy(plain[labels != -100], labels[labels != -100])
        )


@pytest.mark.parametrize("tuning", ["lora", "embeddings-only", "full"])
def test_one_table_under_several_names_stays_one(tuning, tmp_path):
    """Marian's encoder, decoder and output layer hold one layer or one weight; peft wraps the first name alone."""
    sizes = {f"{part}_{name}": 2 for part in ("encoder", "decoder") for name in ("layers", "attention_heads")}
    sizes |= {"d_model": 16, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_position_embeddings": 64}
    folder = wide(MarianMTModel(MarianConfig(**sizes, **IDS, decoder_start_token_id=0)))(tmp_path / "base")
    model = build(folder, tuning=tuning)
    fit(model, steps=3)
    rows = torch.from_numpy(model.tokens.all_ids)
    with torch.no_grad():
        base = model.base
        seen = [base.get_encoder().embed_tokens(rows), base.get_decoder().embed_tokens(rows)]
        states = torch.eye(16)
        seen.append(base.get_output_embeddings()(states).T[rows] / getattr(base.get_encoder(), "embed_scale", 1.0))
    torch.testing.assert_close(seen[0], seen[1])
    scores = first_scores(model, *prompts(model))
    model.merge()
    model.save_pretrained(tmp_path / "merged")
    torch.testing.assert_close(
        first_scores(load_model(tmp_path / "merged"), *prompts(model)), scores, atol=1e-4, rtol=0
    )


def test_ordinary_families_keep_last_names(tmp_path):
    model = build(save_checkpoint(tmp_path / "llama", "llama"))
    names = model.lm.peft_config["default"].target_modules
    assert set(names) == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.mark.parametrize(
    "wrong", [{"r": 10**9}, {"init_lora_weights": "pissa_niter_999999"}, {"rank_pattern": {"q_proj": 10**9}}]
)
def test_settings_that_work_without_end_are_refused_before_training(wrong, tmp_path):
    folder = save_checkpoint(tmp_path / "base", "llama")
    with pytest.raises(ConfigError, match=next(iter(wrong))) as caught:
        build(folder, lora={"r": 2, **wrong})
    assert caught.value.where == "model.llm.lora"
