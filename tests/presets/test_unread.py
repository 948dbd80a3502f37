"""What a network says that it reads is what changes it; whoever sets something else is told."""

from itertools import islice

import pytest
import torch
import yaml
from preset_support import TEXTS, tiny

from genrec.assets import asset_dir, remark_of
from genrec.config import differences, parse, read_yaml
from genrec.data import Interactions
from genrec.data.shop import make_shop
from genrec.data.split import split_for
from genrec.decoding.options import DecodingOptions
from genrec.errors import ConfigError, DataError
from genrec.generative.config import TrainConfig, load_train_config
from genrec.generative.recommender import GenerativeRecommender
from genrec.models import find_network
from genrec.models.registry import NETWORKS
from genrec.models.settings import OF_NETWORKS
from genrec.training.objectives import build_objective
from genrec.training.train import set_seed
from genrec.training.unread import say_unread

PRESETS = sorted(name for name, text in TEXTS.items() if "domains" not in yaml.safe_load(text))
NETWORK_OF = {name: yaml.safe_load(TEXTS[name]).get("model", {}) for name in PRESETS}
OF_ARCHITECTURE = {
    model.get("architecture"): name
    for name, model in sorted(NETWORK_OF.items(), key=lambda one: one[1].keys() & {"backbone", "checkpoint"} != set())
}
CHANGED = {
    "model.dropout": 0.61,
    "model.label_smoothing": 0.37,
    "model.max_items": 3,
    "model.depth_backbone": {"num_hidden_layers": 2},
    "examples.drop": 0.5,
    "examples.bucket_pool": 1,
    "examples.candidates": 2,
    "prompts.rows_per_epoch": 7,
    "model.llm.random_weights": True,
}
"""Another value of every setting that a network may read or not, as far as a toy shows what it does."""
OTHERS = (
    "model.trie_masked_loss",
    "model.init_from_codebooks",
    "examples.mode",
    "model.backbone",
    "prompts.max_tokens",
)
OTHERS += ("model.llm.code_rows",)
FROM_CODEBOOKS = "rq-kmeans-3x256"


def changed(content, name, tokens):
    """Settings with another value of one of them."""
    group, _, key = name.partition(".")
    part, own = dict(content.get(group) or {}), CHANGED.get(name)
    if name == "prompts.max_tokens":
        own = tokens
    elif name == "model.llm.code_rows":
        own = "random" if part["llm"].get("code_rows") == "titles" else "titles"
    elif name in ("model.trie_masked_loss", "model.init_from_codebooks"):
        own = not part.get(key, False)
    elif name == "examples.mode":
        own = "prefixes" if part.get(key, "whole") == "whole" else "whole"
    elif name == "model.backbone":
        layers = [one for one in part.get(key) or {} if one.endswith("num_layers") or one.endswith("hidden_layers")]
        own = {**(part.get(key) or {}), **dict.fromkeys(layers or ["num_decoder_layers"], 3)}
    if key.startswith("llm."):
        own, key = {**part["llm"], key.removeprefix("llm."): own}, "llm"
    return {**content, group: {**part, key: own}}


def outcome(index, train_part, content):
    """Weights at the start, the first rows, a batch, and its loss in training: all that a setting may change."""
    config = parse(TrainConfig, content)
    objective = build_objective(config.objective)
    set_seed(0)
    model = find_network(config.model.architecture).create(index, config)
    objective.prepare(model, index, config)
    GenerativeRecommender(model, index, config)
    batches = objective.batches(model, index, train_part, config)
    rows = list(islice(batches.examples.sampler(4, pool=config.examples.bucket_pool, seed=0), 12))
    batch = batches.collate([batches.examples[row] for row in rows[:6]])
    torch.manual_seed(1)
    loss = objective.loss(lambda inputs: model.train()(**inputs), dict(batch)).loss
    loss.backward()
    slopes = {f"slope of {n}": one.grad for n, one in model.named_parameters() if one.grad is not None}
    tensors = {name: value for name, value in batch.items() if isinstance(value, torch.Tensor)}
    return {**model.state_dict(), **slopes, **tensors, "rows": torch.tensor(rows), "the loss": loss.detach()}


def same(one, other):
    """Whether two outcomes are the same."""
    return one.keys() == other.keys() and all(
        one[name].shape == other[name].shape
        and torch.allclose(one[name].double(), other[name].double(), rtol=1e-4, atol=1e-7, equal_nan=True)
        for name in one
    )


@pytest.fixture(scope="module")
def few():
    """Users of the demo shop, enough for the rows that are looked at: each outcome prepares all of them."""
    return Interactions.from_frame(make_shop(n_items=80, n_users=20)[1])


