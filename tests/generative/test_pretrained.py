"""Pretraining on two catalogues, then a third: zero-shot, few-shot, cold items, resuming, refusals."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
import torch
from support import make_tables
from typer.testing import CliRunner

from genrec.data import Catalog, Interactions
from genrec.errors import ArtifactError, ConfigError
from genrec.generative.pretrained import FoundationModel
from genrec.generative.recommender import GenerativeRecommender
from genrec.index.semantic_index import SemanticIndex
from genrec.recommender import Recommender

NETWORK = [
    "model.backbone.hidden_size=32",
    "model.backbone.intermediate_size=32",
    "model.backbone.num_hidden_layers=1",
    "model.backbone.num_attention_heads=2",
    "model.backbone.num_key_value_heads=2",
    "model.backbone.head_dim=16",
    "trainer.num_train_epochs=2",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Three shops whose items have vectors by kind, and settings of a run of a second."""
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    vectors = []
    for number, name in enumerate("abc"):
        items, interactions = (table.with_columns(pl.col("item_id") + name) for table in make_tables(seed=number))
        vector = rng.normal(size=(60, 24)) + 3 * np.eye(24)[np.arange(60) % 6]
        vector[8] = vector[2]
        vectors.append(pl.DataFrame({"item_id": items["item_id"], "vector": vector.astype(np.float32).tolist()}))
        items.write_ndjson(folder / f"{name}.jsonl")
        interactions.write_csv(folder / f"{name}.csv")
    pl.concat(vectors).write_parquet(folder / "vectors.parquet")
    encoder = f"encoder.name=precomputed','encoder.path={folder}/vectors.parquet','encoder.normalize=true"
    quantizer = "quantizer.levels=[4,3]','quantizer.epochs=3','quantizer.hidden=[16]"
    tokenizer = f"tokenizer_settings=['{encoder}','{quantizer}']"
    return folder, [*NETWORK, "trainer.per_device_train_batch_size=4", tokenizer]


def run(*arguments):
    from genrec.cli.main import app

    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done


def pretrain_command(world, out, *more):
    folder, settings = world
    domains = [part for name in "ab" for part in ("--domain", f"{name}={folder}/{name}.jsonl,{folder}/{name}.csv")]
    return ["pretrain", "--out", out, *domains, *(part for value in settings for part in ("--set", value)), *more]


@pytest.fixture(scope="module")
def pretrained(world):
    """Made with the command line."""
    out = world[0] / "recgpt"
    done = run(*pretrain_command(world, out))
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def index(world, pretrained):
    out = world[0] / "index-c"
    done = run(
        *("index", "build", world[0] / "c.jsonl", "--quantizer", pretrained, "--out", out),
        *("--vectors", world[0] / "vectors.parquet"),
    )
    assert done.exit_code == 0, done.output
    return out


HISTORIES = [["i001c", "i007c", "i013c"], ["i002c"], ["i040c", "i041c"]]


def test_a_new_catalogue_is_recommended_from_at_once(world, pretrained, index):
    out = world[0] / "recs.parquet"
    done = run("generate", pretrained, world[0] / "c.csv", "--index", index, "--k", "5", "--out", out)
    assert done.exit_code == 0, done.output
    found = pl.read_parquet(out)
    assert found.height == 5 * 80
    assert set(found["item_id"]) <= set(Catalog.read(world[0] / "c.jsonl").item_ids)


def test_zero_shot_is_far_above_chance_on_the_shop_it_has_not_seen(world, pretrained, index):
    recommender = Recommender.from_pretrained(pretrained, index=SemanticIndex.load(index))
    histories = Interactions.read(world[0] / "c.csv").histories(recommender.item_ids)
    found = recommender.recommend(histories.without_last(1), 10)
    hits = found.ranks_of(histories.items[histories.offsets[1:] - 1]) > 0
    assert hits.mean() > 0.35  # chance is 10 of 60


def test_words_count_without_any_training(pretrained, index):
    """Items of the histories and of the lists share their brand and kind more often than without."""
    made = SemanticIndex.load(index)
    zero_shot = Recommender.from_pretrained(pretrained, index=made)
    assert zero_shot.options.words == 10
    history = [made.item_ids[:2].tolist()]
    found, without = (zero_shot.recommend(history, 20, options=change) for change in ({}, {"words": 0}))
    shared = np.asarray((made.word_vectors @ made.word_vectors[[0, 1]].T).toarray()).sum(1)
    assert shared[found.items[0]].mean() > shared[without.items[0]].mean()


