"""Every architecture: decoding agrees with training, padding and batch do not matter, targets do not leak."""

import numpy as np
import pytest
import torch

from genrec.errors import ArtifactError, ConfigError, ModelError
from genrec.models import build_model, load_model
from genrec.models.parts import CodeTable, check_heads

SIZES = (5, 6, 7)


def histories(users=3, items=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.stack([torch.randint(0, size, (users, items), generator=generator) for size in SIZES], dim=-1)
    mask = torch.ones(users, items, dtype=torch.bool)
    mask[1, 3:] = False
    return codes, mask


@torch.no_grad()
def test_step_by_step_search_scores_equal_the_training_loss(architecture, tiny_model):
    model = tiny_model(architecture, SIZES)
    codes, mask = histories()
    state = model.prefill(codes, mask)
    first = model.step(state).log_softmax(-1)
    codes1 = torch.tensor([[0, 3], [1, 2], [4, 0]])
    second = model.step(state, codes1, torch.zeros(3, 2, dtype=torch.long)).log_softmax(-1)
    parents = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 1, 0]])
    codes2 = torch.tensor([[0, 3, 5], [1, 2, 2], [4, 0, 1]])
    third = model.step(state, codes2, parents).log_softmax(-1)
    codes3 = (6, 0, 3)
    for user in range(3):
        for beam in range(3):
            parent = parents[user, beam]
            item = torch.stack([codes1[user, parent], codes2[user, beam], torch.tensor(codes3[beam])])
            searched = first[user, 0, item[0]] + second[user, parent, item[1]] + third[user, beam, item[2]]
            length = int(mask[user].sum())
            whole = torch.cat([codes[user, :length], item[None]])[None]
            target = torch.zeros(1, length + 1, dtype=torch.bool)
            target[0, -1] = True
            loss = model(whole, torch.ones_like(target), target).loss
            assert float(-loss) == pytest.approx(float(searched), abs=1e-4)


@torch.no_grad()
def test_padding_side_and_batch_do_not_change_a_user(architecture, tiny_model):
    model = tiny_model(architecture, SIZES)
    codes, mask = histories()
    right = model.step(model.prefill(codes, mask))
    left_codes, left_mask = codes.clone(), mask.clone()
    left_codes[1] = codes[1].roll(3, 0)
    left_mask[1] = mask[1].roll(3, 0)
    torch.testing.assert_close(model.step(model.prefill(left_codes, left_mask)), right, atol=1e-5, rtol=1e-5)
    alone = model.step(model.prefill(codes[1:2, :3], mask[1:2, :3]))
    torch.testing.assert_close(alone[0], right[1], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_an_empty_history_gets_finite_scores(architecture, tiny_model):
    model = tiny_model(architecture, SIZES)
    codes, mask = histories()
    mask[2] = False
    scores = model.step(model.prefill(codes, mask))
    assert scores.isfinite().all()
    assert not torch.allclose(scores[2], scores[0])


@pytest.mark.parametrize("name", ["item-decoder", "decoder"])
@torch.no_grad()
def test_a_later_item_changes_no_earlier_prediction(name, tiny_model):
    model = tiny_model(name, SIZES)
    codes, mask = histories()
    early = torch.zeros_like(mask)
    early[:, :4] = True
    before = model(codes, mask, early).loss
    codes = codes.clone()
    codes[:, 4:] = (codes[:, 4:] + 1) % torch.tensor(SIZES)
    assert float(model(codes, mask, early).loss) == pytest.approx(float(before), abs=1e-6)
    codes[:, 2] = (codes[:, 2] + 1) % torch.tensor(SIZES)
    assert float(model(codes, mask, early).loss) != pytest.approx(float(before), abs=1e-3)


def test_training_learns_a_fixed_sequence(architecture, tiny_model):
    model = tiny_model(architecture, SIZES, dropout=0.0).train()
    codes, mask = histories()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    first = None
    for _ in range(60):
        loss = model(codes, mask).loss
        first = first or float(loss.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.5 * first


def test_saved_models_load_by_their_type(architecture, tiny_model, tmp_path):
    model = tiny_model(architecture, SIZES, dropout=0.3, max_items=7)
    model.save_pretrained(tmp_path)
    again = load_model(tmp_path).eval()
    assert type(again) is type(model)
    assert again.config.max_items == 7
    codes, mask = histories()
    with torch.no_grad():
        torch.testing.assert_close(again(codes, mask).loss, model(codes, mask).loss, atol=0, rtol=0)


def test_dropout_acts_in_training_only(tiny_model):
    model = tiny_model("decoder", SIZES, dropout=0.5)
    codes, mask = histories()
    assert float(model(codes, mask).loss.detach()) == float(model(codes, mask).loss.detach())
    model.train()
    assert float(model(codes, mask).loss.detach()) != float(model(codes, mask).loss.detach())


def test_code_tables_start_from_codebooks_with_their_geometry():
    rng = np.random.default_rng(0)
    codebook = rng.normal(size=(40, 64)).astype(np.float32)
    table = CodeTable((40, 3), 48)
    untouched = table.level(1).detach().clone()
    table.init_from_codebooks([codebook, None])
    rows = table.level(0).detach()
    assert float(rows.std()) == pytest.approx(0.02, rel=0.01)
    torch.testing.assert_close(table.level(1).detach(), untouched)
    distances = torch.cdist(torch.from_numpy(codebook), torch.from_numpy(codebook)).flatten()
    kept = torch.cdist(rows, rows).flatten()
    assert float(torch.corrcoef(torch.stack([distances, kept]))[0, 1]) > 0.7


def test_wrong_names_and_settings_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'decoder'"):
        build_model("decodr", SIZES)
    with pytest.raises(ModelError, match="backbone"):
        build_model("decoder", SIZES, backbone={"model_type": "no-such-model"})
    with pytest.raises(ArtifactError, match="No model"):
        load_model(tmp_path)


def test_item_vectors_are_read_where_the_model_asks_for_them(tiny_model):
    model = tiny_model("item-decoder", SIZES, vector_dim=4)
    codes, mask = histories()
    vectors = torch.randn(*mask.shape, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        loss = model(codes, mask, vectors=vectors).loss
        assert float(model(codes, mask, vectors=vectors + 1).loss) != pytest.approx(float(loss), abs=1e-4)
        before = model.step(model.prefill(codes, mask, vectors=vectors))
        assert not torch.allclose(model.step(model.prefill(codes, mask, vectors=vectors * 2)), before)
    with pytest.raises(ModelError, match="reads item vectors"):
        model(codes, mask)


@pytest.mark.parametrize("backbone", [None, {}, {"model_type": "llama"}])
@pytest.mark.parametrize("name", ["item-decoder", "decoder"])
def test_a_backbone_without_a_size_is_refused_before_billions_of_parameters_are_made(name, backbone):
    with pytest.raises(ModelError, match="has no size"):
        build_model(name, [4, 4], backbone=backbone)


@pytest.mark.parametrize("heads", [0, 3, -2])
def test_heads_that_cannot_share_a_width(heads):
    check_heads(16, 4, "heads")
    with pytest.raises(ConfigError, match=r"options.heads"):
        check_heads(16, heads, "heads")
