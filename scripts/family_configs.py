"""Small configurations of every family that transformers can build: what scripts/check_families.py tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_SIZES = {
    16: """hidden_size d_model n_embd dim emb_dim embedding_size word_embed_proj_dim embed_dim lru_width mamba_d_ssm
        attention_hidden_size moe_intermediate_size shared_expert_intermediate_size shared_intermediate_size
        expert_ffn_hidden_size moe_shared_expert_intermediate_size sliding_window""",
    32: """intermediate_size ffn_dim d_ff n_inner hidden_dim encoder_ffn_dim decoder_ffn_dim dff d_inner
        feed_forward_size ffn_hidden_size block_ff_dim""",
    2: """num_hidden_layers num_layers n_layer n_layers encoder_layers decoder_layers num_blocks num_encoder_layers
        num_decoder_layers encoder_attention_heads decoder_attention_heads num_encoder_attention_heads
        num_decoder_attention_heads num_key_value_heads num_experts_per_tok num_experts_per_token moe_topk
        top_k_experts moe_k linear_num_key_heads linear_num_value_heads index_n_heads""",
    4: """num_attention_heads n_head n_heads num_heads attention_heads num_experts n_routed_experts num_local_experts
        moe_num_experts qk_rope_head_dim qk_nope_head_dim rotary_dim state_size mamba_d_state mamba_n_heads""",
    8: """head_dim d_kv kv_channels kv_lora_rank q_lora_rank v_head_dim index_head_dim linear_key_head_dim
        linear_value_head_dim mamba_d_head hidden_size_per_layer_input""",
    1: "n_shared_experts n_group topk_group first_k_dense_replace depth",
    512: "max_position_embeddings n_positions",
    28: "image_size",
    14: "patch_size",
}
SIZES = {name: size for size, names in _SIZES.items() for name in names.split()}
LAYERS = 2

_LATENT = {"num_key_value_heads": 4, "head_dim": None}
_TWO_KINDS = {"layer_types": ["sliding_attention", "full_attention"]}
_MAMBA = {"mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 4, "mamba_n_groups": 1}
_ALIKE: dict[str, dict[str, Any]] = {
    "axk1 axk2 deepseek_v3 deepseek_v32 glm_moe_dsa longcat_flash youtu glm4_moe_lite mistral4": _LATENT,
    "kimi_linear minicpm3 bailing_hybrid dots3_note dots3_note_text": _LATENT,
    "hunyuan_v1_dense hunyuan_v1_moe ministral": {"head_dim": 8},
    "helium nemotron glm glm4": {"head_dim": 4, "num_key_value_heads": 2},
    "gemma4_text gemma4_unified_text": {"global_head_dim": 8, **_TWO_KINDS},
}
OVERRIDES: dict[str, dict[str, Any]] = {
    **{name: fields for names, fields in _ALIKE.items() for name in names.split()},
    "deepseek_v2": {**_LATENT, "num_experts_per_tok": 2},
    "bamba": {"layer_types": None, "attn_layer_indices": [1], **_MAMBA},
    "falcon_h1": {"layer_types": None, **_MAMBA, "mamba_d_ssm": 32},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"], **_MAMBA},
    "mamba2": {"head_dim": 8, "num_heads": 4, "n_groups": 1, "expand": 2, "chunk_size": 16},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 0},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 16},
    "prophetnet": {"num_hidden_layers": None},
    "kimi_linear": {**_LATENT, "linear_head_dim": 8, "linear_num_heads": 4},
    "luke": {"entity_vocab_size": 50, "entity_emb_size": 8},
    "longformer": {"attention_window": [16, 16]},
    "led": {"attention_window": [16, 16], "max_encoder_position_embeddings": 512},
    "longt5": {"local_radius": 7},
    "esmc": {"num_key_value_heads": 4},
    "funnel": {
        "num_hidden_layers": None,
        "num_blocks": None,
        "block_sizes": [1, 1],
        "block_repeats": [1, 1],
        "n_head": 4,
        "d_head": 4,
    },
    "recurrent_gemma": {
        "layer_types": None,
        "num_key_value_heads": 1,
        "attention_window_size": 16,
        "num_hidden_layers": 3,
    },
    "xlnet": {"max_position_embeddings": None},
    "dots1": {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2},
    "zaya": {"num_experts_per_tok": 1},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
    "reformer": {
        "is_decoder": True,
        "attn_layers": ["local", "lsh"],
        "axial_pos_shape": [16, 32],
        "axial_pos_embds_dim": [8, 8],
        "attention_head_size": 8,
        "lsh_attn_chunk_length": 16,
        "local_attn_chunk_length": 16,
    },
    "roc_bert": {
        "pronunciation_embed_dim": 8,
        "shape_embed_dim": 8,
        "shape_vocab_size": 50,
        "pronunciation_vocab_size": 50,
    },
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 32, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "gemma3n_text": {
        "intermediate_size": [32, 32],
        "laurel_rank": 4,
        "num_kv_shared_layers": 0,
        "activation_sparsity_pattern": [0.0, 0.0],
        "vocab_size_per_layer_input": 400,
        **_TWO_KINDS,
    },
}
"""Fields that a family needs beside its sizes; None takes a field out of what is set."""


@dataclass(frozen=True)
class Family:
    """One kind of checkpoint.

    Attributes:
        name: In the table; the model type, and a variant where there are several.
        model_type: Of transformers.
        kind: ``causal``, ``seq2seq`` or ``encoder``.
        more: Fields of the configuration beside :data:`OVERRIDES`.
    """

    name: str
    model_type: str
    kind: str
    more: tuple[tuple[str, Any], ...] = ()


VARIANTS = (
    Family("t5-untied", "t5", "seq2seq", (("tie_word_embeddings", False), ("feed_forward_proj", "gated-gelu"))),
    Family("mt5-untied", "mt5", "seq2seq", (("feed_forward_proj", "gated-gelu"),)),
    Family("longt5-untied", "longt5", "seq2seq", (("tie_word_embeddings", False),)),
    Family("longt5-global", "longt5", "seq2seq", (("encoder_attention_type", "transient-global"),)),
    Family("llama-tied", "llama", "causal", (("tie_word_embeddings", True),)),
    Family("mistral-full", "mistral", "causal", (("sliding_window", None),)),
    Family("falcon-alibi", "falcon", "causal", (("alibi", True),)),
    Family("falcon-new", "falcon", "causal", (("new_decoder_architecture", True), ("num_kv_heads", 2))),
    Family("opt-projected", "opt", "causal", (("word_embed_proj_dim", 8), ("do_layer_norm_before", False))),
    Family("bert-decoder", "bert", "causal", (("is_decoder", True),)),
    Family("granite-scaled", "granite", "causal", (("embedding_multiplier", 3.0), ("logits_scaling", 4.0))),
    Family("cohere-scaled", "cohere", "causal", (("logit_scale", 0.25),)),
    Family("gemma3-both-ways", "gemma3_text", "encoder", (("use_bidirectional_attention", True),)),
    *(Family(f"{name}-encoder", name, "encoder") for name in ("llama", "qwen3", "gpt2", "gemma3_text", "qwen3_5_text")),
    *(Family(f"{name}-encoder", name, "encoder") for name in ("t5", "mt5", "umt5", "bart", "t5gemma")),
)


def families() -> dict[str, Family]:
    """All families by name: every model type that transformers has for a task, and variants of some."""
    from transformers.models.auto import modeling_auto as auto

    encoders = {**auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES, **auto.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES}
    named = {
        "causal": ("", auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
        "seq2seq": ("-seq2seq", auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES),
        "encoder": ("-encoder", encoders),
    }
    found: dict[str, Family] = {}
    for kind, (suffix, types) in named.items():
        for model_type in types:
            name = f"{model_type}{suffix}"
            found.setdefault(name, Family(name, model_type, kind))
    return found | {variant.name: variant for variant in VARIANTS}


def small_config(family: Family, ids: dict[str, int]) -> Any:
    """A configuration of a few thousand weights.

    Args:
        family: The family.
        ids: ``vocab_size`` and the ids of special tokens.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    config_class = CONFIG_MAPPING[family.model_type]
    more = {**OVERRIDES.get(family.model_type, {}), **dict(family.more)}
    if family.model_type == "encoder-decoder":
        sides = [_shrink(CONFIG_MAPPING["bert"], ids, {}) for _ in range(2)]
        config = config_class.from_encoder_decoder_configs(*sides, pad_token_id=ids["pad_token_id"])
    else:
        config = _shrink(config_class, ids, more)
    config.decoder_start_token_id = ids["decoder_start_token_id"]
    if family.kind == "causal" and config.is_encoder_decoder:
        config.is_encoder_decoder = False
    return config