def test_recommenders_of_one_model_do_not_disturb_each_other(world, pretrained, index):
    foundation = FoundationModel.from_pretrained(pretrained)
    before = foundation.model.codebook_sizes
    first = SemanticIndex.load(index)
    items = Catalog.read(world[0] / "a.jsonl")
    second = foundation.build_index(items.select(np.arange(40)), vectors_from=world[0] / "vectors.parquet")
    one, other = foundation.recommender(first), foundation.recommender(second)
    expected = Recommender.from_pretrained(pretrained, index=first).recommend(HISTORIES, 5)
    for recommender in (one, GenerativeRecommender(one.model, first, one.config)):
        np.testing.assert_array_equal(recommender.recommend(HISTORIES, 5).items, expected.items)
    own = [items.item_ids[[1, 7, 13]].tolist()]
    alone = Recommender.from_pretrained(pretrained, index=second).recommend(own, 5)
    shared = GenerativeRecommender(one.model, second, one.config)  # a network that is bound to other items already
    for recommender in (other, shared):
        np.testing.assert_array_equal(recommender.recommend(own, 5).items, alone.items)
    np.testing.assert_array_equal(one.recommend(HISTORIES, 5).items, expected.items)
    assert (expected.items >= 0).all()
    weights = [next(each.model.parameters()) for each in (one, other, shared)]
    assert weights[0] is weights[1] is weights[2]  # one network in memory
    other.metrics["mine"] = 1
    assert "mine" not in one.metrics
    assert repr(foundation).startswith("FoundationModel(recgpt, ")
    assert "pretrained on a, b" in repr(foundation)
    assert "mine" not in foundation.metrics
    assert foundation.model.codebook_sizes == before


def test_the_index_speaks_the_pretrained_codes_and_trains_nothing(pretrained, index):
    from genrec.loading import read_tokenizer

    made, tokenizer = SemanticIndex.load(index), read_tokenizer(pretrained)
    assert made.tokenizer.quantizer_fingerprint == tokenizer.quantizer_fingerprint
    np.testing.assert_array_equal(tokenizer.quantizer.encode(made.vectors()), made.codes[:, : made.quantizer_levels])


def test_full_width_beams_equal_the_exact_ranking(pretrained, index):
    recommender = Recommender.from_pretrained(pretrained, index=SemanticIndex.load(index))
    exact = recommender.recommend(HISTORIES, 60)
    beams = recommender.recommend(HISTORIES, 60, options={"exact": False, "beams": 60})
    np.testing.assert_array_equal(exact.items, beams.items)
    np.testing.assert_allclose(exact.scores[exact.items >= 0], beams.scores[beams.items >= 0], atol=1e-4)
    scores = recommender.score_items(HISTORIES)
    assert (exact.items[0] == [item for item in np.argsort(-scores[0]) if item not in (1, 7, 13)] + [-1] * 3).all()


def test_colliding_items_are_reachable_and_a_new_item_is_recommendable(world, pretrained, index):
    made = SemanticIndex.load(index)
    twins = made.catalog.positions(["i002c", "i008c"])
    assert (made.codes[twins[0], :4] == made.codes[twins[1], :4]).all()
    parquet = pl.read_parquet(world[0] / "vectors.parquet")
    cold = parquet.filter(pl.col("item_id") == "i001c").with_columns(pl.lit("cold").alias("item_id"))
    pl.concat([parquet, cold]).write_parquet(world[0] / "vectors.parquet")
    new = Catalog.from_frame(pl.DataFrame({"item_id": ["cold"], "title": ["red tea 0"], "categories": [["tea"]]}))
    grown = made.encode_new(new, vectors_from=world[0] / "vectors.parquet")
    recommender = Recommender.from_pretrained(pretrained, index=grown)
    found = recommender.recommend([["i001c"], ["i002c"]], 10).item_ids
    assert "cold" in found[0]
    assert "i008c" in found[1]


def test_few_shot_starts_from_the_pretrained_weights(world, pretrained, index):
    arguments = ["train", index, world[0] / "c.csv", "--config", "recgpt-small"]
    settings = [part for value in NETWORK for part in ("--set", value)]
    done = run(*arguments, *settings, "--init", pretrained, "--out", world[0] / "tuned")
    assert done.exit_code == 0, done.output
    tuned = Recommender.from_pretrained(world[0] / "tuned")
    assert tuned.recommend(HISTORIES, 3).items.shape == (3, 3)
    assert tuned.model.config.dropout == 0.2
    wrong = run(*arguments, "--init", pretrained, "--out", world[0] / "wrong")
    assert wrong.exit_code == 1
    assert "another model.backbone" in wrong.output
    report = run(
        "evaluate", world[0] / "tuned", world[0] / "c.csv", "--out", world[0] / "report", "--baseline", "popularity"
    )
    assert report.exit_code == 0, report.output