@pytest.mark.parametrize("architecture", sorted(NETWORKS))
def test_a_network_reads_what_it_says_and_nothing_else(architecture, few, index_for, checkpoint_of):
    preset = OF_ARCHITECTURE[architecture]
    content = tiny(read_yaml(asset_dir("presets") / f"{preset}.yaml"), checkpoint_of)
    content |= {"objective": {"name": "likelihood"}, "transforms": [], "examples": {}}
    index = index_for(remark_of(TEXTS[preset], "index") or FROM_CODEBOOKS)
    config = parse(TrainConfig, content)
    train_part = split_for(few, index, config).train
    before = outcome(index, train_part, content)
    assert same(before, outcome(index, train_part, content))
    read = find_network(architecture).settings_read(config)
    assert read <= OF_NETWORKS
    for name in [*CHANGED, *OTHERS]:
        if name.startswith("model.llm.") and "checkpoint" not in content["model"]:
            assert name not in read
            continue
        for tokens in (16, 32, 48):  # the fewest that hold a prompt
            try:
                after = outcome(index, train_part, changed(content, name, tokens))
            except ConfigError:  # refused, and so not ignored
                after = None
            except DataError:
                continue
            break
        if after is None:
            continue
        if (architecture, name) != ("recgpt", "model.init_from_codebooks"):  # read unless the index has steps of FSQ
            assert same(before, after) is (name not in read), name
    assert ("start_share" in read) is GenerativeRecommender(
        find_network(architecture).create(index, config), index, config
    ).model.works_untrained


@pytest.mark.parametrize("architecture", sorted(NETWORKS))
def test_settings_of_decoding_are_idle_exactly_where_they_change_no_list(architecture, index_for, checkpoint_of):
    preset = OF_ARCHITECTURE[architecture]
    content = tiny(read_yaml(asset_dir("presets") / f"{preset}.yaml"), checkpoint_of)
    index = index_for(remark_of(TEXTS[preset], "index") or FROM_CODEBOOKS)
    config = parse(TrainConfig, content)
    set_seed(0)
    network = find_network(architecture)
    recommender = GenerativeRecommender(network.create(index, config), index, config)
    histories = [index.item_ids[[n, n + 3, n + 5]].tolist() for n in range(6)]
    searches = network.by_beam or not network.scores_items

    def lists(**changes):
        options = DecodingOptions(beams=6, **changes)
        found = recommender.recommend(histories, 5, options=options)
        return found.item_ids, options.idle(searches=searches)

    plain, idle = lists()
    for change in ({"groups": 3, "diversity_penalty": 50.0}, {"max_per_prefix": 1}):
        assert (lists(**change)[0] == plain) is (
            change.keys() <= idle.keys() | {"diversity_penalty"} and "groups" in idle
        )
    for change in ({"diversity_penalty": 9.0}, {"prefix_length": 2}):
        assert change.keys() <= idle.keys()
        assert lists(**change)[0] == plain
    exact, idle = lists(exact=True)
    assert {"groups", "beams"} <= idle.keys()
    assert recommender.recommend(histories, 5, options=DecodingOptions(beams=1, exact=True)).item_ids == exact
    assert "beams" not in lists(exact=True, mmr=0.5)[1]
    if not searches:
        assert exact == plain


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_nothing_that_its_network_or_its_objective_does_not_read(preset):
    config = parse(TrainConfig, read_yaml(asset_dir("presets") / f"{preset}.yaml"))
    set_by_it = differences(config, TrainConfig()) & OF_NETWORKS
    assert set_by_it <= find_network(config.model.architecture).settings_read(config)
    if config.init is None and not build_objective(config.objective).goes_on:
        assert not set_by_it & build_objective(config.objective).settings_ignored()


@pytest.mark.parametrize(
    ("preset", "overrides", "said"),
    [
        (
            "item-decoder-small",
            ["prompts.max_tokens=99", "model.dropout=0.3"],
            ["'item-decoder' does not read them", "prompts.max_tokens."],
        ),
        (
            "vector-decoder",
            ["examples.candidates=9"],
            ["examples.candidates (of this network: model.options.candidates)"],
        ),
        ("item-decoder-small", ["model.architecture=decoder"], []),  # what the preset says is nobody's wish
        ("grpo-item-decoder", ["examples.mode=prefixes"], ["the objective 'grpo' does not use them: examples.mode."]),
        ("recgpt-small", ["objective.name=trie-masked"], ["'recgpt' does not read them: model.trie_masked_loss."]),
        ("item-decoder-small", ["prompts.max_tokens=512"], []),  # as it is anyway
        (
            "setrec",
            ["generation.prefix_length=2", "validation.beams=9"],
            ["since the network scores all items at once: generation.prefix_length, validation.beams."],
        ),
        ("item-decoder-small", ["generation.diversity_penalty=2"], ["groups is 1: generation.diversity_penalty."]),
        (
            "item-decoder-small",
            ["generation.exact=true", "generation.beams=9"],
            ["exact ranks all items: generation.b"],
        ),
        ("vector-decoder", ["generation.exact=false", "validation.beams=9"], []),
    ],
)
def test_whoever_sets_what_changes_nothing_is_told_in_a_line(preset, overrides, said, caplog):
    config = load_train_config(preset, overrides)
    say_unread(config, config.asked)
    assert len(caplog.records) == bool(said)
    for words in said:
        assert words in caplog.text
    assert "model.dropout" not in caplog.text


def test_what_was_asked_for_is_what_differs_from_the_preset_or_from_the_defaults(tmp_path):
    assert load_train_config("demo").asked == frozenset()
    assert load_train_config("demo", ["model.dropout=0.33", "seed=7"]).asked == {"model.dropout", "seed"}
    (tmp_path / "own.yaml").write_text("model:\n  dropout: 0.33\n  max_items: 20\n")
    assert load_train_config(str(tmp_path / "own.yaml"), ["seed=7"]).asked == {"model.dropout", "seed"}
    assert TrainConfig(seed=3).asked == {"seed"}
