"""A quantizer, a network and an objective of somebody else's package: found, used and saved, with no edit in genrec."""

import shutil
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from typer.testing import CliRunner

from genrec.index import SemanticIndex
from genrec.models import NETWORKS, build_model, load_model
from genrec.quantizers import QUANTIZERS, build_quantizer
from genrec.recommender import Recommender
from genrec.training.objectives import OBJECTIVES, build_objective

HERE = Path(__file__).parent / "outside"
POINTS = """\
[genrec.quantizers]
signs = outside_genrec.signs:Signs
[genrec.networks]
outside-gru = outside_genrec.gru:GRUModel
[genrec.objectives]
focal = outside_genrec.focal:Focal
"""


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """The package as pip would leave it."""
    site = tmp_path / "site"
    shutil.copytree(HERE, site / "outside_genrec")
    made = site / "outside_genrec-1.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-genrec\nVersion: 1.0\n")
    (made / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(site))
    for registry in (QUANTIZERS, NETWORKS, OBJECTIVES):
        monkeypatch.setattr(registry, "_known", dict(registry._known))
        registry.__dict__.pop("_entry_points", None)
    yield site / "outside_genrec"
    for registry in (QUANTIZERS, NETWORKS, OBJECTIVES):
        registry.__dict__.pop("_entry_points", None)
    for name in [name for name in sys.modules if name.split(".")[0] == "outside_genrec"]:
        del sys.modules[name]


def run(*arguments):
    from genrec.cli.main import app

    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done


def test_an_outside_package_goes_the_whole_way(outside, tables, tmp_path):
    items, interactions = tables
    index, model, lists = tmp_path / "index", tmp_path / "model", tmp_path / "lists.parquet"
    run("index", "build", items, "--tokenizer", outside / "signs.yaml", "--out", index)
    run("train", index, interactions, "--config", outside / "gru.yaml", "--out", model)
    run("generate", model, interactions, "--k", 5, "--out", lists)
    built = SemanticIndex.load(index)
    assert built.codebook_sizes[:2] == (8, 8)
    found = pl.read_parquet(lists)
    assert set(found["item_id"]) <= set(built.item_ids)
    assert found.height == 5 * found["user_id"].n_unique()
    recommender = Recommender.from_pretrained(model)
    assert type(recommender.model).__name__ == "GRUModel"
    assert recommender.config.objective == {"name": "focal", "gamma": 1.0}


def test_the_quantizer_keeps_the_promises(outside):
    vectors = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    quantizer, again = build_quantizer({"name": "signs"}), build_quantizer({"name": "signs"})
    quantizer.fit(vectors, seed=0)
    again.load_state(*quantizer.state())
    codes = quantizer.encode(vectors)
    assert codes.dtype == np.int32
    assert (codes < np.array(quantizer.codebook_sizes)).all()
    assert (again.encode(vectors) == codes).all()


@torch.no_grad()
def test_the_network_searches_as_it_learns(outside, tmp_path):
    model = build_model("outside-gru", (4, 5), hidden=8).eval()
    codes, mask = torch.tensor([[[0, 1], [3, 4], [2, 2]]]), torch.ones(1, 3, dtype=torch.bool)
    state = model.prefill(codes[:, :2], mask[:, :2])
    first = model.step(state).log_softmax(-1)[0, 0, 2]
    second = model.step(state, torch.tensor([[2]]), torch.tensor([[0]])).log_softmax(-1)[0, 0, 2]
    last = torch.tensor([[False, False, True]])
    torch.testing.assert_close(
        model.log_likelihood({"codes": codes, "mask": mask, "target_mask": last})[0], first + second
    )
    model.save_pretrained(tmp_path / "gru")
    again = load_model(tmp_path / "gru").eval()
    torch.testing.assert_close(again(codes, mask).loss, model(codes, mask).loss)


def test_the_objective_is_the_likelihood_where_it_does_not_focus(outside):
    model = build_model("outside-gru", (4, 5), hidden=8).eval()
    batch = {"codes": torch.tensor([[[0, 1], [3, 4]]]), "mask": torch.ones(1, 2, dtype=torch.bool)}

    def loss(gamma):
        return build_objective({"name": "focal", "gamma": gamma}).loss(lambda rows: model(**rows), batch).loss

    torch.testing.assert_close(loss(0), model(**batch).loss)
    assert loss(2) < loss(0)
