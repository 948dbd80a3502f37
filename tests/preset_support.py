"""Shipped presets and recipes with the sizes of a toy."""

from language_support import LORA
from support import TINY_TOKENIZER

from genrec.assets import asset_names, find_asset
from genrec.index.recipe import TokenizerRecipe, load_recipe

TEXTS = {name: find_asset("presets", name, ".yaml", "preset").read_text() for name in asset_names("presets", ".yaml")}
LLAMA_LIKE = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
T5_LIKE = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
FAMILIES = {"language-model": "qwen3", "text-encoder": "bert", "preference-decoder": "bert", "item-head": "qwen3"}
SMALLER = {"codebook_size": 8, "epochs": 1, "levels": 2, "slots": 2, "latent_dim": 4, "iterations": 3}


def tiny_recipe(name):
    """A recipe with few codes over vectors that need no model."""
    recipe, plain = load_recipe(name), load_recipe("rq-kmeans-3x256", TINY_TOKENIZER)
    smaller = {key: value for key, value in SMALLER.items() if isinstance(recipe.quantizer.get(key), int)}
    changed = {"encoder": plain.encoder, "text": None, "quantizer": {**recipe.quantizer, **smaller}}
    return TokenizerRecipe.model_validate({**recipe.model_dump(), **changed})


def tiny(content, checkpoint_of):
    """The settings of a preset with the sizes of a toy: what it is stays, what it costs goes."""
    model, sizes = dict(content.get("model", {})), {**LLAMA_LIKE, **T5_LIKE}
    for part in ("backbone", "depth_backbone"):
        given = model.get(part) or {}
        model[part] = {key: sizes.get(key, value) for key, value in given.items()}
    if "checkpoint" in model:
        model["checkpoint"] = checkpoint_of(model["architecture"])
        model["llm"] = {**model.get("llm", {}), "lora": LORA}
    transforms = [{**one, "checkpoint": checkpoint_of(""), "steps": 1} for one in content.get("transforms", ())]
    trainer = {**content.get("trainer", {}), "max_steps": 2, "per_device_train_batch_size": 8, "warmup_steps": 0}
    trainer["gradient_accumulation_steps"] = 1
    validation = {**content.get("validation", {}), "users": 8, "beams": 4}
    generation = {**content.get("generation", {}), "beams": 10, "prior": None, "words": 0}
    changed = {"model": {**model, "max_items": 6}, "trainer": trainer, "validation": validation}
    changed["transforms"] = transforms
    return {**content, **changed, "generation": generation, "min_steps": 0, "init": None}
