"""Fewer layers learn from more: a copy has nothing to learn, a smaller network comes nearer."""

import numpy as np
import pytest
import torch
from support import QWEN

from genrec.errors import ArtifactError, ConfigError
from genrec.generative.recommender import GenerativeRecommender
from genrec.models import build_model
from genrec.training.objectives import build_objective
from genrec.training.objectives.block_distill import ends_of_blocks


@pytest.fixture
def network(tiny_index):
    def build(layers, seed=0, **fields):
        torch.manual_seed(seed)
        backbone = {**QWEN, "num_hidden_layers": layers, **fields}
        return build_model("item-decoder", tiny_index.codebook_sizes, backbone=backbone, dropout=0.0).eval()

    return build


@pytest.fixture
def teacher(network, tiny_index, tiny_config, tmp_path):
    """A folder with four layers, and its network."""
    model = network(4, seed=1)
    GenerativeRecommender(model, tiny_index, tiny_config).save_pretrained(tmp_path / "teacher")
    return str(tmp_path / "teacher"), model


def batch_of(index):
    rows = torch.from_numpy(np.random.default_rng(0).integers(0, len(index.item_ids), (6, 5)))
    mask = torch.ones(6, 5, dtype=torch.bool)
    mask[2, 3:] = False
    return {"codes": torch.from_numpy(np.asarray(index.codes, dtype=np.int64))[rows], "mask": mask}


def told(objective, model, batch):
    output = objective.loss(lambda rows: model(**rows), batch)
    return output.loss, objective.figures()


def test_a_copy_has_nothing_to_learn_from_its_teacher(network, teacher, tiny_index, tiny_config):
    model, batch = network(4), batch_of(tiny_index)
    content = {"name": "block-distill", "teacher": teacher[0], "blocks": 4, "heads": 0.0}
    objective = build_objective(content)
    objective.prepare(model, tiny_index, tiny_config)
    loss, figures = told(objective, model, batch)
    assert figures["direction"] == pytest.approx(0, abs=1e-6)
    assert figures["length"] == pytest.approx(0, abs=1e-5)
    torch.testing.assert_close(loss, teacher[1](**batch).loss)
    other = build_objective({**content, "copy_layers": False})
    stranger = network(4, seed=2)
    other.prepare(stranger, tiny_index, tiny_config)
    assert told(other, stranger, batch)[1]["direction"] > 0.1


def test_the_student_starts_from_the_first_layers_and_comes_nearer(network, teacher, tiny_index, tiny_config):
    model, batch = network(2), batch_of(tiny_index)
    objective = build_objective({"name": "block-distill", "teacher": teacher[0], "likelihood": 0.0})
    objective.prepare(model, tiny_index, tiny_config)
    first = "layers.1.mlp.down_proj.weight"
    assert torch.equal(model.history.state_dict()[first], teacher[1].history.state_dict()[first])
    before = {name: weight.clone() for name, weight in objective.teacher.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    figures = []
    for _ in range(30):
        optimizer.zero_grad()
        loss, found = told(objective, model, batch)
        loss.backward()
        optimizer.step()
        figures.append(found)
    for name in ("direction", "length", "heads"):
        assert figures[-1][name] < 0.7 * figures[0][name], name
    for name, weight in objective.teacher.state_dict().items():
        assert torch.equal(weight, before[name])
    assert "helpers.block_0.weight" in model.state_dict()
    objective.finish(model)
    assert not any("teacher" in name or "helpers" in name for name in model.state_dict())


def test_layers_end_where_blocks_do():
    layers = torch.arange(5.0)[:, None, None]
    assert ends_of_blocks(layers, 1).flatten().tolist() == [4]
    assert ends_of_blocks(layers, 2).flatten().tolist() == [2, 4]
    assert ends_of_blocks(layers[:4], 2).flatten().tolist() == [1, 3]
    assert ends_of_blocks(layers, 5).flatten().tolist() == [0, 1, 2, 3, 4]


def test_the_last_layer_is_what_items_are_written_from(network, tiny_index):
    model, batch = network(3), batch_of(tiny_index)
    layers, targets = model.layer_states(**batch)
    assert len(layers) == 3
    torch.testing.assert_close(layers[-1], model(**batch).states)
    assert int(targets.sum()) == layers.shape[1]


@pytest.mark.parametrize(
    ("layers", "fields", "settings", "says"),
    [
        (2, {}, {"teacher": None}, "no teacher"),
        (2, {"hidden_size": 64}, {}, "cannot be compared"),
        (1, {}, {}, "network cannot be cut .* 1 layer"),
    ],
)
def test_a_teacher_that_does_not_fit_is_named(
    layers, fields, settings, says, network, teacher, tiny_index, tiny_config
):
    objective = build_objective({"name": "block-distill", "teacher": teacher[0], **settings})
    with pytest.raises(ConfigError, match=says):
        objective.prepare(network(layers, **fields), tiny_index, tiny_config)


def test_a_run_does_not_go_on_with_another_teacher(network, teacher, tiny_index, tiny_config):
    objective = build_objective({"name": "block-distill", "teacher": teacher[0]})
    objective.prepare(network(2), tiny_index, tiny_config)
    kept = objective.state()
    objective.load_state(kept)
    with pytest.raises(ArtifactError, match="teacher has changed"):
        objective.load_state({**kept, "teacher": torch.zeros(8, dtype=torch.uint8)})