def test_pretraining_learns_how_far_counts_can_be_trusted(world, pretrained, index):
    from genrec.training.pretrain_config import PretrainConfig

    known = FoundationModel.from_pretrained(pretrained).experience
    assert [(trial.catalogue, trial.share) for trial in known.trials] == [
        (name, share) for name in "ab" for share in PretrainConfig().prior_shares
    ]
    counted = np.asarray(known.trials[-1].ndcg)
    assert (counted[:, 0] == counted[0, 0]).all()
    assert known.trials[-1].best == counted.max() > counted[0, 0] == known.trials[-1].alone > 0
    assert f"| {known.trials[-1].alone:.4f} | {known.trials[-1].best:.4f} |" in (pretrained / "README.md").read_text()
    arguments = ["train", index, world[0] / "c.csv", "--config", "recgpt-small", "--init", pretrained]
    settings = [*NETWORK, "trainer.num_train_epochs=1", "validation.users=1"]
    done = run(*arguments, *(part for value in settings for part in ("--set", value)), "--out", world[0] / "counted")
    assert done.exit_code == 0, done.output
    assert "transition-counts" in done.output
    tuned = Recommender.from_pretrained(world[0] / "counted")
    gain = known.gain(tuned.metrics["train_users"] * 4 / 60)
    chosen = gain[known.settings.index(tuned.options.prior.settings), known.weights.index(tuned.options.prior.weight)]
    assert chosen > 0.7 * gain.max()  # one case does not overrule the trials


def test_a_prior_is_not_learned_without_what_pretraining_knew(world, pretrained, index, tmp_path):
    gone, out = tmp_path / "pretrained", tmp_path / "tuned"
    shutil.copytree(pretrained, gone)
    settings = [*NETWORK, "trainer.max_steps=1"]
    arguments = ["train", index, world[0] / "c.csv", "--config", "recgpt-small", "--init", gone, "--out", out]
    arguments += [part for value in settings for part in ("--set", value)]
    assert run(*arguments, "--set", "generation.prior=null").exit_code == 0
    shutil.rmtree(gone)
    assert run(*arguments, "--set", "generation.prior=null").exit_code == 0
    refused = run(*arguments)
    assert refused.exit_code == 1
    assert "not a genrec recommender" in refused.output
    assert str(gone) in refused.output.replace("\n", "")
    assert Recommender.from_pretrained(out).options.prior is None


def test_pretraining_that_does_harm_leaves_the_start(world, tmp_path):
    from genrec.training.domains import read_domains
    from genrec.training.pretrain import pretrain
    from genrec.training.pretrain_config import DomainSettings, load_pretrain_config

    folder, settings = world
    harm = [*settings, "trainer.learning_rate=3.0", "trainer.warmup_steps=0", "validate_on=[b]", "prior_shares=[]"]
    config = load_pretrain_config("recgpt-pretrain", harm)
    tables = [DomainSettings(name=n, items=folder / f"{n}.jsonl", interactions=folder / f"{n}.csv") for n in "ab"]
    made = pretrain(read_domains(config.model_copy(update={"domains": tuple(tables)})), config, tmp_path / "made")
    assert made.metrics["validation"] == made.metrics["start"]
    assert made.metrics["best_epoch"] == 0
    assert made.experience is None
    assert not (tmp_path / "made" / "prior.json").exists()


def test_training_that_does_harm_leaves_the_pretrained_weights(world, pretrained, index):
    out = world[0] / "harmed"
    settings = [*NETWORK, "trainer.learning_rate=3.0", "trainer.warmup_steps=0", "generation.prior=null"]
    done = run(
        *("train", index, world[0] / "c.csv", "--config", "recgpt-small", "--init", pretrained, "--out", out),
        *(part for value in settings for part in ("--set", value)),
    )
    assert done.exit_code == 0, done.output
    assert "epoch 0" in done.output
    kept, before = Recommender.from_pretrained(out), FoundationModel.from_pretrained(pretrained)
    assert kept.metrics["validation"] == kept.metrics["start"]
    for name, weight in before.model.state_dict().items():
        assert torch.equal(kept.model.state_dict()[name], weight), name


@pytest.mark.parametrize("chosen", [True, False])
def test_without_a_choice_among_epochs_what_was_trained_stays(chosen, world, pretrained, index):
    out = world[0] / f"chosen-{chosen}"
    settings = [*NETWORK, "trainer.learning_rate=3.0", "trainer.warmup_steps=0", "generation.prior=null"]
    settings += ["trainer.metric_for_best_model=recall@10"] if chosen else ["trainer.load_best_model_at_end=false"]
    done = run(
        *("train", index, world[0] / "c.csv", "--config", "recgpt-small", "--init", pretrained, "--out", out),
        *(part for value in settings for part in ("--set", value)),
    )
    assert done.exit_code == 0, done.output
    kept, before = Recommender.from_pretrained(out).model, FoundationModel.from_pretrained(pretrained).model
    same = all(torch.equal(kept.state_dict()[name], weight) for name, weight in before.state_dict().items())
    assert same == chosen


