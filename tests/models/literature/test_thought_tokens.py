"""Thoughts ahead of an item: a greedy fit of what it adds to the history; none is the item decoder."""

import numpy as np
import pytest
import torch
from support import QWEN

from genrec.errors import ConfigError
from genrec.models import build_model

SIZES = (5, 6, 4)


def network(architecture="thought-tokens", **fields):
    torch.manual_seed(0)
    model = build_model(architecture, SIZES, backbone=QWEN, dropout=0.0, **fields).eval()
    with torch.no_grad():
        model.output_table.weight.mul_(30)
    return model


def batch(users=4, items=5):
    generator = torch.Generator().manual_seed(1)
    codes = torch.stack([torch.randint(0, size, (users, items), generator=generator) for size in SIZES], dim=-1)
    mask = torch.ones(users, items, dtype=torch.bool)
    mask[1, 2:] = False
    return codes, mask


def test_no_thought_is_the_item_decoder():
    plain, none, two = network("item-decoder"), network(thoughts=0), network(thoughts=2)
    for model in (none, two):
        assert set(model.load_state_dict(plain.state_dict(), strict=False).missing_keys) == {"nothing"}
    codes, mask = batch()
    for ready in (plain, none, two):
        ready.train()
    torch.testing.assert_close(none(codes, mask).loss, plain(codes, mask).loss)
    torch.testing.assert_close(none.prefill(codes, mask).user, plain.prefill(codes, mask).user)
    assert not torch.isclose(two(codes, mask).loss, plain(codes, mask).loss)


def test_thoughts_are_a_greedy_fit_of_what_the_history_lacks():
    model = network(thoughts=3)
    codes, mask = batch()
    lacking = model.lacking(codes, mask)
    embedded = model.input_table.embed(codes).sum(-2)
    torch.testing.assert_close(lacking[0, 3], embedded[0, 3] - embedded[0, :3].mean(0))
    torch.testing.assert_close(lacking[0, 0], embedded[0, 0])
    rows = np.concatenate([model.input_table.weight.detach().numpy(), np.zeros((1, embedded.shape[-1]))])
    for target in lacking[mask].detach():
        left, expected, lengths = target.numpy(), [], [float(target.norm())]
        for _ in range(3):
            expected.append(int(np.linalg.norm(left - rows, axis=1).argmin()))
            left = left - rows[expected[-1]]
            lengths.append(float(np.linalg.norm(left)))
        assert model.fit(target[None])[0].tolist() == expected
        assert lengths == sorted(lengths, reverse=True)


def test_an_item_that_adds_one_code_is_thought_of_as_that_code():
    model = network(thoughts=2)
    found = model.fit(torch.stack([model.input_table.weight[7], torch.zeros(model.state_dim)]).detach())
    assert found.tolist() == [[7, 15], [15, 15]]  # 15 is nothing


def test_thoughts_are_learned_and_then_written_by_search():
    model = network(thoughts=2, thought_weight=1.0).train()
    codes, mask = batch()
    optimizer = torch.optim.Adam([p for name, p in model.named_parameters() if name != "input_table.weight"], lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        model(codes, mask).loss.backward()
        optimizer.step()
    model.eval()
    states = model.states(codes, mask)[0][:, :-1][mask]
    right = model.fit(model.lacking(codes, mask)[mask]) == model.think(states)
    assert float(right.float().mean()) > 0.8
    begun = model.prefill(codes, mask).user
    assert begun.shape[:2] == (4, 3)


def test_search_agrees_with_the_likelihood():
    """The score of every code behind the right ones is the one that the training pass has in evaluation."""
    model = network(thoughts=2)
    codes, mask = batch(users=3)
    state = model.prefill(codes[:, :-1], mask[:, :-1])
    newest = model.states(codes[:, :-1], mask[:, :-1])
    states = newest[0][torch.arange(3), newest[1].sum(1) - 1]
    right = codes[:, -1]
    expected = model.logits_from(states, right)
    beam = torch.zeros(3, 1, dtype=torch.long)
    for level in range(3):
        known = (None, None) if not level else (right[:, level - 1 : level], beam)
        torch.testing.assert_close(model.step(state, *known)[:, 0], expected[level], atol=1e-4, rtol=1e-4)


def test_wrong_settings_are_said():
    with pytest.raises(ConfigError, match="thoughts"):
        network(thoughts=-1)
