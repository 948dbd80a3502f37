"""The loss over legal codes: against brute force, in every network, and what it leaves out."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from genrec.models.legal_codes import LegalCodes, code_terms
from genrec.trie import Trie

SIZES = (5, 6, 7)


def catalogue(n=40, seed=0):
    every = np.argwhere(np.ones(SIZES))
    return every[np.random.default_rng(seed).permutation(len(every))[:n]].astype(np.int32)


def test_masks_and_items_equal_the_trie():
    codes = catalogue()
    trie = Trie.from_codes(codes, SIZES)
    legal = LegalCodes(trie)
    tensor = torch.from_numpy(codes).long()
    for level, mask in enumerate(legal.masks(tensor)):
        assert mask.shape == (len(codes), SIZES[level])
        for row, item in zip(mask, codes, strict=True):
            assert row.nonzero()[:, 0].tolist() == trie.children(item[:level]).tolist()
    assert legal.items(tensor).tolist() == list(range(len(codes)))
    other = np.array([code for code in np.argwhere(np.ones(SIZES)) if trie.find([code])[0] < 0][:9])
    assert legal.items(torch.from_numpy(other)).tolist() == [-1] * 9
    for level, mask in enumerate(legal.masks(torch.from_numpy(other))):
        assert mask[torch.arange(9), torch.from_numpy(other[:, level])].all()  # never an infinite loss


def test_cross_entropy_over_the_legal_codes():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 5, generator=generator)
    right = torch.tensor([0, 1, 2, 3, 4, 0])
    every = torch.ones(6, 5, dtype=torch.bool)
    for smoothing in (0.0, 0.3):
        expected = F.cross_entropy(logits, right, reduction="none", label_smoothing=smoothing)
        torch.testing.assert_close(code_terms(logits, right, None, smoothing)[0], expected)
        torch.testing.assert_close(code_terms(logits, right, every, smoothing)[0], expected)
    legal = torch.zeros(6, 5, dtype=torch.bool)
    legal[torch.arange(6), right] = legal[:, 1] = True
    for row in range(6):
        known = logits[row][legal[row]]
        place = int(legal[row][: right[row]].sum())
        expected = F.cross_entropy(known[None], torch.tensor([place]))
        torch.testing.assert_close(code_terms(logits, right, legal)[0][row], expected)
    alone = torch.zeros(6, 5, dtype=torch.bool)
    alone[torch.arange(6), right] = True
    assert code_terms(logits, right, alone, 0.1)[0].abs().max() < 1e-6  # a code without siblings is free


def test_every_network_learns_with_the_restricted_loss(architecture, tiny_model):
    codes = catalogue()
    model = tiny_model(architecture, SIZES, dropout=0.0)
    rng = np.random.default_rng(1)
    batch = torch.from_numpy(codes[rng.integers(0, len(codes), (4, 5))]).long()
    mask = torch.ones(4, 5, dtype=torch.bool)
    target = torch.zeros(4, 5, dtype=torch.bool)
    target[:, -1] = True
    with torch.no_grad():
        everything = float(model(batch, mask, target).loss)
        model.restrict_loss(Trie.from_codes(codes, SIZES))
        restricted = float(model(batch, mask, target).loss)
        masks = model.legal.masks(batch[:, -1])
        state, total = model.prefill(batch[:, :-1], mask[:, :-1]), torch.zeros(4)
        chosen = None
        for level in range(3):
            parents = None if chosen is None else torch.zeros(4, 1, dtype=torch.long)
            logits = model.step(state, chosen, parents)[:, 0].masked_fill(~masks[level], -torch.inf)
            chosen = batch[:, -1, level, None]
            total -= logits.log_softmax(-1).gather(1, chosen)[:, 0]
    assert restricted == pytest.approx(float(total.mean()), abs=1e-4)
    assert restricted < everything
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(10):
        loss = model(batch, mask).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < restricted
