"""Settings that pretraining does not read change nothing, and whoever sets them is told."""

import numpy as np
import polars as pl
import pytest
import torch
from support import make_tables

from genrec.index.recipe import load_recipe
from genrec.training.domains import read_domains
from genrec.training.pretrain import _examples, _untrained
from genrec.training.pretrain_config import DomainSettings, PretrainConfig, load_pretrain_config
from genrec.training.unread import say_unread_in_pretraining

NETWORK = ["hidden_size=32", "intermediate_size=32", "num_hidden_layers=1"]
NETWORK += ["num_attention_heads=2", "num_key_value_heads=2", "head_dim=16"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop with vectors, and settings of a small network."""
    folder = tmp_path_factory.mktemp("shop")
    items, interactions = make_tables(seed=0)
    items.write_ndjson(folder / "a.jsonl")
    interactions.write_csv(folder / "a.csv")
    vectors = np.random.default_rng(0).normal(size=(len(items), 24)).astype(np.float32)
    pl.DataFrame({"item_id": items["item_id"], "vector": vectors.tolist()}).write_parquet(folder / "vectors.parquet")
    encoder = f"encoder.name=precomputed','encoder.path={folder}/vectors.parquet"
    quantizer = "quantizer.levels=[4,3]','quantizer.epochs=2','quantizer.hidden=[16]"
    return folder, [*(f"model.backbone.{one}" for one in NETWORK), f"tokenizer_settings=['{encoder}','{quantizer}']"]


def outcome(shop, place, *changes):
    """Weights at the start, a batch of two rows, and its loss in training."""
    folder, settings = shop
    config = load_pretrain_config("recgpt-pretrain", [*settings, *changes])
    table = DomainSettings(name="a", items=folder / "a.jsonl", interactions=folder / "a.csv")
    domains = read_domains(config.model_copy(update={"domains": (table,)}))
    place.mkdir()
    recipe = load_recipe(config.tokenizer, config.tokenizer_settings)
    foundation, collator = _untrained(recipe, domains, config, place)
    examples = _examples(domains, config)
    torch.manual_seed(0)
    batch = collator([examples[0], examples[1]])
    torch.manual_seed(0)
    loss = foundation.model.train()(**batch).loss.detach()
    tensors = {name: value for name, value in batch.items() if isinstance(value, torch.Tensor)}
    return {**foundation.model.state_dict(), **tensors, "the loss": loss}


def same(one, other):
    return one.keys() == other.keys() and all(one[n].shape == other[n].shape and one[n].equal(other[n]) for n in one)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("model.dropout=0.5", False),
        ("examples.candidates=3", False),
        ("model.init_from_codebooks=true", True),
        ("model.trie_masked_loss=true", True),
        ("model.label_smoothing=0.3", True),
        ("model.depth_backbone.num_hidden_layers=1", True),
        ("model.llm.tuning=full", True),
        ("examples.temperature=0.9", True),
        ("validation.users=7", True),
        ("generation.beams=7", True),
    ],
)
def test_what_is_told_is_what_changes_nothing(change, told, shop, tmp_path, caplog):
    before, after = outcome(shop, tmp_path / "before"), outcome(shop, tmp_path / "after", change)
    assert same(before, outcome(shop, tmp_path / "again"))
    assert same(before, after) is told
    caplog.clear()
    say_unread_in_pretraining(load_pretrain_config("recgpt-pretrain", [change]), 1, 0)
    name = change.partition("=")[0].replace(".num_hidden_layers", "")
    assert (f": {name}." in caplog.text) is told


def test_what_several_domains_and_judges_read_is_not_told(caplog):
    changes = ["examples.temperature=0.9", "validation.users=7", "generation.words=3", "seed=4"]
    say_unread_in_pretraining(load_pretrain_config("recgpt-pretrain", changes), 2, 1)
    say_unread_in_pretraining(PretrainConfig(), 1, 0)
    assert not caplog.text