def test_evaluate_takes_a_pretrained_recommender_with_an_index(world, pretrained, index):
    arguments = ["evaluate", pretrained, world[0] / "c.csv", "--out", world[0] / "zero", "--baseline", "popularity"]
    done = run(*arguments, "--index", index)
    assert done.exit_code == 0, done.output
    assert "generative" in (world[0] / "zero" / "metrics.md").read_text()
    done = run(*arguments, "--overwrite")
    assert done.exit_code == 1
    assert "no catalogue of its own" in done.output


def test_an_index_with_another_quantizer_is_refused(pretrained, tiny_index):
    from genrec.generative.pretrained import FoundationModel

    with pytest.raises(ArtifactError, match="another quantizer"):
        FoundationModel.from_pretrained(pretrained).recommender(tiny_index)


def test_a_frozen_quantizer_cannot_be_changed(world, pretrained):
    done = run(
        "index", "build", world[0] / "c.jsonl", "--quantizer", pretrained, "--set", "quantizer.slots=2", "--out", "no"
    )
    assert done.exit_code == 1
    assert "frozen quantizer" in done.output


def test_a_stopped_run_ends_where_an_uninterrupted_one_does(world, pretrained):
    """Resumed training ends with the same weights, and the same command again returns what is there."""
    from genrec.generative.pretrained import FoundationModel
    from genrec.training.domains import read_domains
    from genrec.training.pretrain import pretrain
    from genrec.training.pretrain_config import DomainSettings, load_pretrain_config
    from genrec.training.session import TrainingStoppedError
    from genrec.training.trainer import StopOnRequest

    folder, settings = world
    config = load_pretrain_config("recgpt-pretrain", settings)
    tables = [DomainSettings(name=n, items=folder / f"{n}.jsonl", interactions=folder / f"{n}.csv") for n in "ab"]
    domains = read_domains(config.model_copy(update={"domains": tuple(tables)}))
    stop = StopOnRequest()
    stop.requested = True
    with pytest.raises(TrainingStoppedError, match="step 1 of"):
        pretrain(domains, config, folder / "stopped", callbacks=[stop])
    resumed = pretrain(domains, config, folder / "stopped")
    whole = FoundationModel.from_pretrained(pretrained)
    for (name, one), (_, other) in zip(resumed.model.named_parameters(), whole.model.named_parameters(), strict=True):
        assert one.equal(other), name
    assert json.loads((folder / "stopped" / "recommender.json").read_text())["kind"] == "foundation"
    again = pretrain(domains, config, folder / "stopped")
    assert again.metrics["steps"] == resumed.metrics["steps"]
    other = load_pretrain_config("recgpt-pretrain", [*settings, "seed=1"])
    with pytest.raises(ArtifactError, match="other inputs"):
        pretrain(domains, other, folder / "stopped")


def test_a_domain_may_only_choose_the_epoch(world, tmp_path):
    from genrec.training.domains import read_domains
    from genrec.training.pretrain import pretrain
    from genrec.training.pretrain_config import DomainSettings, load_pretrain_config

    folder, settings = world
    wanted = [*settings, "validate_on=[b]", "validation.users=30"]
    config = load_pretrain_config("recgpt-pretrain", wanted)
    tables = [DomainSettings(name=n, items=folder / f"{n}.jsonl", interactions=folder / f"{n}.csv") for n in "ab"]
    domains = read_domains(config.model_copy(update={"domains": tuple(tables)}))
    made = pretrain(domains, config, tmp_path / "made")
    assert [domain["name"] for domain in made.metrics["domains"]] == ["a"]
    assert sum("eval_ndcg@10" in entry for entry in made.metrics["log"]) == 2
    with pytest.raises(ConfigError, match="Unknown domain 'd'"):
        pretrain(domains, config.model_copy(update={"validate_on": ("d",)}), tmp_path / "no")
    with pytest.raises(ConfigError, match="No domain is left"):
        pretrain(domains, config.model_copy(update={"validate_on": ("a", "b")}), tmp_path / "no")


def test_encoders_that_learn_from_their_catalogue_are_refused(world, tmp_path):
    from genrec.training.domains import read_domains
    from genrec.training.pretrain import pretrain
    from genrec.training.pretrain_config import DomainSettings, load_pretrain_config

    folder, _ = world
    config = load_pretrain_config("recgpt-pretrain", ["tokenizer=fsq-recgpt"])
    table = DomainSettings(name="a", items=folder / "a.jsonl", interactions=folder / "a.csv")
    with pytest.raises(ConfigError, match="learns from its catalogue"):
        pretrain(read_domains(config.model_copy(update={"domains": (table,)})), config, tmp_path / "no")
    with pytest.raises(ConfigError, match="at least one domain"):
        read_domains(config)