def _shrink(config_class: Any, ids: dict[str, int], more: dict[str, Any]) -> Any:
    default = config_class()
    fields: dict[str, Any] = {}
    for name, value in SIZES.items():
        now = _of(default, name)
        if isinstance(now, int) and not isinstance(now, bool) and _settable(config_class, name):
            fields[name] = value
    for name, part in (getattr(config_class, "sub_configs", None) or {}).items():
        held = getattr(default, name, None)
        kind = type(held) if held is not None else part
        if kind.__name__ not in ("AutoConfig", "NoneType"):
            inner = more.get(name, {})
            fields[name] = _shrink(kind, ids, inner if isinstance(inner, dict) else {}).to_dict()
    fields |= {name: value for name, value in ids.items() if _of(default, name, missing=...) is not ...}
    if (kinds := _of(default, "layer_types")) and _settable(config_class, "layer_types"):
        several = list(dict.fromkeys(kinds)) * LAYERS
        fields["layer_types"] = several[: fields.get("num_hidden_layers", LAYERS)]
    fields |= {name: value for name, value in more.items() if not isinstance(value, dict) or name not in fields}
    return config_class(**{name: value for name, value in fields.items() if value is not None})


def _of(config: Any, name: str, missing: Any = None) -> Any:
    try:
        return getattr(config, name, missing)
    except Exception as error:  # fields that are computed; those that differ by layer have a value all the same
        return 1 if "per-layer" in str(error) else missing


def _settable(config_class: Any, name: str) -> bool:
    found = getattr(config_class, name, None)
    return not isinstance(found, property) or found.fset is not None
