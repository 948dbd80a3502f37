"""Latent steps: none is the item decoder, each sees what it may, and users stop when nothing changes."""

import itertools

import pytest
import torch
from support import QWEN

from genrec.errors import ConfigError
from genrec.models import build_model

SIZES = (5, 6, 4)


def network(architecture="latent-steps", **fields):
    torch.manual_seed(0)
    model = build_model(architecture, SIZES, backbone=QWEN, dropout=0.0, **fields).eval()
    with torch.no_grad():
        model.output_table.weight.mul_(30)
        if getattr(model, "step_vectors", None) is not None:
            model.step_vectors.mul_(20)
    return model


def batch(users=4, items=5, left=False):
    generator = torch.Generator().manual_seed(1)
    codes = torch.stack([torch.randint(0, size, (users, items), generator=generator) for size in SIZES], dim=-1)
    mask = torch.ones(users, items, dtype=torch.bool)
    mask[1, 2:] = mask[3, 1:] = False
    return (codes.flip(1), mask.flip(1)) if left else (codes, mask)


def test_no_step_is_the_item_decoder():
    plain, none, two = network("item-decoder"), network(steps=0), network(steps=2)
    for model in (none, two):
        missing = model.load_state_dict(plain.state_dict(), strict=False)
        assert set(missing.missing_keys) <= {"step_vectors"}
    codes, mask = batch()
    expected = plain(codes, mask)
    torch.testing.assert_close(none(codes, mask).loss, expected.loss)
    torch.testing.assert_close(none.prefill(codes, mask).user, plain.prefill(codes, mask).user)
    assert not torch.isclose(two(codes, mask).loss, expected.loss)
    # the state before any step is that of the item decoder, whatever comes after it
    torch.testing.assert_close(two.step_states(codes, mask)[0][0], expected.states)


@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_search_takes_the_steps_of_training(pooling, rescale, left):
    """What is read behind the newest item alone is what training reads behind every item at once."""
    model = network(steps=3, pooling=pooling, rescale=rescale)
    codes, mask = batch(left=left)
    state = model.prefill(codes, mask)
    states, columns = model.states(codes, mask)
    last = torch.where(columns, torch.arange(columns.shape[1]), -1).amax(1)
    torch.testing.assert_close(state.user, model.begin(states[torch.arange(4), last]), atol=1e-5, rtol=1e-5)
    assert state.steps.tolist() == [3] * 4


def test_a_step_sees_its_own_item_and_what_was_before():
    model = network(steps=2)
    codes, mask = batch()
    before, _ = model.step_states(codes, mask)
    changed = codes.clone()
    changed[0, 3] = (changed[0, 3] + 1) % torch.tensor(SIZES)
    after, _ = model.step_states(changed, mask)
    same = [torch.allclose(before[:, n], after[:, n], atol=1e-6) for n in range(5)]  # of the first user
    assert same == [True, True, True, True, False]
    for step in range(1, 3):
        assert not torch.allclose(before[step], before[step - 1], atol=1e-3)


def test_training_computes_the_same_as_search():
    """Training goes through faster layers; without dropout they say the same, steps included."""
    model = network(steps=2)
    codes, mask = batch()
    expected, _ = model.step_states(codes, mask)
    found, _ = model.train().step_states(codes, mask)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    found.sum().backward()
    assert bool((model.step_vectors.grad.abs().sum(1) > 0).all())


def test_users_stop_when_their_first_code_no_longer_changes():
    codes, mask = batch()
    whole = network(steps=4)
    rounds = [network(steps=n).prefill(codes, mask) for n in range(5)]
    chances = [whole._first_codes_of(one.user) for one in rounds]
    moved = [(b.exp() * (b - a)).sum(-1) for a, b in itertools.pairwise(chances)]
    halt = float(moved[0].detach().sort().values[2])
    found = network(steps=4, halt=halt).prefill(codes, mask)
    for user in range(4):
        small = [step for step in range(4) if moved[step][user] < halt]
        taken = small[0] + 1 if small else 4
        assert int(found.steps[user]) == taken
        torch.testing.assert_close(found.user[user], rounds[taken].user[user], atol=1e-5, rtol=1e-5)
    assert len(set(found.steps.tolist())) > 1


def test_wrong_settings_are_said():
    with pytest.raises(ConfigError, match="steps"):
        network(steps=-1)
    with pytest.raises(ConfigError, match="pooling"):
        network(pooling="first")
