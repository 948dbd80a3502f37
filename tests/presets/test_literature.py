"""Every preset that rebuilds a paper: it trains two steps on the demo shop, is saved and loaded, and recommends."""

import numpy as np
import pytest
import yaml
from preset_support import TEXTS, tiny
from typer.testing import CliRunner

from genrec.assets import asset_dir, remark_of
from genrec.cli.main import app
from genrec.config import parse, read_yaml
from genrec.data.split import split_for
from genrec.generative.config import TrainConfig
from genrec.generative.recommender import GenerativeRecommender
from genrec.training.objectives import build_objective
from genrec.training.train import train

PRESETS = sorted(name for name, text in TEXTS.items() if remark_of(text, "source"))


@pytest.fixture(scope="module")
def teacher(shop, index_for, checkpoint_of, tmp_path_factory):
    """A trained recommender, for presets that learn from one."""
    folder = tmp_path_factory.mktemp("teacher") / "model"
    content = tiny(yaml.safe_load(TEXTS["item-decoder-small"]), checkpoint_of)
    train(index_for("rq-kmeans-3x256"), shop[1], parse(TrainConfig, content), folder)
    return str(folder)


def post_training_moves(recommender, interactions):
    """Whether preferences against the network's own best items have a gradient, by the recommender's own network."""
    model, index = recommender.model, recommender.index
    model.end_decoding()
    model.train_on()
    objective = build_objective({"name": "sdpo", "negatives": 2, "pool": 4})
    objective.prepare(model, index, recommender.config)
    train_part = split_for(interactions, index, recommender.config).train
    batches = objective.batches(model, index, train_part, recommender.config)
    batch = batches.collate([batches.examples[n] for n in range(2)])
    objective.loss(lambda inputs: model(**inputs), batch).loss.backward()
    sizes = [float(weight.grad.abs().max()) for weight in model.parameters() if weight.grad is not None]
    return np.isfinite(sizes).all() and max(sizes) > 0


@pytest.mark.parametrize("preset", PRESETS)
def test_it_trains_is_saved_and_loaded_and_recommends(preset, shop, index_for, checkpoint_of, tmp_path, request):
    index = index_for(remark_of(TEXTS[preset], "index") or "rq-kmeans-3x256")
    content = tiny(read_yaml(asset_dir("presets") / f"{preset}.yaml"), checkpoint_of)
    if "teacher" in content.get("objective", {}):
        content["objective"] |= {"teacher": request.getfixturevalue("teacher"), "blocks": 1}
    made = train(index, shop[1], parse(TrainConfig, content), tmp_path / "model")
    assert made.metrics["steps"] == 2
    again = GenerativeRecommender.from_pretrained(tmp_path / "model")
    histories = [shop[0].item_ids[:5].tolist(), [shop[0].item_ids[7]], []]
    found, expected = again.recommend(histories, 5), made.recommend(histories, 5)
    assert (found.items >= 0).all()
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    alone = again.recommend([[]], 5)  # whoever else asks: a user without a history gets the same
    np.testing.assert_array_equal(alone.items[0], found.items[2])
    np.testing.assert_allclose(alone.scores[0], found.scores[2], atol=1e-5)
    assert post_training_moves(again, shop[1])


def test_the_list_of_presets_names_their_sources():
    done = CliRunner().invoke(app, ["list", "presets"], terminal_width=400)
    listed = " ".join(done.output.split())
    for preset in PRESETS:
        assert remark_of(TEXTS[preset], "source") in listed, preset


def test_every_source_can_be_looked_up_and_has_a_page():
    index = (asset_dir("presets").parent.parent / "docs" / "presets" / "index.md").read_text()
    for preset in PRESETS:
        assert "https://" in remark_of(TEXTS[preset], "source")
        assert f"[{preset}]({preset}.md)" in index
