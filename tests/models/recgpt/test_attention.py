"""Attention policies: truth tables, segments, positions, and pairs that are refused."""

import pytest
import torch

from genrec.errors import ModelError
from genrec.models.recgpt.attention import allowed, check_pairing, item_positions, token_positions

ITEM = torch.tensor([[0, 0, 1, 1, 2, 2]])
LEVEL = torch.tensor([[0, 1, 0, 1, 0, 1]])
TABLES = {
    "causal": ["1.....", "11....", "111...", "1111..", "11111.", "111111"],
    "block-causal": ["11....", "11....", "1111..", "1111..", "111111", "111111"],
    "set": ["1.....", ".1....", "111...", "11.1..", "11111.", "1111.1"],
}


@pytest.mark.parametrize("policy", sorted(TABLES))
def test_truth_table(policy):
    seen = allowed(policy, torch.zeros_like(ITEM), ITEM, LEVEL)[0]
    assert ["".join("1" if cell else "." for cell in row) for row in seen] == TABLES[policy]


def test_segments_do_not_see_each_other_and_padding_sees_only_itself():
    segment = torch.tensor([[0, 0, 1, 1, -1, -1]])
    item = torch.tensor([[0, 0, 0, 0, 0, 0]])
    seen = allowed("block-causal", segment, item, LEVEL)[0]
    rows = ["".join("1" if cell else "." for cell in row) for row in seen]
    assert rows == ["11....", "11....", "..11..", "..11..", "....1.", ".....1"]


def test_positions_start_anew_in_every_segment_and_ignore_padding():
    mask = torch.tensor([[False, True, True, True, True, False]])
    segments = torch.tensor([[-1, 0, 0, 4, 4, -1]])
    segment, position = item_positions(mask, segments)
    assert segment.tolist() == [[-1, 0, 0, 4, 4, -1]]
    assert position[mask].tolist() == [0, 1, 0, 1]
    alone = item_positions(mask)[1]
    assert alone[mask].tolist() == [0, 1, 2, 3]


def test_tokens_of_an_item_share_a_position_in_a_set():
    assert token_positions("set", ITEM, LEVEL, 2).tolist() == ITEM.tolist()
    assert token_positions("causal", ITEM, LEVEL, 2).tolist() == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    ("attention", "head", "reason"),
    [("block-causal", "autoregressive", "copy"), ("set", "autoregressive", "do not see each other")],
)
def test_pairs_that_leak_or_mean_nothing_are_refused_with_the_reason(attention, head, reason):
    with pytest.raises(ModelError, match=reason):
        check_pairing(attention, head)


@pytest.mark.parametrize("attention", sorted(TABLES))
def test_a_parallel_head_goes_with_every_mask(attention):
    check_pairing(attention, "parallel")


def test_unknown_names_are_refused():
    with pytest.raises(ModelError, match="Unknown attention 'blocks'"):
        check_pairing("blocks", "parallel")
