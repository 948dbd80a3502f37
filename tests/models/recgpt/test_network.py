"""RecGPT: no leak, padding and packing change nothing, decoding both ways, round trip, refusals."""

import numpy as np
import pytest
import torch
from support import QWEN

from genrec.decoding.beam import beam_search
from genrec.decoding.device_trie import DeviceTrie
from genrec.decoding.slots import score_by_slots, top_by_slots
from genrec.errors import ConfigError, ModelError
from genrec.models import build_model, load_model
from genrec.models.recgpt.code_vectors import CodeVectors
from genrec.trie import Trie

SIZES, SUFFIX, DIM = (6, 6, 6), 16, 12
GPT2 = {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}


def catalogue(n=30, seed=0):
    """Codes with a suffix that tells twins apart, and vectors."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 6, (n, 3)).astype(np.int32)
    codes[1] = codes[0]
    suffix = [int((codes[:i] == codes[i]).all(1).sum()) for i in range(n)]
    return np.column_stack([codes, suffix]).astype(np.int32), rng.normal(size=(n, DIM)).astype(np.float32)


def recgpt(backbone=None, seed=0, **settings):
    torch.manual_seed(seed)
    given = {"slots": 3, "vector_dim": DIM, "steps": [3, 2], **settings}
    model = build_model("recgpt", (*SIZES, SUFFIX), backbone=backbone or QWEN, **given).eval()
    with torch.no_grad():  # what starts at zero must matter in a test
        for name, weight in model.named_parameters():
            if name in ("output", "slot_embedding"):
                weight.normal_(std=0.5)
    if given["vector_dim"]:
        codes, vectors = catalogue()
        model._catalogue = CodeVectors.of(codes, vectors, SIZES, model.config.parts)
    return model


def batch(items):
    codes, vectors = catalogue()
    items = torch.as_tensor(items)
    known = items.clamp_min(0)
    return {
        "codes": torch.from_numpy(codes.astype(np.int64))[known],
        "mask": items >= 0,
        "vectors": torch.from_numpy(vectors)[known],
    }


HISTORIES = [[3, 4, 5, 6, 7], [0, 9, 12, -1, -1]]
VARIANTS = {
    "hybrid": {},
    "causal": {"attention": "causal"},
    "set": {"attention": "set"},
    "rows": {"scores": "rows", "loss": "slots", "pooling": 0, "vector_dim": 0},
    "slices": {"parts": "slices", "loss": "slots"},
    "autoregressive": {
        "attention": "causal",
        "head": "autoregressive",
        "auxiliary": False,
        "pooling": 0,
        "loss": "slots",
    },
    "gpt2": {"backbone": GPT2},
}


@pytest.fixture(params=sorted(VARIANTS))
def model(request):
    return recgpt(**VARIANTS[request.param])


@torch.no_grad()
def test_a_later_item_changes_no_earlier_prediction(model):
    data = batch(HISTORIES)
    early = torch.zeros_like(data["mask"])
    early[:, :4] = True
    before = float(model(**data, target_mask=early).loss)
    changed = batch([[3, 4, 5, 6, 20], HISTORIES[1]])
    assert float(model(**changed, target_mask=early).loss) == pytest.approx(before, abs=1e-6)
    nearer = batch([[3, 4, 20, 6, 7], HISTORIES[1]])
    assert float(model(**nearer, target_mask=early).loss) != pytest.approx(before, abs=1e-4)


@torch.no_grad()
def test_predictions_up_to_an_item_ignore_what_follows_position_by_position():
    model = recgpt()
    one, two = batch([[3, 4, 5, 6, 7]]), batch([[3, 4, 5, 8, 9]])
    states = []
    for data in (one, two):
        position = torch.arange(5)[None]
        segment = torch.zeros_like(position)
        states.append(model._hidden(data["codes"], data["vectors"], segment, position))
    torch.testing.assert_close(states[0][:, :3], states[1][:, :3], atol=1e-6, rtol=0)
    assert not torch.allclose(states[0][:, 3:], states[1][:, 3:])


@torch.no_grad()
def test_padding_side_and_batch_do_not_change_a_user(model):
    right = model.step(model.prefill(**batch(HISTORIES))).logits
    left = model.step(model.prefill(**batch([HISTORIES[0], [-1, -1, 0, 9, 12]]))).logits
    torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)
    alone = model.step(model.prefill(**batch([[0, 9, 12]]))).logits
    torch.testing.assert_close(alone[0], right[1], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_packed_users_cost_and_give_the_same_as_apart(model):
    apart = model(**batch(HISTORIES))
    packed = model(**batch([[3, 4, 5, 6, 7, 0, 9, 12]]), segments=torch.tensor([[0, 0, 0, 0, 0, 1, 1, 1]]))
    assert int(apart.n_targets) == int(packed.n_targets) == 6
    assert float(packed.loss) == pytest.approx(float(apart.loss), abs=1e-5)


def state_for(model, users=None):
    return model.prefill(**batch(users or HISTORIES))


@torch.no_grad()
def test_slot_sum_equals_brute_force_and_full_width_beam_equals_slot_sum():
    model, (codes, _) = recgpt(), catalogue()
    trie = DeviceTrie(Trie.from_codes(codes, (*SIZES, SUFFIX)))
    slots = model.slot_scores(state_for(model))
    brute = sum(slots[level][:, codes[:, level]] for level in range(4))
    torch.testing.assert_close(score_by_slots(trie, slots), brute)
    items, scores = top_by_slots(trie, slots, 30)
    found, beams = beam_search(model, state_for(model), trie, 2, beams=30)
    torch.testing.assert_close(beams, scores, atol=1e-5, rtol=1e-5)
    assert torch.equal(found, items)


@torch.no_grad()
def test_colliding_items_are_all_reachable_in_the_order_of_their_suffix():
    model, (codes, _) = recgpt(), catalogue()
    assert (codes[0, :3] == codes[1, :3]).all()
    trie = DeviceTrie(Trie.from_codes(codes, (*SIZES, SUFFIX)))
    for items in (
        top_by_slots(trie, model.slot_scores(state_for(model)), 30)[0],
        beam_search(model, state_for(model), trie, 2, beams=30)[0],
    ):
        assert sorted(items[0].tolist()) == list(range(30))
        for row in items.tolist():
            assert row.index(1) == row.index(0) + 1


@torch.no_grad()
def test_filters_hold_for_both_ways_of_decoding():
    model, (codes, _) = recgpt(), catalogue()
    trie = DeviceTrie(Trie.from_codes(codes, (*SIZES, SUFFIX)))
    forbidden = torch.tensor([[0, 5], [7, -1]])
    allowed = torch.tensor([[0, 1, 2, 3], [7, 8, 9, 10]])
    exact = top_by_slots(trie, model.slot_scores(state_for(model)), 4, forbidden=forbidden, allowed=allowed)
    beams = beam_search(model, state_for(model), trie, 2, beams=30, forbidden=forbidden, allowed=allowed)
    assert exact[0].tolist() == beams[0][:, :4].tolist()
    assert set(exact[0][0].tolist()) == {1, 2, 3, -1}


@torch.no_grad()
def test_an_empty_history_gives_every_item_the_same_finite_score():
    model = recgpt()
    scores = model.step(model.prefill(**batch([[3, 4], [-1, -1]]))).logits[1, 0]
    assert scores[scores > -torch.inf].std() < 1e-6


@torch.no_grad()
def test_autoregressive_steps_agree_with_the_training_loss():
    model = recgpt(**VARIANTS["autoregressive"])
    state = model.prefill(**batch([[3, 4, 5]]))
    codes = catalogue()[0].astype(np.int64)[6]
    total = float(model.step(state).logits[0, 0, codes[0]])
    for level in (1, 2):
        output = model.step(state, torch.tensor([[codes[level - 1]]]), torch.zeros(1, 1, dtype=torch.long))
        total += float(output.logits[0, 0, codes[level]])
    target = torch.tensor([[False, False, False, True]])
    assert -float(model(**batch([[3, 4, 5, 6]]), target_mask=target).loss) == pytest.approx(total, abs=1e-4)


def test_training_learns(model):
    model.train()
    data = batch([[3, 4, 5, 6, 7], [0, 9, 12, 3, 4]])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        loss = model(**data).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def test_saved_models_load_with_the_same_predictions(model, tmp_path):
    model.save_pretrained(tmp_path)
    again = load_model(tmp_path).eval()
    again._catalogue = model._catalogue
    assert type(again) is type(model)
    with torch.no_grad():
        before, after = (one.step(one.prefill(**batch(HISTORIES))).logits for one in (model, again))
    torch.testing.assert_close(after, before, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"head": "autoregressive"}, "missing when decoding"),
        ({"attention": "causal", "head": "autoregressive"}, "not known while"),
        ({"vector_dim": 0}, "only be scored by vectors"),
        ({"scores": "rows"}, "Text pooling scores codes"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, match):
    with pytest.raises(ModelError, match=match):
        recgpt(**settings)


def test_an_unknown_setting_is_refused_by_name():
    with pytest.raises(ConfigError, match="attentoin"):
        build_model("recgpt", SIZES, attentoin="causal")
