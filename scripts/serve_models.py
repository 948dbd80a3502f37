"""Recommenders for measurements of the service: networks of the presets' sizes with random weights, on the demo shop.

Speed does not depend on what weights have learned. The same weights also answer through Hugging Face's ``generate``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, T5ForConditionalGeneration

from genrec.benchmarks.hf_generate import allowed_tokens, code_tokens, dictionary_trie
from genrec.data import Catalog, Interactions
from genrec.data.shop import write_shop
from genrec.generative.config import load_train_config
from genrec.generative.recommender import GenerativeRecommender
from genrec.index import SemanticIndex
from genrec.models import build_model

PRESETS = {"t5": "seq2seq-tiger", "item-decoder": "item-decoder-small"}


def shop_index(folder: Path, n_items: int) -> SemanticIndex:
    """The index of a demo shop; made once."""
    if not (folder / "index").is_dir():
        write_shop(folder / "data", n_items=n_items, n_users=4000)
        catalog = Catalog.read(next((folder / "data").glob("items.*")))
        SemanticIndex.build(catalog, "rq-kmeans-3x256").save(folder / "index")
    return SemanticIndex.load(folder / "index")


def shop_table(folder: Path) -> Path:
    """The interactions of the shop."""
    return next((folder / "data").glob("interactions.*"))


def make(folder: Path, name: str, n_items: int, beams: int) -> Path:
    """The folder of a recommender; made once."""
    index, target = shop_index(folder, n_items), folder / name
    if not target.is_dir():
        config = load_train_config(PRESETS[name], [f"generation.beams={beams}", "generation.normalize=children"])
        torch.manual_seed(0)
        model = build_model(
            config.model.architecture, index.codebook_sizes, backbone=config.model.backbone, **_more(config)
        )
        with torch.no_grad():  # larger than a network starts with, so that rankings are not all but even
            model.output_table.weight.mul_(8 if name == "t5" else 30)
        GenerativeRecommender(model.eval(), index, config).save_pretrained(target)
    return target


def _more(config: Any) -> dict[str, Any]:
    more = {"dropout": config.model.dropout, "max_items": config.model.max_items}
    depth = getattr(config.model, "depth_backbone", None) or config.model.options.get("depth_backbone")
    return {**more, "depth_backbone": depth} if depth else more


def histories_of(recommender: GenerativeRecommender, folder: Path, n_users: int) -> list[list[str]]:
    """Histories of shoppers as lists of item ids."""
    known = Interactions.read(shop_table(folder)).histories(recommender.item_ids)
    return [recommender.item_ids[known[user]].tolist() for user in range(min(n_users, len(known)))]


class Generate:
    """The same weights behind ``generate`` with ``prefix_allowed_tokens_fn`` over dictionaries.

    Args:
        recommender: Around one of the two networks.
    """

    def __init__(self, recommender: GenerativeRecommender) -> None:
        self.recommender, self.model = recommender, recommender.model
        first = 2 if recommender.config.model.architecture == "seq2seq" else 1
        self.tokens = code_tokens(recommender.index.codebook_sizes, first)
        self.root = dictionary_trie(recommender.index.codes, self.tokens)
        self.generator = self._t5() if first == 2 else self._decoder()

    def _t5(self) -> Any:
        """Token 0 starts the answer, token 1 the history."""
        model, config = self.model, self.model.t5.config
        config = type(config)(**{**config.to_dict(), "vocab_size": 2 + len(model.input_table.weight)})
        config.tie_word_embeddings = config.scale_decoder_outputs = False  # T5Config itself sets both
        made = T5ForConditionalGeneration(config).eval()
        weights = {name: value for name, value in model.t5.state_dict().items() if "embed_tokens" not in name}
        made.load_state_dict({name: value for name, value in weights.items() if name != "shared.weight"}, strict=False)
        start = torch.stack([model.decoder_start.vector.flatten(), model.encoder_start.vector.flatten()])
        with torch.no_grad():
            made.set_input_embeddings(torch.nn.Embedding.from_pretrained(torch.cat([start, model.input_table.weight])))
            made.lm_head.weight.copy_(torch.cat([torch.zeros_like(start), model.output_table.weight]))
        return made

    def _decoder(self) -> Any:
        """The code decoder; the state of the history is its first input, as it is ours."""
        model, config = self.model, self.model.codes.config
        settings = {**config.to_dict(), "vocab_size": 1 + len(model.code_table.weight), "tie_word_embeddings": False}
        made = AutoModelForCausalLM.from_config(type(config)(**settings)).eval()
        backbone = {name: value for name, value in model.codes.state_dict().items() if "embed_tokens" not in name}
        made.model.load_state_dict(backbone, strict=False)
        nothing = torch.zeros(1, model.code_table.weight.shape[1])
        with torch.no_grad():
            made.set_input_embeddings(torch.nn.Embedding.from_pretrained(torch.cat([nothing, model.code_table.weight])))
            made.lm_head.weight.copy_(torch.cat([nothing, model.output_table.weight]))
        return made

    @torch.inference_mode()
    def __call__(self, history: list[str], beams: int, k: int) -> list[str]:
        """Item ids, best first, without those of the history."""
        known = self.recommender.to_histories([history])
        batch = self.recommender._ranker.reader(known.last(self.recommender.config.model.max_items))
        settings: dict[str, Any] = {
            "num_beams": beams, "num_return_sequences": beams, "max_new_tokens": len(self.tokens), "do_sample": False,
            "length_penalty": 0.0, "early_stopping": False, "renormalize_logits": True, "pad_token_id": 0,
        }  # fmt: skip
        if self.generator.config.is_encoder_decoder:
            rows = 2 + self.model.input_table.rows(batch["codes"]).flatten(1)
            ids = torch.cat([torch.ones(1, 1, dtype=torch.int64), rows], dim=1)
            allowed = allowed_tokens(self.root, 1, 1)
            found = self.generator.generate(input_ids=ids, prefix_allowed_tokens_fn=allowed, **settings)[:, 1:]
        else:
            state = self.model.prefill(**batch).user
            allowed = allowed_tokens(self.root, 0, 0)
            found = self.generator.generate(inputs_embeds=state, prefix_allowed_tokens_fn=allowed, **settings)
        first = torch.tensor([level.start for level in self.tokens])
        items = self.recommender.index.trie.find((found[:, : len(self.tokens)] - first).numpy())
        seen = set(history)
        ids = [item for item in self.recommender.item_ids[items[items >= 0]].tolist() if item not in seen]
        return ids[:k]
